#include "store/doorbell.h"
#include <poll.h>
#include "base/clock.h"
#include "base/result.h"

enum {
    QUIET_MS = 1000, /* without a sound the line is tested */
    DEAF_MS = 2000,  /* without an answer it is given up */
    GAP_MS = 5,      /* between two rings that are told: a hundred changes at once are one look */
};

struct tg_button {
    struct tg_redis_link *link;
    const char *channel;
    bool armed;
};

static void on_commit(void *context)
{
    struct tg_button *button = context;
    struct tg_redis_reply reply;

    if (!button->armed)
        return;
    button->armed = false;
    tg_redis_call(button->link, TG_REDIS_COMMAND(TG_TEXT("PUBLISH"), tg_text(button->channel), TG_TEXT("")), &reply);
}

void tg_button_fit(struct tg_store *store, const struct tg_space *space, struct tg_redis_link *link)
{
    struct tg_button *button = tg_alloc(sizeof(*button));

    button->link = link;
    button->channel = space->channel;
    store->button = button;
    tg_db_on_commit(store->truth, on_commit, button);
}

void tg_button_arm(struct tg_button *button)
{
    button->armed = true;
}

struct tg_bell {
    const struct tg_space *space;
    struct tg_redis_link *link;  /* the line: subscribed, once connected */
    struct tg_redis_link *probe;
    int64_t heard_ms, tested_ms, told_ms;
};

struct tg_bell *tg_bell_new(const struct tg_space *space)
{
    struct tg_bell *bell = tg_alloc(sizeof(*bell));

    bell->space = space;
    bell->link = tg_redis_link_new(space->redis);
    bell->probe = tg_redis_link_new(space->redis);
    return bell;
}

void tg_bell_free(struct tg_bell *bell)
{
    if (bell == NULL)
        return;
    tg_redis_link_free(bell->link);
    tg_redis_link_free(bell->probe);
    free(bell);
}

/* How often this is tried is the breaker's business. */
static bool subscribe(struct tg_bell *bell)
{
    struct tg_redis_reply reply;

    if (tg_redis_call(bell->link, TG_REDIS_COMMAND(TG_TEXT("SUBSCRIBE"), tg_text(bell->space->channel)), &reply) != 0)
        return false;
    bell->heard_ms = bell->tested_ms = tg_monotonic_ms();
    return true;
}

static void test_line(struct tg_bell *bell)
{
    int64_t now_ms = tg_monotonic_ms();

    if (now_ms - bell->heard_ms >= DEAF_MS) {
        tg_redis_give_up(bell->link, "the doorbell's line is dead");
    } else if (now_ms - bell->heard_ms >= QUIET_MS && now_ms - bell->tested_ms >= QUIET_MS) {
        bell->tested_ms = now_ms;
        tg_redis_send(bell->link, TG_REDIS_COMMAND(TG_TEXT("PING")));
    }
}

/* This thread has time: that a Redis is back need not be found out by one that answers a request. */
static void probe_when_away(struct tg_bell *bell)
{
    struct tg_breaker_stats stats;
    struct tg_redis_reply reply;

    tg_redis_stats(bell->space->redis, &stats);
    if (stats.open)
        tg_redis_call(bell->probe, TG_REDIS_COMMAND(TG_TEXT("PING")), &reply);
}

/* Takes all that has come. */
static void listen_now(struct tg_bell *bell, bool *heard, bool *rung)
{
    struct tg_redis_reply reply;

    while (tg_redis_take(bell->link, &reply) == 0) {
        *heard = true;
        *rung |= reply.kind == TG_REDIS_LIST && tg_text_is(reply.text, "message");
    }
    if (*heard)
        bell->heard_ms = tg_monotonic_ms();
}

/* Without a line as with one: wake ends every pause. */
static void pause_for(int wake, int line, int64_t ms)
{
    struct pollfd fds[] = {{.fd = wake, .events = POLLIN}, {.fd = line, .events = POLLIN}};

    if (ms > 0)
        poll(fds, 2, (int)ms); /* a signal is a pause that was short */
}

int tg_bell_wait(struct tg_bell *bell, int wake, int64_t wait_ms)
{
    bool heard = false, rung = false;

    if (tg_redis_descriptor(bell->link) < 0 && subscribe(bell))
        return TG_BELL_RUNG;
    pause_for(wake, tg_redis_descriptor(bell->link), wait_ms);
    if (tg_redis_descriptor(bell->link) < 0)
        return 0;
    listen_now(bell, &heard, &rung);
    test_line(bell);
    probe_when_away(bell);
    if (heard) {
        pause_for(wake, -1, bell->told_ms + GAP_MS - tg_monotonic_ms());
        bell->told_ms = tg_monotonic_ms();
    }
    return rung ? TG_BELL_RUNG : 0;
}
