/*
 * jobs.h - what the service does by itself, by the clock
 *
 * A table of timers, run one after the other on the caller's thread, and a thread for each Gitea (gitea_sync.h), from when the lease is
 * held. Two processes of jobs never both run: the lease is a lock on
 * STATE/jobs.lock, which goes with its process however that ends, so that the successor need not wait for anything to expire.
 */
#ifndef TG_JOBS_JOBS_H
#define TG_JOBS_JOBS_H

#include "store/redis_conf.h"
#include "subscription/standing.h"

struct tg_jobs_options {
    const char *state;             /* directory */
    const struct tg_redis_conf *redis; /* its doorbell is rung for what jobs change; NULL: none */
    const struct tg_conf_list *giteas;         /* of struct tg_gitea_conf: kept in step; NULL: none */
    const struct tg_subscription_conf *rules;  /* by these */
    int64_t session_idle_s;        /* provider sessions that were not used for longer are forgotten */
};

struct tg_jobs;

int tg_jobs_new(const struct tg_jobs_options *options, struct tg_jobs **jobs); /* opens the store; it must be this program's schema */
void tg_jobs_free(struct tg_jobs *jobs);                                       /* gives the lease back */

/* HELD: another process of jobs runs; ask again soon. */
enum { TG_JOBS_HELD = 1 };
int tg_jobs_lease(struct tg_jobs *jobs);

/* Runs what is due; the time until something else is (milliseconds). Failures are logged, and tried again at the next time. */
int64_t tg_jobs_turn(struct tg_jobs *jobs);

/* One JSON object: each timer, when it ran last, how often, how often it failed. */
void tg_jobs_status(const struct tg_jobs *jobs, struct tg_string *out);

#endif
