/*
 * logfile.c - rings between the loops and one thread that writes
 *
 * A ring has one producer, who moves head, and one consumer, the writer, who moves tail; both only grow, and the bytes between
 * them are whole lines, because head is published a line at a time. The producer makes no system call, so nobody wakes the
 * writer: it looks by itself, often when there is much to write.
 */
#include "io/logfile.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include "base/clock.h"
#include "base/result.h"
#include "io/thread.h"

enum { RING = 1 << 20, LINE = 16 << 10, BLOCK = 64 << 10, CACHE_LINE = 64 };
enum { LATEST_MS = 1000, LOOK_MS = 50, LOOK_BUSY_MS = 5 };

struct tg_ring {
    struct tg_ring *next; /* older ones; never changes */
    _Atomic size_t head;
    size_t tail_seen; /* the producer's: tail was at least here */
    _Atomic uint64_t dropped;
    char apart[CACHE_LINE]; /* so that producer and writer do not take a cache line from each other */
    _Atomic size_t tail;
    char bytes[RING];
};

struct tg_logfile {
    char *path;
    int fd;
    bool torn; /* the disk was full in the middle of a line */
    int64_t written_ms;
    _Atomic(struct tg_ring *) rings; /* newest first; only grows */
    _Atomic uint64_t dropped, written;

    pthread_mutex_t shared_lock; /* the producer's side of shared */
    struct tg_ring *shared;

    pthread_t writer;
    pthread_mutex_t lock; /* for the growing of rings, asked and stopping; never held while the disk works */
    pthread_cond_t asked;
    bool stopping;
    atomic_bool reopen;
};

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static void count_dropped(struct tg_logfile *file, const struct iovec *span)
{
    const char *bytes = span->iov_base;
    uint64_t lines = 0;

    for (size_t i = 0; i < span->iov_len; i++)
        lines += bytes[i] == '\n';
    atomic_fetch_add_explicit(&file->dropped, lines, memory_order_relaxed);
}

/* Appends the spans, or drops and counts what the disk does not take: to keep it would only fill the rings with old lines. */
static void write_spans(struct tg_logfile *file, struct iovec *spans, int count)
{
    if (file->torn && write(file->fd, "\n", 1) == 1) /* the next line begins at a beginning */
        file->torn = false;
    while (count > 0) {
        ssize_t n = writev(file->fd, spans, count);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        atomic_fetch_add_explicit(&file->written, (uint64_t)n, memory_order_relaxed);
        for (; count > 0 && (size_t)n >= spans->iov_len; spans++, count--)
            n -= (ssize_t)spans->iov_len;
        file->torn = count > 0;
        if (count > 0)
            *spans = (struct iovec){(char *)spans->iov_base + n, spans->iov_len - (size_t)n};
    }
    for (; count > 0; spans++, count--)
        count_dropped(file, spans);
}

static void write_ring(struct tg_logfile *file, struct tg_ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    size_t at = tail % RING;
    size_t before_end = head - tail < RING - at ? head - tail : RING - at;

    if (tail == head)
        return;
    struct iovec spans[] = {{ring->bytes + at, before_end}, {ring->bytes, head - tail - before_end}};
    write_spans(file, spans, spans[1].iov_len > 0 ? 2 : 1);
    atomic_store_explicit(&ring->tail, head, memory_order_release);
}

static void write_rings(struct tg_logfile *file)
{
    for (struct tg_ring *ring = atomic_load(&file->rings); ring != NULL; ring = ring->next)
        write_ring(file, ring);
    file->written_ms = tg_monotonic_ms();
}

static size_t waiting_bytes(struct tg_logfile *file)
{
    size_t bytes = 0;

    for (struct tg_ring *ring = atomic_load(&file->rings); ring != NULL; ring = ring->next)
        bytes += atomic_load(&ring->head) - atomic_load(&ring->tail);
    return bytes;
}

static bool is_due(struct tg_logfile *file)
{
    return waiting_bytes(file) >= BLOCK || tg_monotonic_ms() - file->written_ms >= LATEST_MS;
}

/* The old file is written to until there is a new one. */
static void open_anew(struct tg_logfile *file)
{
    int fd = open_file(file->path);

    if (fd < 0) {
        atomic_store(&file->reopen, true);
        return;
    }
    close(file->fd);
    file->fd = fd;
    file->torn = false;
}

/* With the lock held: until somebody asks for something, or for one look's time. */
static void rest(struct tg_logfile *file)
{
    int64_t pause_ms = waiting_bytes(file) >= BLOCK / 4 ? LOOK_BUSY_MS : LOOK_MS;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += pause_ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&file->asked, &file->lock, &until);
}

static void *run_writer(void *argument)
{
    struct tg_logfile *file = argument;

    pthread_mutex_lock(&file->lock);
    while (!file->stopping) {
        rest(file);
        pthread_mutex_unlock(&file->lock);
        if (atomic_exchange(&file->reopen, false))
            open_anew(file);
        if (is_due(file))
            write_rings(file);
        pthread_mutex_lock(&file->lock);
    }
    pthread_mutex_unlock(&file->lock);
    write_rings(file);
    return NULL;
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void free_file(struct tg_logfile *file)
{
    for (struct tg_ring *ring = atomic_load(&file->rings), *next; ring != NULL; ring = next) {
        next = ring->next;
        free(ring);
    }
    pthread_cond_destroy(&file->asked);
    pthread_mutex_destroy(&file->lock);
    pthread_mutex_destroy(&file->shared_lock);
    close(file->fd);
    free(file->path);
    free(file);
}

int tg_logfile_new(const char *path, struct tg_logfile **out)
{
    int fd = open_file(path);

    if (fd < 0)
        return tg_fail_errno("cannot open log file %s", path);

    struct tg_logfile *file = tg_alloc(sizeof(*file));
    file->path = tg_strdup(path);
    file->fd = fd;
    file->written_ms = tg_monotonic_ms();
    pthread_mutex_init(&file->shared_lock, NULL);
    pthread_mutex_init(&file->lock, NULL);
    init_condition(&file->asked);
    file->shared = tg_logfile_ring(file);

    int result = tg_thread_start(&file->writer, "log-writer", run_writer, file);
    if (result < 0) {
        free_file(file);
        return result;
    }
    *out = file;
    return 0;
}

void tg_logfile_free(struct tg_logfile *file)
{
    if (file == NULL)
        return;
    pthread_mutex_lock(&file->lock);
    file->stopping = true;
    pthread_cond_signal(&file->asked);
    pthread_mutex_unlock(&file->lock);
    pthread_join(file->writer, NULL);
    free_file(file);
}

void tg_logfile_reopen(struct tg_logfile *file)
{
    atomic_store(&file->reopen, true);
    pthread_mutex_lock(&file->lock);
    pthread_cond_signal(&file->asked);
    pthread_mutex_unlock(&file->lock);
}

struct tg_ring *tg_logfile_ring(struct tg_logfile *file)
{
    struct tg_ring *ring = tg_alloc(sizeof(*ring));

    pthread_mutex_lock(&file->lock);
    ring->next = atomic_load(&file->rings);
    atomic_store(&file->rings, ring);
    pthread_mutex_unlock(&file->lock);
    return ring;
}

void tg_ring_put(struct tg_ring *ring, const char *line, size_t len)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    if (RING - (head - ring->tail_seen) < len)
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    if (len > LINE || RING - (head - ring->tail_seen) < len) {
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return;
    }

    size_t at = head % RING;
    size_t before_end = len < RING - at ? len : RING - at;
    memcpy(ring->bytes + at, line, before_end);
    memcpy(ring->bytes, line + before_end, len - before_end);
    atomic_store_explicit(&ring->head, head + len, memory_order_release);
}

void tg_logfile_put(struct tg_logfile *file, const char *line, size_t len)
{
    pthread_mutex_lock(&file->shared_lock);
    tg_ring_put(file->shared, line, len);
    pthread_mutex_unlock(&file->shared_lock);
}

uint64_t tg_logfile_dropped(struct tg_logfile *file)
{
    uint64_t dropped = atomic_load_explicit(&file->dropped, memory_order_relaxed);

    for (struct tg_ring *ring = atomic_load(&file->rings); ring != NULL; ring = ring->next)
        dropped += atomic_load_explicit(&ring->dropped, memory_order_relaxed);
    return dropped;
}

uint64_t tg_logfile_written(struct tg_logfile *file)
{
    return atomic_load_explicit(&file->written, memory_order_relaxed);
}
