/* jobs.c - `teagate jobs`: the process for everything slow */
#include "jobs/jobs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "command/nouns.h"
#include "command/process.h"
#include "supervisor/events.h"

enum { ASK_FOR_LEASE_MS = 100 };

struct worker {
    struct tg_process process;
    struct tg_jobs *jobs;
    bool may_run, is_over;
};

static void obey(struct worker *worker, struct tg_text verb)
{
    TG_STRING status = {NULL, 0, 0};

    if (tg_text_is(verb, "go")) {
        worker->may_run = true;
        tg_process_say(&worker->process, "serving", tg_text(NULL));
    } else if (tg_text_is(verb, "stop") || tg_text_is(verb, "drain")) {
        worker->is_over = true;
    } else if (tg_text_is(verb, "reopen-logs")) {
        if (tg_events_reopen() < 0)
            tg_log(TG_LOG_ERROR, "event-log-closed", "why", tg_failure(), NULL);
    } else if (tg_text_is(verb, "status")) {
        tg_jobs_status(worker->jobs, &status);
        tg_process_say(&worker->process, "status", tg_string_text(&status));
    }
}

/* How long to listen before the next turn; a negative result ends the process. */
static int64_t turn(struct worker *worker)
{
    if (!worker->may_run)
        return 60 * 1000;
    int held = tg_jobs_lease(worker->jobs);
    if (held < 0)
        return held;
    return held == TG_JOBS_HELD ? ASK_FOR_LEASE_MS : tg_jobs_turn(worker->jobs);
}

static int work(struct worker *worker)
{
    struct tg_control_message message;

    while (!worker->is_over) {
        int64_t wait_ms = turn(worker);

        if (wait_ms < 0)
            return tg_process_failed(&worker->process, "the lease of jobs");
        int result = tg_process_hear(&worker->process, wait_ms, &message);
        if (result == TG_CONTROL_CLOSED)
            return TG_EXIT_FAILED;
        if (result == 0)
            obey(worker, message.verb);
    }
    return TG_EXIT_DONE;
}

static int begin(struct worker *worker, const struct tg_site_conf *conf)
{
    struct tg_jobs_options options = {
        .state = conf->state,
        .redis = &conf->redis,
        .giteas = &conf->giteas,
        .rules = &conf->subscription,
        .session_idle_s = conf->accounts.session_idle_s,
    };

    tg_time_init();
    tg_log_set_threshold((enum tg_log_level)conf->log.level);
    tg_try(tg_events_open(conf->log.events));
    return tg_jobs_new(&options, &worker->jobs);
}

static int jobs(struct tg_run *run, const void *values)
{
    struct worker worker = {.jobs = NULL};
    int status = tg_process_begin(run, values, &worker.process);

    if (status == TG_EXIT_DONE && begin(&worker, &run->conf) != 0)
        status = tg_process_failed(&worker.process, "starting jobs");
    if (status == TG_EXIT_DONE) {
        tg_process_say(&worker.process, "ready", tg_text(NULL));
        status = work(&worker);
    }
    tg_jobs_free(worker.jobs);
    tg_process_end(&worker.process);
    return status;
}

const struct tg_verb tg_jobs_verbs[] = {
    {NULL, NULL, 0, tg_process_options, sizeof(struct tg_process_values), jobs, "run jobs"},
    {NULL},
};
