/*
 * pool.h - a bounded pool of worker threads
 *
 * For everything that blocks: database, password hashing, asking Gitea, cold endpoints. Each pool has its own threads and its own queue,
 * so that none can starve another. A job is embedded in its owner's struct; it belongs to the pool from tg_pool_submit until its
 * finish callback has been called.
 */
#ifndef TG_IO_POOL_H
#define TG_IO_POOL_H

#include <stddef.h>
#include <stdint.h>

struct tg_pool;

struct tg_job {
    void (*work)(struct tg_job *job, void *worker); /* on a worker thread; worker: what .worker_new returned for this thread */
    void (*finish)(struct tg_job *job);             /* on the same worker thread after work: typically sends a message to a loop */
    struct tg_job *next;                            /* the pool's */
};

struct tg_pool_options {
    const char *name;      /* for metrics and thread names, at most 11 characters */
    size_t threads;        /* 1..64 */
    size_t queue;          /* jobs that may wait; more are refused */
    void *(*worker_new)(void *context);   /* what each thread owns (a database connection); NULL result is passed on as it is */
    void (*worker_free)(void *worker);
    void *context;
};

int tg_pool_new(const struct tg_pool_options *options, struct tg_pool **pool);
/* Lets queued jobs run, then joins the threads. From here on jobs are refused: for those who may still come while others stop. */
void tg_pool_stop(struct tg_pool *pool);
/* Stops it; nobody may submit any more. */
void tg_pool_free(struct tg_pool *pool);

/* Any thread, never blocks. TG_BUSY: the queue is full, or the pool has been stopped (answer 503 with Retry-After). */
int tg_pool_submit(struct tg_pool *pool, struct tg_job *job);

struct tg_pool_stats {
    const char *name;
    size_t threads, busy, queued, queue_limit;
    uint64_t done, refused;
};
void tg_pool_stats(struct tg_pool *pool, struct tg_pool_stats *out);

#endif
