#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "http/server_parts.h"

/*
 * Clients that use up memory, by answers that they do not take. Those that do nothing at all are in server_crowd.c.
 *
 * What a visit holds on behalf of its client is told by tg_visit_hold. Beyond the loop's share of limits.max-held the connections go
 * that hold most and move least; an honest one that is slow moves all the time.
 */

enum {
    VISIT_BYTES = 8192,      /* what a request takes at the least */
    WAITING_BYTES = 12288,   /* and one that waits for its answer: its client can take nothing yet */
    FEW_BYTES = 64 * 1024,   /* of some such requests; hundreds of them are no excuse */
    LOOKED_AT = 32 * 1024,   /* a connection that holds less is not asked how much of it the kernel has sent */
    MOVES = 1024,            /* bytes that count as progress */
    STALLED_MS = 1000,
    RELIEF_PAUSE_MS = 50,
    READ_BYTES = 60 * 1024,  /* in one turn of the loop, of each socket: a buffer of 64 KiB goes on when it is full, and never grows */
    TIGHT_READ_BYTES = 16000,
    HEADS_BYTES = 1 << 20,   /* of all requests under way of one connection */
};

/* Bytes that have come, and that the client has taken. */
static size_t moved_bytes(const struct tg_connection *connection)
{
    const h2o_socket_t *sock = connection->sock;
    int waiting = 0;

    if (connection->held >= LOOKED_AT && ioctl(h2o_socket_get_fd(connection->sock), SIOCOUTQ, &waiting) != 0)
        waiting = 0;
    return sock->bytes_read + sock->bytes_written - (size_t)waiting;
}

void tg_connection_note_progress(struct tg_connection *connection, uint64_t now_ms)
{
    size_t moved = moved_bytes(connection);

    if (connection->visits > 0 && connection->moved_ms != 0 && moved >= connection->moved && moved - connection->moved < MOVES)
        return;
    connection->moved = moved;
    connection->moved_ms = now_ms;
}

uint64_t tg_visit_stalled_ms(struct tg_visit *visit)
{
    struct tg_connection *connection = visit->connection;
    uint64_t now_ms = h2o_now(visit->loop->context.loop);

    tg_connection_note_progress(connection, now_ms);
    return now_ms - connection->moved_ms;
}

/* Both protocols see the end in one of the loop's next turns; what the kernel has not sent is dropped. */
void tg_connection_cut(struct tg_connection *connection, enum tg_attack attack)
{
    struct linger at_once = {1, 0};

    if (connection->is_cut)
        return;
    connection->is_cut = true;
    tg_guard_report(connection->loop, &connection->peer, attack);
    setsockopt(h2o_socket_get_fd(connection->sock), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR);
}

void tg_visit_cut_hoarder(struct tg_visit *visit)
{
    tg_connection_cut(visit->connection, TG_ATTACK_HOARDING);
}

size_t *tg_visit_tally(struct tg_visit *visit)
{
    return &visit->connection->tally;
}

/* Who holds most and moves least; NULL: nobody that may be cut. */
static struct tg_connection *worst_of(struct tg_loop_own *own, uint64_t now_ms, bool is_urgent)
{
    struct tg_connection *worst = NULL;
    uint64_t most = 0;

    for (h2o_linklist_t *node = own->connections.next; node != &own->connections; node = node->next) {
        struct tg_connection *connection = H2O_STRUCT_FROM_MEMBER(struct tg_connection, all, node);
        uint64_t stalled_ms = now_ms - connection->moved_ms, score = connection->held * (stalled_ms + 100);

        bool only_waits = connection->held <= connection->visits * WAITING_BYTES && connection->held < FEW_BYTES;

        if (connection->is_cut || score <= most || only_waits)
            continue;
        if (!is_urgent && stalled_ms < STALLED_MS && connection->held < own->held_limit / 16)
            continue;
        most = score;
        worst = connection;
    }
    return worst;
}

static size_t held_by_those_that_stay(struct tg_loop_own *own, uint64_t now_ms)
{
    size_t held = 0;

    for (h2o_linklist_t *node = own->connections.next; node != &own->connections; node = node->next) {
        struct tg_connection *connection = H2O_STRUCT_FROM_MEMBER(struct tg_connection, all, node);

        tg_connection_note_progress(connection, now_ms);
        held += connection->is_cut ? 0 : connection->held;
    }
    return held;
}

static void on_relief(h2o_timeout_entry_t *entry)
{
    struct tg_loop_own *own = H2O_STRUCT_FROM_MEMBER(struct tg_loop_own, relief, entry);
    uint64_t now_ms = h2o_now(own->loop->context.loop);
    size_t held = held_by_those_that_stay(own, now_ms);
    struct tg_connection *worst;

    own->relieved_ms = now_ms;
    while (held > own->held_limit - own->held_limit / 4) {
        worst = worst_of(own, now_ms, held > own->held_limit + own->held_limit / 4);
        if (worst == NULL)
            return;
        held -= worst->held;
        tg_connection_cut(worst, TG_ATTACK_HOARDING);
    }
}

static void look_for_relief(struct tg_server_loop *loop)
{
    struct tg_loop_own *own = loop->own;
    bool is_urgent = own->held > own->held_limit + own->held_limit / 4;

    if (h2o_timeout_is_linked(&own->relief) || (!is_urgent && h2o_now(loop->context.loop) - own->relieved_ms < RELIEF_PAUSE_MS))
        return;
    own->relief.cb = on_relief;
    h2o_timeout_link(loop->context.loop, &loop->context.zero_timeout, &own->relief);
}

/* Long before anybody is cut off, less is read at a time: slower for all, but the more of them can be served. */
static void set_tight(struct tg_loop_own *own, bool is_tight)
{
    own->is_tight = is_tight;
    h2o_socket_max_bytes_per_read = is_tight ? TIGHT_READ_BYTES : READ_BYTES;
}

void tg_server_set_reading(struct tg_server_loop *loop)
{
    set_tight(loop->own, loop->own->is_tight);
}

static void change_held(struct tg_visit *visit, size_t bytes)
{
    struct tg_loop_own *own = visit->loop->own;
    bool is_tight;

    visit->connection->held += bytes - visit->held;
    own->held += bytes - visit->held;
    visit->held = bytes;
    tg_metric_set(&visit->loop->metrics->held, own->held);
    is_tight = own->held > own->held_limit - own->held_limit / 4;
    if (is_tight != own->is_tight)
        set_tight(own, is_tight);
    if (own->held > own->held_limit)
        look_for_relief(visit->loop);
}

bool tg_visit_is_tight(const struct tg_visit *visit)
{
    return visit->loop->own->is_tight;
}

void tg_visit_hold(struct tg_visit *visit, size_t bytes)
{
    change_held(visit, bytes + VISIT_BYTES);
}

void tg_visit_tell_head(struct tg_visit *visit, size_t bytes)
{
    struct tg_connection *connection = visit->connection;

    visit->head_bytes = bytes;
    connection->head_bytes += bytes;
    if (connection->head_bytes > HEADS_BYTES)
        tg_connection_cut(connection, TG_ATTACK_HEADERS);
}

void tg_visit_hold_nothing(struct tg_visit *visit)
{
    visit->connection->head_bytes -= visit->head_bytes;
    change_held(visit, 0);
}
