#include "gitea/reconcile.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/result.h"

enum { TEXT = 512 };

const char *tg_finding_name(enum tg_finding_kind kind)
{
    static const char *const names[] = {"mapped", "flag", "renamed", "prohibited", "deleted", "replaced", "double", "namesake",
                                        "stranger",
                                        "administrator"};

    return names[kind];
}

/* What is looked at: an account of ours, a user of Gitea, or both. */
struct pair {
    const struct tg_account *account;
    const struct tg_gitea_user *user;
};

static void tell(struct tg_reconcile *r, enum tg_finding_kind kind, struct pair pair, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void tell(struct tg_reconcile *r, enum tg_finding_kind kind, struct pair pair, const char *format, ...)
{
    bool is_mendable = kind == TG_FINDING_MAPPED || kind == TG_FINDING_FLAG;
    va_list arguments;
    char text[TEXT];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct tg_finding finding = {
        .kind = kind,
        .mended = is_mendable && r->mend,
        .harmless = kind == TG_FINDING_RENAMED,
        .login = pair.account != NULL ? pair.account->login : "",
        .gitea_login = pair.user != NULL ? pair.user->login : "",
        .gitea_user = pair.user != NULL ? pair.user->id : 0,
        .text = text,
    };
    r->findings++;
    r->mended += finding.mended;
    if (r->found != NULL)
        r->found(&finding, r->context);
}

int tg_reconcile_begin(struct tg_worker *worker, struct tg_reconcile *r)
{
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    if (tg_try(tg_instance_find(store, r->conf->host, &r->instance)) != 0 || r->instance.source_id <= 0)
        return TG_RECONCILE_NOT_SET_UP;
    r->page = 1;
    return 0;
}

void tg_reconcile_done(struct tg_reconcile *r)
{
    free(r->seen);
    r->seen = NULL;
    r->seen_count = r->seen_capacity = 0;
}

static void see(struct tg_reconcile *r, int64_t user)
{
    if (r->seen_count == r->seen_capacity) {
        r->seen_capacity = r->seen_capacity == 0 ? 256 : 2 * r->seen_capacity;
        r->seen = tg_realloc(r->seen, r->seen_capacity * sizeof(*r->seen));
    }
    r->seen[r->seen_count++] = user;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static bool is_seen(const struct tg_reconcile *r, int64_t user)
{
    return r->seen_count > 0 && bsearch(&user, r->seen, r->seen_count, sizeof(user), compare) != NULL;
}

/* What no user of our source and no account explains. */
static int look_at_other(struct tg_store *store, struct tg_reconcile *r, const struct tg_gitea_user *user)
{
    struct tg_account account;
    int64_t known;
    bool by_name = tg_try(tg_account_find_login(store, tg_text(user->login), &account)) == 0;

    if (!by_name && (strchr(user->email, '@') == NULL ||
                     tg_try(tg_account_find_login(store, tg_text(user->email), &account)) != 0))
        return 0;
    if (tg_try(tg_member_user(store, r->conf->host, account.id, &known)) == 0 && known != user->id)
        return 0; /* the account has a user: names do not matter */
    tell(r, TG_FINDING_NAMESAKE, (struct pair){&account, user},
         "the user %s (id %lld) in Gitea is not ours, but has the %s of account %s, which cannot sign in there: rename or remove"
         " one of them, or give the user to the account in Gitea's administration (source %s, authentication sign-in name %s)",
         user->login, (long long)user->id, by_name ? "name" : "e-mail address", account.login, r->instance.source_name,
             account.sub);
    return 0;
}

/* A row that there is not yet is to be judged first. */
static int have_it_looked_at(struct tg_store *store, const struct tg_flag *flag)
{
    struct tg_flag fresh = *flag;

    if (flag->version != 0) {
        tg_try(tg_flag_touch(store, flag->host, flag->account, tg_now_ms()));
        return 0;
    }
    fresh.judge_s = 0;
    fresh.due_ms = tg_now_ms();
    tg_try(tg_flag_save(store, &fresh));
    return 0;
}

static int report_flag(struct tg_store *store, struct tg_reconcile *r, struct pair pair, const struct tg_flag *flag)
{
    const char *is = pair.user->prohibit_login ? "prohibits" : "does not prohibit";

    if (pair.user->prohibit_login && flag->origin == TG_FLAG_FOREIGN) {
        tell(r, TG_FINDING_PROHIBITED, pair,
             "somebody has prohibited the user %s in Gitea: a hold is in force until he is allowed there again, or until"
             " teagate hold lift %s --kind gitea", pair.user->login, pair.account->login);
        return 0;
    }
    if (flag->due_ms != 0 && flag->tries > 0) {
        tell(r, TG_FINDING_FLAG, pair, "Gitea %s user %s, and should be changed; it has failed %lld times: %s", is,
             pair.user->login, (long long)flag->tries, flag->error);
        return 0;
    }
    tell(r, TG_FINDING_FLAG, pair, "Gitea %s user %s%s: %s", is, pair.user->login,
         flag->version != 0 && flag->origin != TG_FLAG_OURS && pair.user->prohibit_login ? ", and we have not" : "",
         r->mend ? "it is looked at now" : "teagate gitea reconcile has it looked at");
    return r->mend ? have_it_looked_at(store, flag) : 0;
}

/* A mapped user: his flag, his name and his rights. */
static int look_at_member(struct tg_store *store, struct tg_reconcile *r, struct pair pair)
{
    const struct tg_gitea_user *user = pair.user;
    struct tg_flag flag;

    tg_try(tg_flag_find(store, r->conf->host, pair.account->id, &flag));
    bool desired = flag.desired && !user->is_admin;
    bool is_foreign = user->prohibit_login && flag.origin != TG_FLAG_OURS;
    if (user->prohibit_login != flag.observed || user->prohibit_login != desired || is_foreign)
        tg_try(report_flag(store, r, pair, &flag));
    if (strcasecmp(user->login, pair.account->login) != 0)
        tell(r, TG_FINDING_RENAMED, pair, "account %s is called %s in Gitea; it is found by its id, so this does no harm",
             pair.account->login, user->login);
    if (user->is_admin && !pair.account->is_operator)
        tell(r, TG_FINDING_ADMINISTRATOR, pair,
             "user %s is an administrator of Gitea, but account %s is no operator: its API and SSH stay open when the"
             " subscription ends; take the right away in Gitea, or make it an operator (teagate account)", user->login, pair.account->login);
    return 0;
}

/* Known as another one, or not known yet: who has the subject is asked for, since two may have it. */
static int look_at_newcomer(struct tg_worker *worker, struct tg_reconcile *r, struct pair pair, int64_t known)
{
    struct tg_store *store;
    struct tg_gitea_user now;

    tg_try(tg_worker_store(worker, &store));
    int result = tg_try(tg_gitea_user_by_sub(worker, r->conf, r->instance.source_id, pair.account->sub, &now));
    if (result == TG_GITEA_AMBIGUOUS) {
        see(r, known);
        tell(r, TG_FINDING_DOUBLE, pair,
             "several users in Gitea have the subject of account %s, one of them %s (id %lld): remove all but one in Gitea; until"
             " then it cannot sign in there", pair.account->login, pair.user->login, (long long)pair.user->id);
        return 0;
    }
    if (result == TG_GITEA_UNAVAILABLE)
        return TG_RECONCILE_UNAVAILABLE;
    if (result != 0 || now.id != pair.user->id)
        return 0; /* has changed since the page was made */
    if (known != 0) {
        see(r, known);
        tell(r, TG_FINDING_REPLACED, pair,
             "the user of account %s had id %lld in Gitea, and now has id %lld: it was deleted and made anew; if that was meant,"
             " teagate gitea forget %s %s", pair.account->login, (long long)known, (long long)now.id, pair.account->login,
                 r->conf->host);
        return 0;
    }
    tell(r, TG_FINDING_MAPPED, pair, "user %s (id %lld) is account %s%s", now.login, (long long)now.id, pair.account->login,
         r->mend ? ": from now on it is known" : ", which is not known yet: teagate gitea reconcile");
    if (r->mend && tg_try(tg_member_put(store, r->conf->host, pair.account->id, now.id)) == 0)
        see(r, now.id);
    return 0;
}

static int look_at_user(struct tg_worker *worker, struct tg_reconcile *r, const struct tg_gitea_user *user)
{
    struct tg_account account;
    struct tg_store *store;
    int64_t known = 0;

    tg_try(tg_worker_store(worker, &store));
    if (user->source_id != r->instance.source_id)
        return look_at_other(store, r, user);
    if (tg_try(tg_account_find_sub(store, user->login_name, &account)) != 0) {
        tell(r, TG_FINDING_STRANGER, (struct pair){NULL, user},
             "user %s (id %lld) in Gitea belongs to our source, but to none of our accounts: nobody can sign in as it",
             user->login, (long long)user->id);
        return look_at_other(store, r, user);
    }
    struct pair pair = {&account, user};
    if (tg_try(tg_member_user(store, r->conf->host, account.id, &known)) != 0)
        known = 0;
    if (known != user->id)
        return look_at_newcomer(worker, r, pair, known);
    see(r, user->id);
    return look_at_member(store, r, pair);
}

static int look_at_page(struct tg_worker *worker, struct tg_reconcile *r)
{
    TG_FREED struct tg_gitea_user *users = tg_alloc(TG_GITEA_PAGE * sizeof(*users));
    size_t count;

    if (tg_try(tg_gitea_user_page(worker, r->conf, r->page, users, &count)) != 0)
        return TG_RECONCILE_UNAVAILABLE;
    for (size_t i = 0; i < count; i++) {
        int result = tg_try(look_at_user(worker, r, &users[i]));
        if (result != 0)
            return result;
    }
    r->users += (int64_t)count;
    r->page++;
    if (count > 0)
        return 0;
    r->listed = true;
    if (r->seen_count > 0)
        qsort(r->seen, r->seen_count, sizeof(*r->seen), compare);
    return 0;
}

/* A member that was on no page. */
static int look_at_missing(struct tg_worker *worker, struct tg_reconcile *r, const struct tg_member *member)
{
    struct tg_gitea_user user;
    struct tg_account account;
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    if (tg_try(tg_account_find(store, member->account, &account)) != 0)
        return 0;
    int result = tg_try(tg_gitea_user_by_sub(worker, r->conf, r->instance.source_id, account.sub, &user));
    if (result == TG_GITEA_UNAVAILABLE)
        return TG_RECONCILE_UNAVAILABLE;
    if (result == TG_GITEA_UNKNOWN)
        tell(r, TG_FINDING_DELETED, (struct pair){&account, NULL},
             "the user of account %s (id %lld) is not in Gitea any more, or not in our source: it cannot sign in there; if the"
             " user was deleted on purpose, teagate gitea forget %s %s, and the next sign-in makes a new one",
             account.login, (long long)member->gitea_user, account.login, r->conf->host);
    return 0;
}

static int look_at_members(struct tg_worker *worker, struct tg_reconcile *r, bool *more)
{
    TG_FREED struct tg_member_page *page = tg_alloc(sizeof(*page));
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    tg_try(tg_member_list(store, r->conf->host, r->after, page));
    for (size_t i = 0; i < page->count; i++) {
        int result = is_seen(r, page->members[i].gitea_user) ? 0 : tg_try(look_at_missing(worker, r, &page->members[i]));
        if (result != 0)
            return result;
        memcpy(r->after, page->members[i].account, sizeof(r->after));
    }
    *more = page->count > 0;
    return 0;
}

int tg_reconcile_step(struct tg_worker *worker, struct tg_reconcile *r)
{
    bool more = true;
    int result = r->listed ? tg_try(look_at_members(worker, r, &more)) : tg_try(look_at_page(worker, r));

    if (result != 0)
        return result;
    return more ? TG_RECONCILE_MORE : 0;
}
