#include "io/loop.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "base/result.h"
#include "io/thread.h"

enum { TICK_MS = 100, TICKS_A_WINDOW = 50 };

struct tg_loop {
    size_t index;
    h2o_loop_t *h2o;
    pthread_t thread;
    bool is_running;
    _Atomic bool is_stopping;

    _Atomic(struct tg_message *) inbox; /* newest first */
    int bell;                           /* an eventfd, owned by bell_socket */
    h2o_socket_t *bell_socket;

    h2o_timeout_t tick_timeout;
    h2o_timeout_entry_t tick;
    uint64_t due_us;
    unsigned ticks;
    _Atomic uint64_t lag_us, lag_us_before, turns; /* of this window and the one before */
};

static uint64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t load(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void store(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static void arm_tick(struct tg_loop *loop)
{
    loop->due_us = monotonic_us() + TICK_MS * 1000;
    h2o_timeout_link(loop->h2o, &loop->tick_timeout, &loop->tick);
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    struct tg_loop *loop = H2O_STRUCT_FROM_MEMBER(struct tg_loop, tick, entry);
    uint64_t now_us = monotonic_us(), lag_us = now_us > loop->due_us ? now_us - loop->due_us : 0;

    if (++loop->ticks % TICKS_A_WINDOW == 0) {
        store(&loop->lag_us_before, load(&loop->lag_us));
        store(&loop->lag_us, 0);
    }
    if (lag_us > load(&loop->lag_us))
        store(&loop->lag_us, lag_us);
    arm_tick(loop);
}

/* Takes all messages there are and runs them, oldest first. */
static void run_messages(struct tg_loop *loop)
{
    struct tg_message *newest = atomic_exchange_explicit(&loop->inbox, NULL, memory_order_acquire), *oldest = NULL;

    while (newest != NULL) {
        struct tg_message *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct tg_message *message = oldest;

        oldest = message->next;
        message->run(message);
    }
}

static void on_bell(h2o_socket_t *sock, const char *err)
{
    struct tg_loop *loop = sock->data;
    uint64_t rung;

    /* emptied before the inbox is looked at, so that no ring is lost */
    if (read(loop->bell, &rung, sizeof(rung)) < 0)
        return;
    run_messages(loop);
}

static void ring(struct tg_loop *loop)
{
    uint64_t one = 1;

    /* fails only when the counter is full, and then it rings already */
    if (write(loop->bell, &one, sizeof(one)) < 0)
        return;
}

int tg_loop_new(size_t index, struct tg_loop **out)
{
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (bell < 0)
        return tg_fail_errno("cannot make an event loop");

    struct tg_loop *loop = tg_alloc(sizeof(*loop));
    loop->index = index;
    loop->h2o = h2o_evloop_create();
    loop->bell = bell;
    loop->bell_socket = h2o_evloop_socket_create(loop->h2o, bell, H2O_SOCKET_FLAG_DONT_READ);
    loop->bell_socket->data = loop;
    h2o_socket_read_start(loop->bell_socket, on_bell);
    h2o_timeout_init(loop->h2o, &loop->tick_timeout, TICK_MS);
    loop->tick.cb = on_tick;
    *out = loop;
    return 0;
}

void tg_loop_free(struct tg_loop *loop)
{
    if (loop == NULL)
        return;
    h2o_socket_close(loop->bell_socket);
    h2o_timeout_unlink(&loop->tick);
    h2o_timeout_dispose(loop->h2o, &loop->tick_timeout);
    h2o_evloop_destroy(loop->h2o);
    free(loop);
}

h2o_loop_t *tg_loop_h2o(struct tg_loop *loop)
{
    return loop->h2o;
}

size_t tg_loop_index(const struct tg_loop *loop)
{
    return loop->index;
}

static void *run_loop(void *argument)
{
    struct tg_loop *loop = argument;

    arm_tick(loop);
    while (!atomic_load_explicit(&loop->is_stopping, memory_order_acquire)) {
        h2o_evloop_run(loop->h2o, INT32_MAX);
        store(&loop->turns, load(&loop->turns) + 1);
    }
    return NULL;
}

int tg_loop_start(struct tg_loop *loop)
{
    char name[16];

    snprintf(name, sizeof(name), "loop-%u", (unsigned)loop->index % 1000);
    tg_try(tg_thread_start(&loop->thread, name, run_loop, loop));
    loop->is_running = true;
    return 0;
}

void tg_loop_stop(struct tg_loop *loop)
{
    atomic_store_explicit(&loop->is_stopping, true, memory_order_release);
    ring(loop);
}

void tg_loop_join(struct tg_loop *loop)
{
    if (loop->is_running)
        pthread_join(loop->thread, NULL);
    loop->is_running = false;
    run_messages(loop);
}

void tg_loop_send(struct tg_loop *loop, struct tg_message *message)
{
    struct tg_message *newest = atomic_load_explicit(&loop->inbox, memory_order_relaxed);

    do
        message->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&loop->inbox, &newest, message, memory_order_release, memory_order_relaxed));
    if (newest == NULL) /* otherwise somebody rang already */
        ring(loop);
}

void tg_loop_stats(struct tg_loop *loop, struct tg_loop_stats *out)
{
    uint64_t now = load(&loop->lag_us), before = load(&loop->lag_us_before);

    out->lag_us_max = now > before ? now : before;
    out->turns = load(&loop->turns);
}
