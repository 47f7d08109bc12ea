#include "jobs/gitea_sync.h"
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include "base/clock.h"
#include "base/judge_clock.h"
#include "base/log.h"
#include "base/result.h"
#include "gitea/flag.h"
#include "gitea/reconcile.h"
#include "io/thread.h"
#include "store/doorbell.h"

enum {
    POLL_MS = 100,
    BATCH = 256,
    AGAIN_FIRST_MS = 250,               /* Gitea is away: when it is asked again */
    AGAIN_LAST_MS = 5000,               /* somebody may wait at the sign-in for his flag to be lifted */
    RECONCILE_MS = 10 * 60 * 1000,
    RECONCILE_AGAIN_MS = 30 * 1000,
};

struct tg_gitea_sync {
    struct tg_gitea_sync_options options;
    pthread_t thread;
    int wake;

    /* the thread's */
    struct tg_worker *worker;
    struct tg_store *store;
    struct tg_redis_link *link;
    struct tg_bell *bell;
    bool opened, failing;
    int64_t last;                       /* change seen last */
    bool judging;                       /* all members, page by page, behind this one */
    char judged[TG_ID];
    int64_t again_ms, wait_ms;          /* monotonic: Gitea is not asked before; how long it was the last time */
    struct tg_reconcile reconcile;
    bool reconciling;
    int64_t reconcile_ms;               /* monotonic: when the next begins; 0: at once */
    uint64_t *told, *telling;           /* digests of findings: of the last reconcile, and of this one */
    size_t told_count, telling_count;

    /* for status */
    _Atomic int64_t applied, failures, reconciled_s, findings, users;
    _Atomic bool away;
};

bool tg_gitea_sync_desired(const struct tg_facts *facts, const struct tg_subscription_conf *rules, int64_t now_s,
                           int64_t *until_s)
{
    struct tg_standing standing;

    tg_standing(facts, rules, now_s, &standing);
    *until_s = standing.next_transition_s;
    if (facts->is_operator)
        return false;
    return facts->locked || standing.level == TG_LEVEL_BLOCKED || standing.level == TG_LEVEL_GONE;
}

/* ---- what is wanted */

static int judge(struct tg_gitea_sync *sync, const char *account)
{
    struct tg_facts facts;
    int64_t until_s;

    if (tg_try(tg_facts_read(sync->store, account, &facts)) != 0)
        return 0;
    bool desired = tg_gitea_sync_desired(&facts, sync->options.rules, tg_judge_now_s(), &until_s);
    tg_try(tg_flag_want(sync->store, sync->options.conf->host, account, desired, until_s));
    return 0;
}

static void judge_all(struct tg_gitea_sync *sync)
{
    sync->judging = true;
    sync->judged[0] = '\0';
}

static int judge_page(struct tg_gitea_sync *sync)
{
    TG_FREED struct tg_member_page *page = tg_alloc(sizeof(*page));

    tg_try(tg_member_list(sync->store, sync->options.conf->host, sync->judged, page));
    for (size_t i = 0; i < page->count; i++) {
        tg_try(judge(sync, page->members[i].account));
        memcpy(sync->judged, page->members[i].account, sizeof(sync->judged));
    }
    sync->judging = page->count > 0;
    return 0;
}

static int obey(struct tg_gitea_sync *sync, const struct tg_change *change)
{
    switch (change->kind) {
    case TG_CHANGE_ACCOUNT:
    case TG_CHANGE_SUBSCRIPTION:
    case TG_CHANGE_HOLD:
        if (change->subject[0] != '\0')
            return judge(sync, change->subject);
        judge_all(sync);
        return 0;
    case TG_CHANGE_INSTANCE:
        if (change->subject[0] != '\0' && strcmp(change->subject, sync->options.conf->host) != 0)
            return 0;
        judge_all(sync);
        sync->reconcile_ms = 0;
        return 0;
    default:
        return 0;
    }
}

static int follow(struct tg_gitea_sync *sync)
{
    struct tg_change changes[BATCH];
    size_t count = BATCH;

    while (count == BATCH) {
        if (tg_try(tg_change_after(sync->store, sync->last, changes, BATCH, &count)) != 0) {
            tg_try(tg_change_last(sync->store, &sync->last));
            judge_all(sync);
            return 0;
        }
        for (size_t i = 0; i < count; i++) {
            tg_try(obey(sync, &changes[i]));
            sync->last = changes[i].number;
        }
    }
    return 0;
}

static int judge_in_time(struct tg_gitea_sync *sync)
{
    struct tg_account_list due;

    tg_try(tg_flag_judge_due(sync->store, sync->options.conf->host, tg_judge_now_s(), &due));
    for (size_t i = 0; i < due.count; i++)
        tg_try(judge(sync, due.ids[i]));
    return 0;
}

/* ---- what is done */

static void tell_change(struct tg_gitea_sync *sync, const struct tg_flag *before)
{
    struct tg_account account;
    struct tg_flag after;
    char took[24];

    if (tg_flag_find(sync->store, before->host, before->account, &after) != 0 ||
        tg_account_find(sync->store, before->account, &account) != 0)
        return;
    snprintf(took, sizeof(took), "%lld", (long long)(tg_now_ms() - before->due_ms));
    if (after.origin == TG_FLAG_FOREIGN && before->origin != TG_FLAG_FOREIGN)
        tg_log(TG_LOG_WARN, "user-prohibited-by-others", "instance", before->host, "login", account.login, "do",
               "it is held until it is allowed in Gitea again, or teagate hold lift", NULL);
    else if (after.observed != before->observed)
        tg_log(TG_LOG_INFO, after.observed ? "user-prohibited" : "user-allowed", "instance", before->host, "login", account.login,
               "after_ms", took, NULL);
    else if (after.error[0] != '\0' && strcmp(after.error, before->error) != 0)
        tg_log(TG_LOG_WARN, "user-flag-failed", "instance", before->host, "login", account.login, "why", after.error, NULL);
}

static void on_away(struct tg_gitea_sync *sync)
{
    if (!sync->away)
        tg_log(TG_LOG_WARN, "gitea-away", "instance", sync->options.conf->host, "why", tg_failure(), "do",
               "start Gitea; what is to be changed in it waits", NULL);
    sync->away = true;
    sync->wait_ms = sync->wait_ms == 0 ? AGAIN_FIRST_MS : 2 * sync->wait_ms;
    if (sync->wait_ms > AGAIN_LAST_MS)
        sync->wait_ms = AGAIN_LAST_MS;
    sync->again_ms = tg_monotonic_ms() + sync->wait_ms;
}

static void on_answer(struct tg_gitea_sync *sync)
{
    if (sync->away)
        tg_log(TG_LOG_INFO, "gitea-back", "instance", sync->options.conf->host, NULL);
    sync->away = false;
    sync->wait_ms = 0;
}

/* One row. TG_FLAG_UNKNOWN: nothing is due. */
static int apply_next(struct tg_gitea_sync *sync)
{
    struct tg_flag due;

    if (tg_monotonic_ms() < sync->again_ms ||
        tg_try(tg_flag_next(sync->store, sync->options.conf->host, tg_now_ms(), &due)) == TG_FLAG_UNKNOWN)
        return TG_FLAG_UNKNOWN;
    if (tg_try(tg_gitea_flag_apply(sync->worker, sync->options.conf, &due)) != 0) {
        sync->failures++;
        on_away(sync);
        return 0;
    }
    on_answer(sync);
    sync->applied++;
    tell_change(sync, &due);
    return 0;
}

/* ---- the comparison */

static uint64_t digest(const struct tg_finding *finding)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a: only what was logged before is to be known again */

    for (const char *c = finding->text; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return hash;
}

/* Once, not every ten minutes. */
static void on_finding(const struct tg_finding *finding, void *context)
{
    struct tg_gitea_sync *sync = context;
    uint64_t hash = digest(finding);

    if (finding->harmless || finding->kind == TG_FINDING_MAPPED || finding->kind == TG_FINDING_FLAG)
        return;
    sync->telling = tg_realloc(sync->telling, (sync->telling_count + 1) * sizeof(*sync->telling));
    sync->telling[sync->telling_count++] = hash;
    for (size_t i = 0; i < sync->told_count; i++) {
        if (sync->told[i] == hash)
            return;
    }
    tg_log(TG_LOG_WARN, "gitea-out-of-step", "instance", sync->options.conf->host, "what", tg_finding_name(finding->kind),
           "login",
           finding->login, "user", finding->gitea_login, "why", finding->text, NULL);
}

static void end_reconcile(struct tg_gitea_sync *sync, bool done)
{
    char mended[24];

    if (done) {
        snprintf(mended, sizeof(mended), "%lld", (long long)sync->reconcile.mended);
        if (sync->reconcile.mended > 0)
            tg_log(TG_LOG_INFO, "gitea-reconciled", "instance", sync->options.conf->host, "mended", mended, NULL);
        free(sync->told);
        sync->told = sync->telling;
        sync->told_count = sync->telling_count;
        sync->reconciled_s = tg_now_s();
        sync->findings = sync->reconcile.findings;
        sync->users = sync->reconcile.users;
    } else {
        free(sync->telling);
    }
    sync->telling = NULL;
    sync->telling_count = 0;
    tg_reconcile_done(&sync->reconcile);
    sync->reconciling = false;
}

static int begin_reconcile(struct tg_gitea_sync *sync)
{
    sync->reconcile = (struct tg_reconcile){.conf = sync->options.conf, .mend = true, .found = on_finding, .context = sync};
    sync->reconcile_ms = tg_monotonic_ms() + RECONCILE_MS;
    sync->reconciling = tg_try(tg_reconcile_begin(sync->worker, &sync->reconcile)) == 0; /* else it is not set up yet */
    return 0;
}

/* One page. */
static int reconcile(struct tg_gitea_sync *sync)
{
    if (!sync->reconciling && tg_monotonic_ms() >= sync->reconcile_ms)
        tg_try(begin_reconcile(sync));
    if (!sync->reconciling)
        return 0;
    int result = tg_try(tg_reconcile_step(sync->worker, &sync->reconcile));
    if (result == TG_RECONCILE_MORE)
        return 0;
    if (result != 0) {
        on_away(sync);
        sync->reconcile_ms = tg_monotonic_ms() + RECONCILE_AGAIN_MS;
    } else {
        on_answer(sync);
    }
    end_reconcile(sync, result == 0);
    return 0;
}

/* ---- the thread */

static int open_store(struct tg_gitea_sync *sync)
{
    if (sync->opened)
        return 0;
    tg_try(tg_worker_store(sync->worker, &sync->store));
    if (sync->options.space != NULL && sync->link == NULL)
        sync->link = tg_redis_link_new(sync->options.space->redis);
    if (sync->link != NULL)
        tg_button_fit(sync->store, sync->options.space, sync->link);
    tg_try(tg_change_last(sync->store, &sync->last));
    judge_all(sync);
    sync->opened = true;
    return 0;
}

static bool is_over(const struct tg_gitea_sync *sync)
{
    struct pollfd fd = {.fd = sync->wake, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

/* What has changed comes before each call of Gitea: a payment never waits behind more than one of them. */
static int turn(struct tg_gitea_sync *sync)
{
    int applied = 0;

    tg_try(open_store(sync));
    while (applied != TG_FLAG_UNKNOWN && !is_over(sync)) {
        tg_try(follow(sync));
        if (sync->judging)
            tg_try(judge_page(sync));
        tg_try(judge_in_time(sync));
        applied = tg_try(apply_next(sync));
    }
    return is_over(sync) ? 0 : reconcile(sync);
}

static void on_turn(struct tg_gitea_sync *sync, int result)
{
    if (result < 0 && !sync->failing)
        tg_log(TG_LOG_ERROR, "gitea-sync-failed", "instance", sync->options.conf->host, "why",
               result == TG_BUSY ? "the database was locked for too long" : tg_failure(), "do",
                   "look at the database; it is tried again", NULL);
    if (result >= 0 && sync->failing)
        tg_log(TG_LOG_INFO, "gitea-sync-goes-on", "instance", sync->options.conf->host, NULL);
    sync->failing = result < 0;
    if (result < 0 && sync->reconciling)
        end_reconcile(sync, false);
}

static void pause_for(struct tg_gitea_sync *sync, int64_t ms)
{
    struct pollfd fd = {.fd = sync->wake, .events = POLLIN};

    if (sync->bell != NULL)
        tg_bell_wait(sync->bell, sync->wake, ms);
    else
        poll(&fd, 1, (int)ms);
}

static void *run(void *context)
{
    struct tg_gitea_sync *sync = context;

    sync->worker = tg_worker_new((void *)sync->options.state);
    if (sync->options.space != NULL)
        sync->bell = tg_bell_new(sync->options.space);
    do {
        on_turn(sync, turn(sync));
        pause_for(sync, sync->judging || sync->reconciling ? 0 : POLL_MS);
    } while (!is_over(sync));
    if (sync->reconciling)
        end_reconcile(sync, false);
    free(sync->told);
    tg_bell_free(sync->bell);
    tg_worker_free(sync->worker); /* its store's button goes before the link */
    tg_redis_link_free(sync->link);
    return NULL;
}

int tg_gitea_sync_start(const struct tg_gitea_sync_options *options, struct tg_gitea_sync **out)
{
    struct tg_gitea_sync *sync = tg_alloc(sizeof(*sync));

    sync->options = *options;
    sync->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sync->wake < 0) {
        free(sync);
        return tg_fail_errno("no descriptor for waking a thread");
    }
    int result = tg_thread_start(&sync->thread, "gitea-sync", run, sync);
    if (result < 0) {
        close(sync->wake);
        free(sync);
        return result;
    }
    *out = sync;
    return 0;
}

void tg_gitea_sync_stop(struct tg_gitea_sync *sync)
{
    if (sync == NULL)
        return;
    eventfd_write(sync->wake, 1);
    pthread_join(sync->thread, NULL);
    close(sync->wake);
    free(sync);
}

json_t *tg_gitea_sync_status(struct tg_gitea_sync *sync)
{
    json_t *json = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I}", "host", sync->options.conf->host, "away", (int)sync->away,
                             "applied",
                             (json_int_t)sync->applied, "failures", (json_int_t)sync->failures, "users", (json_int_t)sync->users,
                                 "findings",
                             (json_int_t)sync->findings);
    char when[TG_TIME_ISO];

    if (sync->reconciled_s != 0) {
        tg_time_iso(sync->reconciled_s, when);
        json_object_set_new(json, "reconciled_at", json_string(when));
    }
    return json;
}
