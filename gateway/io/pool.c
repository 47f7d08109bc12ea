#include "io/pool.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include "base/result.h"
#include "io/thread.h"

enum { NAME = 12, THREADS = 64, THREAD_NAME = 16 };

struct tg_pool {
    struct tg_pool_options options;
    char name[NAME];
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t work_there;
    struct tg_job *first, **end;
    size_t queued, busy;
    uint64_t done, refused;
    bool stopping;
    size_t started;
    pthread_t threads[THREADS];
};

/* With the lock held. NULL: the pool is stopping and nothing is left. */
static struct tg_job *wait_for_job(struct tg_pool *pool)
{
    while (pool->first == NULL && !pool->stopping)
        pthread_cond_wait(&pool->work_there, &pool->lock);

    struct tg_job *job = pool->first;
    if (job == NULL)
        return NULL;
    pool->first = job->next;
    if (pool->first == NULL)
        pool->end = &pool->first;
    pool->queued--;
    return job;
}

static void *run_worker(void *argument)
{
    struct tg_pool *pool = argument;
    void *worker = pool->options.worker_new != NULL ? pool->options.worker_new(pool->options.context) : NULL;

    pthread_mutex_lock(&pool->lock);
    for (struct tg_job *job; (job = wait_for_job(pool)) != NULL;) {
        pool->busy++;
        pthread_mutex_unlock(&pool->lock);

        job->work(job, worker);
        job->finish(job); /* the job is its owner's again and may be gone */

        pthread_mutex_lock(&pool->lock);
        pool->busy--;
        pool->done++;
    }
    pthread_mutex_unlock(&pool->lock);

    if (pool->options.worker_free != NULL)
        pool->options.worker_free(worker);
    return NULL;
}

static int start_threads(struct tg_pool *pool)
{
    for (size_t i = 0; i < pool->options.threads; i++) {
        char name[THREAD_NAME];

        snprintf(name, sizeof(name), "%s-%u", pool->name, (unsigned)i % THREADS);
        tg_try(tg_thread_start(&pool->threads[i], name, run_worker, pool));
        pool->started++;
    }
    return 0;
}

int tg_pool_new(const struct tg_pool_options *options, struct tg_pool **out)
{
    if (options->threads < 1 || options->threads > THREADS)
        return tg_fail("pool %s: %zu threads is not 1 to %d", options->name, options->threads, THREADS);

    struct tg_pool *pool = tg_alloc(sizeof(*pool));
    pool->options = *options;
    snprintf(pool->name, sizeof(pool->name), "%s", options->name);
    pool->end = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work_there, NULL);

    int result = start_threads(pool);
    if (result < 0) {
        tg_pool_free(pool);
        return result;
    }
    *out = pool;
    return 0;
}

void tg_pool_stop(struct tg_pool *pool)
{
    if (pool == NULL)
        return;

    pthread_mutex_lock(&pool->lock);
    bool is_first = !pool->stopping;
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work_there);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; is_first && i < pool->started; i++)
        pthread_join(pool->threads[i], NULL);
}

void tg_pool_free(struct tg_pool *pool)
{
    if (pool == NULL)
        return;

    tg_pool_stop(pool);
    pthread_cond_destroy(&pool->work_there);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int tg_pool_submit(struct tg_pool *pool, struct tg_job *job)
{
    pthread_mutex_lock(&pool->lock);
    size_t idle = pool->options.threads - pool->busy; /* whom a queued job need not wait for */
    bool stopping = pool->stopping;
    bool accepted = pool->queued < pool->options.queue + idle && !stopping;
    if (accepted) {
        job->next = NULL;
        *pool->end = job;
        pool->end = &job->next;
        pool->queued++;
        pthread_cond_signal(&pool->work_there);
    } else {
        pool->refused++;
    }
    pthread_mutex_unlock(&pool->lock);

    if (accepted)
        return 0;
    if (stopping)
        tg_fail("pool %s has been stopped", pool->name);
    else
        tg_fail("the queue of pool %s is full (%zu)", pool->name, pool->options.queue);
    return TG_BUSY;
}

void tg_pool_stats(struct tg_pool *pool, struct tg_pool_stats *out)
{
    pthread_mutex_lock(&pool->lock);
    *out = (struct tg_pool_stats){
        .name = pool->name,
        .threads = pool->started,
        .busy = pool->busy,
        .queued = pool->queued,
        .queue_limit = pool->options.queue,
        .done = pool->done,
        .refused = pool->refused,
    };
    pthread_mutex_unlock(&pool->lock);
}
