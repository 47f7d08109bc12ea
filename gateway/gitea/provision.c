/*
 * provision.c - an account's user in Gitea exists and is the right one, before a code goes out
 *
 * Gitea lets one subject have two users (its API does not mind), so whoever looks up and then makes one does that alone: a lock
 * in this process, and after a refused attempt a second look, because another generation of the front may have been faster.
 */
#include "gitea/provision.h"
#include <pthread.h>
#include <time.h>
#include "base/clock.h"
#include "base/result.h"
#include "gitea/flag.h"
#include "store/instance.h"

enum { LOCKS = 16, LOCK_WAIT_S = 2, LIFT_WAIT_MS = 2000, LIFT_LOOK_MS = 40 };

struct provision {
    struct tg_worker *worker;
    struct tg_store *store;
    const struct tg_gitea_conf *conf;
    const struct tg_account *account;
    struct tg_instance instance;
};

static pthread_mutex_t locks[LOCKS] = {[0 ... LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER};

static pthread_mutex_t *take_lock(const char *account_id)
{
    pthread_mutex_t *lock = &locks[(unsigned char)account_id[0] % LOCKS]; /* ids are random */
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOCK_WAIT_S;
    return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until) == 0 ? lock : NULL;
}

static int find_or_make(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_instance *instance,
                        const struct tg_account *account, struct tg_gitea_user *user)
{
    struct tg_gitea_new_user wanted = {instance->source_id, account->sub, account->login, account->email, account->full_name};
    int result = tg_try(tg_gitea_user_by_sub(worker, conf, instance->source_id, account->sub, user));

    if (result != TG_GITEA_UNKNOWN)
        return result == 0 ? 0 : TG_PROVISION_UNAVAILABLE;
    result = tg_try(tg_gitea_user_add(worker, conf, &wanted, user));
    if (result == 0)
        return 0;
    if (result != TG_GITEA_TAKEN)
        return TG_PROVISION_UNAVAILABLE;
    result = tg_try(tg_gitea_user_by_sub(worker, conf, instance->source_id, account->sub, user));
    if (result == TG_GITEA_UNKNOWN)
        return TG_PROVISION_CLASH;
    return result == 0 ? 0 : TG_PROVISION_UNAVAILABLE;
}

/*
 * known: whom the account has been in this Gitea so far; 0: nobody. If the user found by our source and subject is on record for
 * another account, that record is the stale one (a Gitea that was put up anew counts from one again): tg_member_put voids it.
 */
static int confirm(struct tg_store *store, const struct tg_gitea_conf *conf, const struct tg_account *account, int64_t known,
                   const struct tg_gitea_user *user)
{
    if (known != 0)
        return known == user->id ? 0 : TG_PROVISION_FOREIGN;
    return tg_try(tg_member_put(store, conf->host, account->id, user->id)) == 0 ? 0 : TG_PROVISION_FOREIGN;
}

/* The user is there, and the right one. */
static int find(const struct provision *p, struct tg_gitea_user *user)
{
    int64_t known = 0;
    int result;

    if (tg_try(tg_member_user(p->store, p->conf->host, p->account->id, &known)) != 0) {
        result = tg_try(find_or_make(p->worker, p->conf, &p->instance, p->account, user));
        return result == 0 ? confirm(p->store, p->conf, p->account, 0, user) : result;
    }

    /* Known, but not there any more: deleted, or its login name was changed. Not made anew: its id would be another. */
    result = tg_try(tg_gitea_user_by_sub(p->worker, p->conf, p->instance.source_id, p->account->sub, user));
    if (result == TG_GITEA_UNKNOWN)
        return TG_PROVISION_FOREIGN;
    return result == 0 ? confirm(p->store, p->conf, p->account, known, user) : TG_PROVISION_UNAVAILABLE;
}

/* The row is read before the user: one that jobs writes in between is then not taken for the state of what was read behind it. */
static int look(const struct provision *p, bool *prohibited)
{
    struct tg_gitea_user user = {0};
    struct tg_flag flag;

    tg_try(tg_flag_find(p->store, p->conf->host, p->account->id, &flag));
    int result = tg_try(find(p, &user));
    if (result != 0)
        return result;
    *prohibited = user.prohibit_login;
    return tg_try(tg_gitea_flag_judge(p->store, &flag, &user)) == 0 ? 0 : TG_PROVISION_HELD;
}

static int provision(struct provision *p)
{
    int64_t until_ms = tg_monotonic_ms() + LIFT_WAIT_MS;
    bool prohibited;

    if (tg_try(tg_instance_find(p->store, p->conf->host, &p->instance)) != 0 || p->instance.source_id <= 0)
        return TG_PROVISION_NOT_SET_UP;
    for (;;) {
        int result = tg_try(look(p, &prohibited));
        if (result != 0 || !prohibited)
            return result;
        if (tg_monotonic_ms() >= until_ms) {
            tg_fail("Gitea %s still prohibits user %s, as we have told it; jobs lifts that", p->conf->host, p->account->login);
            return TG_PROVISION_UNAVAILABLE;
        }
        nanosleep(&(struct timespec){.tv_nsec = LIFT_LOOK_MS * 1000000}, NULL);
    }
}

int tg_provision(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_account *account)
{
    struct provision p = {.worker = worker, .conf = conf, .account = account};

    tg_try(tg_worker_store(worker, &p.store));
    pthread_mutex_t *lock = take_lock(account->id);
    if (lock == NULL) {
        tg_fail("another sign-in of the same account waits for Gitea %s", conf->host);
        return TG_PROVISION_UNAVAILABLE;
    }
    int result = provision(&p);
    pthread_mutex_unlock(lock);
    return result;
}
