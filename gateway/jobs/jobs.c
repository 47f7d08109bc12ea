#include "jobs/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/result.h"
#include "jobs/clock_guard.h"
#include "jobs/gitea_sync.h"
#include "jobs/transitions.h"
#include "store/doorbell.h"
#include "store/flag.h"
#include "store/grant.h"
#include "store/instance.h"
#include "store/session.h"
#include "store/signing_key.h"

enum { ROWS = 1000, CREDENTIAL_DAYS = 30, LONGEST_SLEEP_MS = 60 * 1000 };

static int judge_transitions(struct tg_jobs *jobs);
static int prune_grants(struct tg_jobs *jobs);
static int prune_sessions(struct tg_jobs *jobs);
static int prune_credentials(struct tg_jobs *jobs);
static int prune_changes(struct tg_jobs *jobs);
static int advance_keys(struct tg_jobs *jobs);

/* Rows go a thousand at a time: a sign-in never waits long behind one of these. What lives for long is not thrown away by a clock that
   is in doubt. */
static const struct timer {
    const char *name;
    int64_t every_s;
    int (*run)(struct tg_jobs *jobs);
} timers[] = {
    {"transitions", 2, judge_transitions},
    {"prune-grants", 10, prune_grants},
    {"prune-sessions", 60, prune_sessions},
    {"prune-credentials", 300, prune_credentials},
    {"prune-changes", 600, prune_changes},
    {"signing-keys", 10, advance_keys},
};

struct ran {
    int64_t due_ms;  /* monotonic; 0: at once */
    int64_t last_s;  /* 0: not yet */
    int64_t count, failures;
};

struct tg_jobs {
    struct tg_jobs_options options;
    struct tg_store store;
    struct tg_space *space;       /* NULL: no Redis */
    struct tg_redis_link *link;
    int lock; /* -1: no lease */
    struct tg_gitea_sync **syncs; /* one for each Gitea, while the lease is held */
    size_t sync_count;
    struct tg_clock clock;        /* as the last turn has left it */
    bool has_judged_all;
    struct ran ran[tg_count(timers)];
};

/* At the start all are judged: what came due meanwhile, and what follows from other rules. */
static int judge_transitions(struct tg_jobs *jobs)
{
    const struct tg_subscription_conf *rules = jobs->options.rules;

    if (rules == NULL)
        return 0;
    tg_try(tg_clock_guard(&jobs->store, rules, &jobs->clock));
    tg_try(tg_transitions_run(&jobs->store, rules, !jobs->has_judged_all));
    jobs->has_judged_all = true;
    return 0;
}

static int prune_grants(struct tg_jobs *jobs)
{
    return tg_grant_prune(&jobs->store, tg_now_s(), ROWS);
}

static int prune_sessions(struct tg_jobs *jobs)
{
    return tg_session_prune(&jobs->store, tg_judge_now_s() - jobs->options.session_idle_s, ROWS);
}

static int prune_credentials(struct tg_jobs *jobs)
{
    return tg_credential_prune(&jobs->store, tg_judge_now_s() - CREDENTIAL_DAYS * 86400, ROWS);
}

static int prune_changes(struct tg_jobs *jobs)
{
    return tg_change_prune(&jobs->store, tg_judge_now_s());
}

/* A clock in doubt neither retires a key before its time nor forgets one whose tokens are still good. */
static int advance_keys(struct tg_jobs *jobs)
{
    return tg_signing_key_advance(&jobs->store, tg_judge_now_s());
}

static int fit_button(struct tg_jobs *jobs)
{
    if (jobs->options.redis == NULL || tg_try(tg_space_new(jobs->options.redis, &jobs->store, &jobs->space)) == TG_SPACE_NONE)
        return 0;
    jobs->link = tg_redis_link_new(jobs->space->redis);
    tg_button_fit(&jobs->store, jobs->space, jobs->link);
    return 0;
}

int tg_jobs_new(const struct tg_jobs_options *options, struct tg_jobs **out)
{
    struct tg_jobs *jobs = tg_alloc(sizeof(*jobs));

    jobs->options = *options;
    jobs->lock = -1;
    int result = tg_store_open(options->state, &jobs->store);
    if (result == 0 && (result = tg_clock_follow(&jobs->store)) == 0 && (result = fit_button(jobs)) == 0) {
        *out = jobs;
        return 0;
    }
    tg_jobs_free(jobs);
    if (result == TG_STORE_ABSENT)
        return tg_fail("there is no database in %s", options->state);
    return TG_FAILED; /* of another schema: tg_failure() names both */
}

void tg_jobs_free(struct tg_jobs *jobs)
{
    if (jobs == NULL)
        return;
    for (size_t i = 0; i < jobs->sync_count; i++)
        tg_gitea_sync_stop(jobs->syncs[i]);
    free(jobs->syncs);
    tg_store_close(&jobs->store);
    tg_redis_link_free(jobs->link);
    tg_space_free(jobs->space);
    if (jobs->lock >= 0)
        close(jobs->lock);
    free(jobs);
}

static bool is_configured(const struct tg_conf_list *giteas, const char *host)
{
    const struct tg_gitea_conf *items = giteas->items;

    for (size_t i = 0; i < giteas->count; i++) {
        if (strcmp(items[i].host, host) == 0)
            return true;
    }
    return false;
}

/* Nobody keeps in step what is not configured any more. */
static int sort_instances(struct tg_jobs *jobs)
{
    struct tg_instance instance = {.host = ""};
    char host[sizeof(instance.host)];

    do {
        memcpy(host, instance.host, sizeof(host));
        if (host[0] != '\0' && is_configured(jobs->options.giteas, host))
            tg_try(tg_flag_resume(&jobs->store, host));
        else if (host[0] != '\0')
            tg_try(tg_flag_abandon(&jobs->store, host));
    } while (tg_try(tg_instance_next(&jobs->store, host, &instance)) == 0);
    return 0;
}

static int start_syncs(struct tg_jobs *jobs)
{
    const struct tg_conf_list *giteas = jobs->options.giteas;

    if (giteas == NULL)
        return 0;
    tg_try(sort_instances(jobs));
    jobs->syncs = tg_alloc((giteas->count + 1) * sizeof(*jobs->syncs));
    for (size_t i = 0; i < giteas->count; i++) {
        struct tg_gitea_sync_options options = {
            .state = jobs->options.state,
            .space = jobs->space,
            .conf = (const struct tg_gitea_conf *)giteas->items + i,
            .rules = jobs->options.rules,
        };
        tg_try(tg_gitea_sync_start(&options, &jobs->syncs[i]));
        jobs->sync_count++;
    }
    return 0;
}

int tg_jobs_lease(struct tg_jobs *jobs)
{
    TG_FREED char *path = tg_format("%s/jobs.lock", jobs->options.state);
    TG_CLOSED int fd = -1;

    if (jobs->lock >= 0)
        return 0;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return tg_fail_errno("cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? TG_JOBS_HELD : tg_fail_errno("cannot lock %s", path);
    jobs->lock = fd;
    fd = -1;
    return start_syncs(jobs);
}

static void run_timer(struct tg_jobs *jobs, const struct timer *timer, struct ran *ran)
{
    int result = timer->run(jobs);

    ran->due_ms = tg_monotonic_ms() + timer->every_s * 1000;
    ran->last_s = tg_now_s();
    ran->count++;
    if (result >= 0)
        return;
    ran->failures++;
    tg_log(TG_LOG_WARN, "job-failed", "job", timer->name, "why", result == TG_BUSY ? "the database was locked for too long" : tg_failure(), NULL);
}

int64_t tg_jobs_turn(struct tg_jobs *jobs)
{
    int64_t next_ms = tg_monotonic_ms() + LONGEST_SLEEP_MS;

    for (size_t i = 0; i < tg_count(timers); i++) {
        if (tg_monotonic_ms() >= jobs->ran[i].due_ms)
            run_timer(jobs, &timers[i], &jobs->ran[i]);
        if (jobs->ran[i].due_ms < next_ms)
            next_ms = jobs->ran[i].due_ms;
    }
    int64_t left_ms = next_ms - tg_monotonic_ms();
    return left_ms > 0 ? left_ms : 0;
}

void tg_jobs_status(const struct tg_jobs *jobs, struct tg_string *out)
{
    TG_JSON *json = json_pack("{s:b, s:b, s:o, s:o}", "lease", jobs->lock >= 0, "clock_in_doubt",
                              jobs->clock.doubt != TG_CLOCK_SURE, "timers", json_array(), "gitea", json_array());
    json_t *list = json_object_get(json, "timers");

    for (size_t i = 0; i < tg_count(timers); i++) {
        const struct ran *ran = &jobs->ran[i];
        char when[TG_TIME_ISO];
        json_t *one = json_pack("{s:s, s:I, s:I}", "name", timers[i].name, "runs", (json_int_t)ran->count, "failures",
                                (json_int_t)ran->failures);

        tg_time_iso(ran->last_s, when);
        if (ran->last_s != 0)
            json_object_set_new(one, "last_at", json_string(when));
        json_array_append_new(list, one);
    }
    for (size_t i = 0; i < jobs->sync_count; i++)
        json_array_append_new(json_object_get(json, "gitea"), tg_gitea_sync_status(jobs->syncs[i]));
    tg_json_add(out, json);
}
