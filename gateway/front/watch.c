/*
 * watch.c - follows the table of changes and tells the cache and the loops
 *
 * Looks four times a second or more often, and at once when the doorbell rings. When rows are missing, every cached fact is dropped at
 * once. While the database cannot be read, facts known to be good stay good for a while (nothing that was last known blocked opens by
 * that), then they are dropped, too. The workers' cache is trusted no longer than this keeps looking.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "front/resolver.h"
#include "io/thread.h"
#include "store/clock.h"
#include "store/doorbell.h"

enum { POLL_MS = 200, BATCH = 256, BLIND_MS = 60 * 1000, TRUST_MS = 1000 };

struct watcher {
    struct tg_front *front;
    struct tg_store store;
    struct tg_bell *bell;    /* NULL: no Redis */
    bool opened;
    int64_t last;            /* the number seen last */
    int64_t blind_since_ms;  /* 0: not */
    bool dropped;            /* since it is blind */
};

struct news_message {
    struct tg_message message;
    struct tg_front_loop *part;
    struct tg_change_news news;
    struct tg_change changes[];
};

static void on_news(struct tg_message *message)
{
    struct news_message *told = H2O_STRUCT_FROM_MEMBER(struct news_message, message, message);

    tg_facts_news(told->part, &told->news);
    free(told);
}

static struct tg_message *make_message(void *context, struct tg_server_loop *loop)
{
    const struct tg_change_news *news = context;
    struct news_message *told = tg_alloc(sizeof(*told) + news->count * sizeof(*told->changes));

    told->message.run = on_news;
    told->part = loop->parts[TG_FRONT_PART];
    told->news = *news;
    told->news.changes = told->changes;
    if (news->count != 0)
        memcpy(told->changes, news->changes, news->count * sizeof(*told->changes));
    return &told->message;
}

/* The cache first: what a loop has dropped it asks of the workers. */
static void tell(struct watcher *watcher, struct tg_change_news news)
{
    struct tg_cache *cache = watcher->front->options.cache;

    if (cache != NULL && news.drop_all)
        tg_cache_forget(cache, news.last);
    else if (cache != NULL)
        tg_cache_news(cache, news.changes, news.count, news.last);
    tg_server_broadcast(watcher->front->watch.server, make_message, &news);
}

/* From where the table is now: what was missed may have been about anything. */
static int start_over(struct watcher *watcher)
{
    tg_try(tg_change_last(&watcher->store, &watcher->last));
    tg_try(tg_clock_follow(&watcher->store));
    tell(watcher, (struct tg_change_news){.last = watcher->last, .drop_all = true});
    return 0;
}

static int follow_clock(struct watcher *watcher, const struct tg_change *changes, size_t count)
{
    bool is_news = false;

    for (size_t i = 0; i < count; i++)
        is_news = is_news || changes[i].kind == TG_CHANGE_CLOCK;
    return is_news ? tg_clock_follow(&watcher->store) : 0;
}

static int begin(struct watcher *watcher)
{
    int result = tg_store_open(watcher->front->options.state_directory, &watcher->store);

    if (result != 0)
        return result < 0 ? result : tg_fail("the databases are not this program's");
    watcher->opened = true;
    return start_over(watcher);
}

static int look(struct watcher *watcher)
{
    struct tg_change changes[BATCH];
    size_t count = BATCH;

    if (!watcher->opened)
        return begin(watcher);
    while (count == BATCH) {
        if (tg_try(tg_change_after(&watcher->store, watcher->last, changes, BATCH, &count)) > 0)
            return start_over(watcher);
        if (count == 0)
            return 0;
        tg_try(follow_clock(watcher, changes, count));
        watcher->last = changes[count - 1].number;
        tell(watcher, (struct tg_change_news){.changes = changes, .count = count, .last = watcher->last});
    }
    return 0;
}

static void trust_cache(struct watcher *watcher)
{
    if (watcher->front->options.cache != NULL)
        tg_cache_trust(watcher->front->options.cache, tg_monotonic_ms() + TRUST_MS);
}

static void on_failure(struct watcher *watcher)
{
    int64_t now = tg_monotonic_ms();

    if (watcher->blind_since_ms == 0) {
        watcher->blind_since_ms = now;
        tg_log(TG_LOG_ERROR, "changes-unread", "why", tg_failure(), "do", "look at the database; accounts stay as they were for a minute",
               NULL);
    }
    if (!watcher->dropped && now - watcher->blind_since_ms >= BLIND_MS) {
        watcher->dropped = true;
        tell(watcher, (struct tg_change_news){.last = watcher->last, .drop_all = true});
    }
    if (!watcher->dropped && watcher->last != 0)
        trust_cache(watcher);
    if (watcher->opened) { /* a new connection may see more */
        tg_store_close(&watcher->store);
        watcher->opened = false;
    }
}

static void on_success(struct watcher *watcher)
{
    if (watcher->blind_since_ms != 0)
        tg_log(TG_LOG_INFO, "changes-read-again", NULL);
    watcher->blind_since_ms = 0;
    watcher->dropped = false;
    trust_cache(watcher);
}

static bool is_over(int wake)
{
    struct pollfd fd = {.fd = wake, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

static void pause_for(struct watcher *watcher, int64_t ms)
{
    struct pollfd fd = {.fd = watcher->front->watch.wake, .events = POLLIN};

    if (watcher->bell != NULL)
        tg_bell_wait(watcher->bell, fd.fd, ms);
    else
        poll(&fd, 1, (int)ms);
}

static void *run(void *context)
{
    struct tg_front *front = context;
    struct watcher watcher = {.front = front};

    if (front->options.cache != NULL && tg_cache_space(front->options.cache) != NULL)
        watcher.bell = tg_bell_new(tg_cache_space(front->options.cache));
    do {
        if (look(&watcher) < 0)
            on_failure(&watcher);
        else
            on_success(&watcher);
        pause_for(&watcher, POLL_MS);
    } while (!is_over(front->watch.wake));
    if (watcher.opened)
        tg_store_close(&watcher.store);
    tg_bell_free(watcher.bell);
    return NULL;
}

int tg_front_watch_start(struct tg_front *front, struct tg_server *server)
{
    struct tg_watch *watch = &front->watch;
    int result;

    watch->server = server;
    if ((watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        return tg_fail_errno("no descriptor for following changes");
    if ((result = tg_thread_start(&watch->thread, "changes", run, front)) < 0) {
        close(watch->wake);
        return result;
    }
    watch->runs = true;
    return 0;
}

void tg_front_watch_stop(struct tg_front *front)
{
    struct tg_watch *watch = &front->watch;

    if (!watch->runs)
        return;
    eventfd_write(watch->wake, 1);
    pthread_join(watch->thread, NULL);
    close(watch->wake);
    watch->runs = false;
}
