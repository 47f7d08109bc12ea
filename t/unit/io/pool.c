#include "scratch.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include "io/pool.h"

enum { JOBS = 1000, SENDERS = 4 };

static sem_t gate;                /* jobs that wait, wait here */
static pthread_mutex_t tally_lock = PTHREAD_MUTEX_INITIALIZER;
static int worked, finished, made, freed;
static char thread_name[16];
static int takes_faults_only;

static void tally(int *counter)
{
    pthread_mutex_lock(&tally_lock);
    ++*counter;
    pthread_mutex_unlock(&tally_lock);
}

static int read_tally(int *counter)
{
    pthread_mutex_lock(&tally_lock);
    int value = *counter;
    pthread_mutex_unlock(&tally_lock);
    return value;
}

static void *make_worker(void *context)
{
    tally(&made);
    return context;
}

static void free_worker(void *worker)
{
    assert_ptr_equal(worker, &gate);
    tally(&freed);
}

static void work(struct tg_job *job, void *worker)
{
    assert_ptr_equal(worker, &gate);
    tally(&worked);
}

static void finish(struct tg_job *job)
{
    tally(&finished);
}

static void work_and_wait(struct tg_job *job, void *worker)
{
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    pthread_mutex_lock(&tally_lock);
    pthread_getname_np(pthread_self(), thread_name, sizeof(thread_name));
    takes_faults_only = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGPIPE) && !sigismember(&mask, SIGSEGV);
    pthread_mutex_unlock(&tally_lock);
    sem_wait(&gate);
    tally(&worked);
}

static int start(void **state)
{
    sem_init(&gate, 0, 0);
    worked = finished = made = freed = 0;
    return 0;
}

static struct tg_pool *make_pool(size_t threads, size_t queue)
{
    struct tg_pool_options options = {"test", threads, queue, make_worker, free_worker, &gate};
    struct tg_pool *pool = NULL;

    assert_result(0, tg_pool_new(&options, &pool));
    return pool;
}

static void wait_until_busy(struct tg_pool *pool, size_t busy)
{
    struct tg_pool_stats stats;

    do {
        usleep(1000);
        tg_pool_stats(pool, &stats);
    } while (stats.busy != busy);
}

static void a_full_queue_refuses(void **state)
{
    struct tg_job jobs[8];
    struct tg_pool *pool = make_pool(2, 3);
    struct tg_pool_stats stats;

    for (int i = 0; i < 5; i++) { /* two for the idle threads, however late they come, and three that wait */
        jobs[i] = (struct tg_job){work_and_wait, finish};
        assert_result(0, tg_pool_submit(pool, &jobs[i]));
    }
    wait_until_busy(pool, 2);
    for (int i = 5; i < 8; i++) {
        jobs[i] = (struct tg_job){work_and_wait, finish};
        assert_result(TG_BUSY, tg_pool_submit(pool, &jobs[i]));
    }
    assert_non_null(strstr(tg_failure(), "test"));

    tg_pool_stats(pool, &stats);
    assert_string_equal(stats.name, "test");
    assert_int_equal(stats.threads, 2);
    assert_int_equal(stats.queued, 3);
    assert_int_equal(stats.queue_limit, 3);
    assert_int_equal(stats.done, 0);
    assert_int_equal(stats.refused, 3);

    for (int i = 0; i < 5; i++)
        sem_post(&gate);
    tg_pool_free(pool);
    assert_int_equal(read_tally(&worked), 5);
    assert_int_equal(read_tally(&finished), 5);
    assert_memory_equal(thread_name, "test-", 5);
    assert_true(takes_faults_only);
}

static void queued_jobs_run_before_it_goes(void **state)
{
    struct tg_job jobs[JOBS];
    struct tg_pool *pool = make_pool(3, JOBS);

    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct tg_job){work, finish};
        assert_result(0, tg_pool_submit(pool, &jobs[i]));
    }
    tg_pool_free(pool);
    assert_int_equal(read_tally(&worked), JOBS);
    assert_int_equal(read_tally(&finished), JOBS);
    assert_int_equal(read_tally(&made), 3);
    assert_int_equal(read_tally(&freed), 3);
}

static void one_that_has_been_stopped_refuses(void **state)
{
    struct tg_job jobs[2] = {{work, finish}, {work, finish}};
    struct tg_pool *pool = make_pool(1, 1);

    assert_result(0, tg_pool_submit(pool, &jobs[0]));
    tg_pool_stop(pool);
    assert_int_equal(read_tally(&finished), 1);
    assert_int_equal(read_tally(&freed), 1);
    assert_result(TG_BUSY, tg_pool_submit(pool, &jobs[1]));
    assert_non_null(strstr(tg_failure(), "stopped"));
    tg_pool_stop(pool);
    tg_pool_free(pool);
    assert_int_equal(read_tally(&worked), 1);
}

/* Jobs that free themselves: nobody touches them after finish. */
static void finish_and_free(struct tg_job *job)
{
    tally(&finished);
    free(job);
}

static void *send_jobs(void *context)
{
    for (int i = 0; i < JOBS; i++) {
        struct tg_job *job = tg_alloc(sizeof(*job));

        *job = (struct tg_job){work, finish_and_free};
        while (tg_pool_submit(context, job) == TG_BUSY)
            usleep(100);
    }
    return NULL;
}

static void many_may_submit_at_once(void **state)
{
    struct tg_pool *pool = make_pool(4, 16);
    struct tg_pool_stats stats;
    pthread_t senders[SENDERS];

    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&senders[i], NULL, send_jobs, pool), 0);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    while (read_tally(&finished) < SENDERS * JOBS)
        usleep(1000);
    wait_until_busy(pool, 0);
    tg_pool_stats(pool, &stats);
    assert_int_equal(stats.done, SENDERS * JOBS);
    tg_pool_free(pool);
}

static struct chain {
    struct tg_job job;
    struct tg_pool *pool;
    int left;
} chain;

static void submit_next(struct tg_job *job)
{
    tally(&finished);
    if (--chain.left > 0)
        assert_result(0, tg_pool_submit(chain.pool, &chain.job));
}

static void a_job_may_submit_the_next(void **state)
{
    struct tg_pool *pool = make_pool(1, 1);

    chain = (struct chain){{work, submit_next}, pool, 100};
    assert_result(0, tg_pool_submit(pool, &chain.job));
    while (read_tally(&finished) < 100)
        usleep(1000);
    tg_pool_free(pool);
}

static void impossible_sizes_are_refused(void **state)
{
    struct tg_pool_options options = {.name = "none", .threads = 0, .queue = 1};
    struct tg_pool *pool;

    assert_result(TG_FAILED, tg_pool_new(&options, &pool));
    options.threads = 65;
    assert_result(TG_FAILED, tg_pool_new(&options, &pool));
    tg_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_full_queue_refuses, start),
        cmocka_unit_test_setup(queued_jobs_run_before_it_goes, start),
        cmocka_unit_test_setup(one_that_has_been_stopped_refuses, start),
        cmocka_unit_test_setup(many_may_submit_at_once, start),
        cmocka_unit_test_setup(a_job_may_submit_the_next, start),
        cmocka_unit_test_setup(impossible_sizes_are_refused, start),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
