#include "gitea/flag.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/result.h"
#include "store/instance.h"

enum {
    DOUBT_S = 60,               /* a call that was not answered has taken effect by then, or never will */
    TRY_FIRST_MS = 1000,
    TRY_LAST_MS = 5 * 60 * 1000,
};

static void settle(struct tg_flag *flag, enum tg_flag_origin origin, bool observed)
{
    flag->origin = origin;
    flag->observed = observed;
    flag->due_ms = 0;
    flag->tries = 0;
    flag->error[0] = '\0';
}

static enum tg_flag_step decide_prohibited(struct tg_flag *flag, bool desired)
{
    if (flag->origin == TG_FLAG_OURS && !desired) {
        flag->observed = true;
        return TG_FLAG_LIFT;
    }
    settle(flag, flag->origin == TG_FLAG_OURS ? TG_FLAG_OURS : TG_FLAG_FOREIGN, true);
    return TG_FLAG_SETTLE;
}

/*
 * An unanswered call of ours may still arrive and set the flag; until that is out of the question it stays ours, lest somebody is
 * held for it.
 */
static enum tg_flag_step decide_allowed(struct tg_flag *flag, bool desired, int64_t now_s)
{
    if (desired) {
        flag->origin = TG_FLAG_OURS; /* a hold of a foreign one goes with it: that one is gone */
        flag->observed = false;
        return TG_FLAG_SET;
    }
    if (flag->origin == TG_FLAG_OURS && flag->doubt_s > now_s && flag->doubt_s <= now_s + DOUBT_S) {
        settle(flag, TG_FLAG_OURS, false);
        flag->due_ms = flag->doubt_s * 1000;
        return TG_FLAG_SETTLE;
    }
    settle(flag, TG_FLAG_NOBODY, false);
    flag->doubt_s = 0;
    return TG_FLAG_SETTLE;
}

enum tg_flag_step tg_flag_decide(struct tg_flag *flag, const struct tg_gitea_user *user, int64_t now_s)
{
    bool desired = flag->desired && !user->is_admin;

    /* A foreign flag that has gone takes its hold along, and without the hold it may not be desired any more: that is judged
       first. */
    if (!user->prohibit_login && flag->origin == TG_FLAG_FOREIGN) {
        settle(flag, TG_FLAG_NOBODY, false);
        return TG_FLAG_SETTLE;
    }
    enum tg_flag_step step = user->prohibit_login ? decide_prohibited(flag, desired) : decide_allowed(flag, desired, now_s);
    if (flag->desired && user->is_admin)
        snprintf(flag->error, sizeof(flag->error), "%s is an administrator of Gitea, who is never prohibited", user->login);
    return step;
}

/* Not for all: this one account is looked at again later, and less and less often. */
static void postpone(struct tg_flag *flag, const char *why)
{
    int64_t wait_ms = TRY_FIRST_MS << (flag->tries < 10 ? flag->tries : 10);

    flag->tries++;
    flag->due_ms = tg_now_ms() + (wait_ms < TRY_LAST_MS ? wait_ms : TRY_LAST_MS);
    snprintf(flag->error, sizeof(flag->error), "%s", why);
}

/* There is nothing to set: the reconcile tells, and looks again. */
static void settle_without_user(struct tg_flag *flag)
{
    settle(flag, TG_FLAG_NOBODY, false);
    snprintf(flag->error, sizeof(flag->error), "the account's user is not in Gitea any more");
}

/* Somebody who wrote to the row meanwhile has left it due if there is anything to do. */
static int save(struct tg_store *store, struct tg_flag *flag)
{
    if (tg_try(tg_flag_save(store, flag)) == 0)
        flag->version++;
    return 0;
}

static int change(struct tg_worker *worker, const struct tg_gitea_conf *conf, struct tg_flag *flag,
                  const struct tg_gitea_user *user, bool prohibit)
{
    struct tg_gitea_user now;
    int result = tg_try(tg_gitea_user_prohibit(worker, conf, user, prohibit, &now));

    if (result == TG_GITEA_UNAVAILABLE)
        return TG_FLAG_UNAVAILABLE;
    if (result != 0) {
        postpone(flag, "Gitea found nobody of the name it had just told");
        return 0;
    }
    settle(flag, prohibit ? TG_FLAG_OURS : TG_FLAG_NOBODY, prohibit);
    flag->doubt_s = 0;
    return 0;
}

/* Why Gitea could not be asked is kept with the row; it stays due, and in its place. */
static int keep_reason(struct tg_store *store, struct tg_flag *flag)
{
    flag->tries++;
    snprintf(flag->error, sizeof(flag->error), "%s", tg_failure());
    TG_FREED char *why = tg_strdup(flag->error);
    tg_try(save(store, flag));
    tg_fail("%s", why);
    return TG_FLAG_UNAVAILABLE;
}

static int find_user(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_flag *flag,
                     struct tg_gitea_user *user)
{
    struct tg_store *store;
    struct tg_account account;
    struct tg_instance instance;

    tg_try(tg_worker_store(worker, &store));
    if (tg_try(tg_account_find(store, flag->account, &account)) != 0 ||
        tg_try(tg_instance_find(store, conf->host, &instance)) != 0 || instance.source_id <= 0)
        return TG_GITEA_UNKNOWN;
    return tg_gitea_user_by_sub(worker, conf, instance.source_id, account.sub, user);
}

/* Before Gitea is told anything it is written down that the flag is ours from now on, and that it may come late. */
static int prohibit(struct tg_worker *worker, const struct tg_gitea_conf *conf, struct tg_flag *flag,
                    const struct tg_gitea_user *user)
{
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    flag->doubt_s = tg_now_s() + DOUBT_S;
    if (tg_try(tg_flag_save(store, flag)) != 0)
        return 0; /* what is wanted may have changed: it is due all the same */
    flag->version++;
    int result = tg_try(change(worker, conf, flag, user, true));
    return result == 0 ? save(store, flag) : keep_reason(store, flag);
}

static int lift(struct tg_worker *worker, const struct tg_gitea_conf *conf, struct tg_flag *flag,
                const struct tg_gitea_user *user)
{
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    int result = tg_try(change(worker, conf, flag, user, false));
    return result == 0 ? save(store, flag) : keep_reason(store, flag);
}

/* What we set when this Gitea had another name, which is not configured any more, is ours under this one. */
static int claim(struct tg_store *store, struct tg_flag *flag, const struct tg_gitea_user *user, bool *claimed)
{
    *claimed = false;
    if (user->prohibit_login && flag->origin == TG_FLAG_NOBODY)
        tg_try(tg_flag_inherited(store, flag->account, user->id, claimed));
    if (*claimed)
        flag->origin = TG_FLAG_OURS;
    return 0;
}

static int take_step(struct tg_worker *worker, const struct tg_gitea_conf *conf, struct tg_flag *flag, const struct tg_gitea_user *user)
{
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    switch (tg_flag_decide(flag, user, tg_now_s())) {
    case TG_FLAG_SET:
        return prohibit(worker, conf, flag, user);
    case TG_FLAG_LIFT:
        return lift(worker, conf, flag, user);
    default:
        return save(store, flag);
    }
}

int tg_gitea_flag_apply(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_flag *due)
{
    struct tg_flag flag = *due;
    struct tg_gitea_user user;
    struct tg_store *store;
    bool claimed;

    tg_try(tg_worker_store(worker, &store));
    int result = tg_try(find_user(worker, conf, &flag, &user));
    if (result == TG_GITEA_UNAVAILABLE)
        return keep_reason(store, &flag);
    if (result != 0) {
        if (result == TG_GITEA_UNKNOWN)
            settle_without_user(&flag);
        else
            postpone(&flag, tg_failure());
        return save(store, &flag);
    }
    tg_try(claim(store, &flag, &user, &claimed));
    result = tg_try(take_step(worker, conf, &flag, &user));
    if (claimed && result == 0)
        tg_try(tg_flag_inherit(store, flag.account, user.id)); /* only now: it is written under this name */
    return result;
}

int tg_gitea_flag_judge(struct tg_store *store, const struct tg_flag *before, const struct tg_gitea_user *user)
{
    struct tg_flag flag = *before;
    bool claimed;

    if (!user->prohibit_login || flag.origin == TG_FLAG_OURS)
        return 0;
    if (flag.origin == TG_FLAG_FOREIGN)
        return TG_FLAG_IS_FOREIGN;
    tg_try(claim(store, &flag, user, &claimed));
    if (claimed) {
        tg_try(tg_flag_touch(store, flag.host, flag.account, tg_now_ms()));
        return 0;
    }
    settle(&flag, TG_FLAG_FOREIGN, true);
    return tg_try(tg_flag_save(store, &flag)) == 0 ? TG_FLAG_IS_FOREIGN : 0; /* jobs has just written it: it is looked at again */
}
