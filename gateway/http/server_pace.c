#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "http/server_parts.h"
/* does not stand alone */
#include <h2o/http2.h>

/* Twice a second a loop looks at what each of its connections waits for, and ends those whose client lets it wait too long. One place for
   all deadlines, without a timer for each request; and libh2o's own know one value for all listeners. */

enum { LOOK_AFTER_US = 300000, LONGEST_STEP_MS = 1000, GO_AWAY_MS = 1000, LARGEST_FRAME = 16384, MANY_STREAMS = 8 };

static uint64_t ms(int64_t seconds)
{
    return (uint64_t)seconds * 1000;
}

static bool is_spoken(const struct tg_connection *connection)
{
    return connection->protocol != TG_PROTOCOL_HANDSHAKE;
}

/* Whoever is waited for has so much time; bytes give it back, as many as `rate` of them a second, or all of it when there is no rate. So a
   pause is no offence, going on at less than the rate is. false: the time is used up. */
static bool keeps_pace(struct tg_pace *pace, uint64_t bytes, uint64_t elapsed_ms, uint64_t limit_ms, int64_t rate)
{
    uint64_t progress = bytes > pace->bytes ? bytes - pace->bytes : 0;

    pace->bytes = bytes;
    if (!pace->is_running) {
        pace->is_running = true;
        pace->left_ms = limit_ms;
        return true;
    }
    uint64_t regained = rate > 0 ? progress * 1000 / (uint64_t)rate : progress > 0 ? limit_ms : 0;
    uint64_t left = pace->left_ms + regained;
    if (left > limit_ms + elapsed_ms)
        left = limit_ms + elapsed_ms;
    pace->left_ms = left > elapsed_ms ? left - elapsed_ms : 0;
    return pace->left_ms > 0;
}

/* The rate is a client's: several that are waited for on one connection share it. */
static int64_t share_of(int64_t rate, unsigned sharers)
{
    int64_t share = sharers > 1 ? rate / sharers : rate;

    return rate > 0 && share == 0 ? 1 : share;
}

static bool waits_for_body(const h2o_req_t *req)
{
    const h2o_body_t *body = req->body;

    if (body == NULL || !body->opened || body->ended || body->failed || body->unacked >= body->window)
        return false;
    return body->_is_blocked == NULL || !body->_is_blocked((h2o_req_t *)req);
}

static bool keeps_uploading(struct tg_visit *visit, uint64_t elapsed_ms)
{
    struct tg_connection *connection = visit->connection;
    const struct tg_connection_limits *limits = connection->limits;

    if (!waits_for_body(visit->req)) {
        visit->upload.is_running = false;
        return true;
    }
    connection->now.uploads++;
    size_t part = connection->protocol == TG_PROTOCOL_HTTP2 ? connection->sock->input->size : 0; /* of a frame */
    return keeps_pace(&visit->upload, visit->req->body->received + part, elapsed_ms, ms(limits->body_idle_s),
                      share_of(limits->min_rate, connection->before.uploads));
}

/* A stream of HTTP/2 has a window of its own. */
static bool keeps_taking(struct tg_visit *visit, uint64_t elapsed_ms)
{
    struct tg_connection *connection = visit->connection;
    const struct tg_connection_limits *limits = connection->limits;
    int wait = connection->protocol == TG_PROTOCOL_HTTP2 ? h2o_http2_get_wait(visit->req) : H2O_HTTP2_WAITS_FOR_NOTHING;

    connection->now.is_shut |= wait == H2O_HTTP2_WAITS_FOR_CONNECTION;
    if (wait != H2O_HTTP2_WAITS_FOR_STREAM) {
        visit->download.is_running = false;
        return true;
    }
    connection->now.shut_streams++;
    return keeps_pace(&visit->download, visit->req->bytes_sent, elapsed_ms, ms(limits->write_stall_s),
                      share_of(limits->min_rate, connection->before.shut_streams));
}

static void move_to(h2o_linklist_t *list, struct tg_visit *visit)
{
    h2o_linklist_unlink(&visit->watched);
    h2o_linklist_insert(list, &visit->watched);
}

struct slow {
    h2o_linklist_t uploads, streams; /* visits */
};

static void look_at_visits(h2o_linklist_t *visits, uint64_t elapsed_ms, struct slow *slow)
{
    uint64_t oldest_us = tg_monotonic_us() - LOOK_AFTER_US;
    h2o_linklist_t *next;

    for (h2o_linklist_t *node = visits->next; node != visits; node = next) {
        struct tg_visit *visit = H2O_STRUCT_FROM_MEMBER(struct tg_visit, watched, node);

        next = node->next;
        if (visit->started_us > oldest_us)
            return; /* the list is in the order of arrival */
        if (!keeps_uploading(visit, elapsed_ms))
            move_to(&slow->uploads, visit);
        else if (!keeps_taking(visit, elapsed_ms))
            move_to(&slow->streams, visit);
    }
}

/* Ending one visit may dispose of others: only the heads of the lists are looked at. Who is told that the upload took too long has to take
   that answer, too, and is watched on, before those that have come later. */
static void end_visits(struct tg_loop_own *own, struct slow *slow)
{
    while (!h2o_linklist_is_empty(&slow->uploads)) {
        struct tg_visit *visit = H2O_STRUCT_FROM_MEMBER(struct tg_visit, watched, slow->uploads.next);

        move_to(own->watched.next, visit);
        h2o_body__abort(visit->req);
        visit->req->body->_cb(visit->req, H2O_BODY_TIMEOUT);
    }
    while (!h2o_linklist_is_empty(&slow->streams)) {
        struct tg_visit *visit = H2O_STRUCT_FROM_MEMBER(struct tg_visit, watched, slow->streams.next);

        h2o_linklist_unlink(&visit->watched);
        if (visit->connection->before.shut_streams >= MANY_STREAMS) { /* no slow client: one that collects answers */
            tg_connection_cut(visit->connection, TG_ATTACK_SLOW_READ);
            continue;
        }
        tg_guard_report_visit(visit, TG_ATTACK_SLOW_READ);
        h2o_http2_cancel(visit->req, H2O_HTTP2_ERROR_CANCEL);
    }
}

/* What the client's kernel has taken: the only measure that is exact while our own buffers are full. */
static bool read_acked(const struct tg_connection *connection, uint64_t *bytes)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    if (getsockopt(h2o_socket_get_fd(connection->sock), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return false; /* a unix socket */
    *bytes = info.tcpi_bytes_acked;
    return len >= offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked);
}

static bool keeps_reading(struct tg_connection *connection, bool is_shut, uint64_t elapsed_ms)
{
    uint64_t limit_ms = ms(connection->limits->write_stall_s), bytes;
    int64_t rate = connection->limits->min_rate;

    if (h2o_socket_is_writing(connection->sock) && read_acked(connection, &bytes)) {
        if (!keeps_pace(&connection->sending, bytes, elapsed_ms, limit_ms, rate))
            return false;
    } else {
        connection->sending.is_running = false;
    }
    if (!is_shut) {
        connection->opening.is_running = false;
        return true;
    }
    bytes = h2o_http2_get_bytes_sent(connection->sock->data);
    return keeps_pace(&connection->opening, bytes, elapsed_ms, limit_ms, rate);
}

/* Since when a head has been incomplete. */
static uint64_t slow_ms(const struct tg_connection *connection, uint64_t now)
{
    return connection->head_since_ms == 0 ? 0 : now - connection->head_since_ms;
}

/* Of HTTP/2, libh2o knows since when a frame or a block of frames has been incomplete. A body's frame may come as slowly as a body may. */
static bool has_slow_frame(struct tg_connection *connection, uint64_t now, enum tg_attack *attack)
{
    const struct tg_connection_limits *limits = connection->limits;
    int is_body;
    uint64_t since = h2o_http2_partial_since(connection->sock, &is_body), limit_ms = ms(limits->head_timeout_s);

    connection->head_since_ms = is_body ? 0 : since;
    *attack = is_body ? TG_ATTACK_SLOW_BODY : TG_ATTACK_SLOW_HEAD;
    if (is_body)
        limit_ms = ms(limits->body_idle_s) + (limits->min_rate > 0 ? ms(LARGEST_FRAME) / (uint64_t)limits->min_rate : 0);
    return since != 0 && now - since > limit_ms;
}

/* Of HTTP/1, it lies there from one look to another, and no request has come meanwhile. */
static bool has_slow_head(struct tg_connection *connection, uint64_t now)
{
    if (connection->visits > 0 || connection->sock->input->size == 0) {
        connection->head_since_ms = 0;
    } else if (connection->head_since_ms == 0 || connection->requests != connection->requests_before) {
        connection->head_since_ms = now;
        connection->requests_before = connection->requests;
    }
    return slow_ms(connection, now) > ms(connection->limits->head_timeout_s);
}

static bool is_slow(struct tg_connection *connection, uint64_t now, enum tg_attack *attack)
{
    *attack = TG_ATTACK_SLOW_HEAD;
    return connection->protocol == TG_PROTOCOL_HTTP2 ? has_slow_frame(connection, now, attack) : has_slow_head(connection, now);
}

bool tg_connection_was_slow(const struct tg_connection *connection)
{
    return !connection->is_cut && slow_ms(connection, h2o_now(connection->loop->context.loop)) + 2 * TG_WATCH_MS > ms(connection->limits->head_timeout_s);
}

static bool is_readable(h2o_socket_t *sock)
{
    struct pollfd polled = {h2o_socket_get_fd(sock), POLLIN, 0};

    return sock->input->size > 0 || poll(&polled, 1, 0) > 0;
}

static bool is_idle(const struct tg_connection *connection)
{
    return connection->visits == 0 && connection->head_since_ms == 0;
}

/* When a client of HTTP/2 that takes its last answer has last been heard of: it opens windows, or the kernel gets rid of something. */
static uint64_t heard_of(struct tg_connection *connection, uint64_t now)
{
    int unsent = 0;

    if (connection->protocol != TG_PROTOCOL_HTTP2)
        return 0;
    ioctl(h2o_socket_get_fd(connection->sock), SIOCOUTQ, &unsent);
    if (unsent < connection->unsent || connection->sock->bytes_read != connection->bytes_read) {
        connection->bytes_read = connection->sock->bytes_read;
        connection->heard_ms = now;
    }
    connection->unsent = unsent;
    return connection->heard_ms;
}

/* A client that has not sent a request for a while after it was told to go, or ought to have been, is let go. */
static bool is_done(struct tg_connection *connection, uint64_t now)
{
    uint64_t draining = connection->loop->own->draining_since_ms, heard_ms;
    uint64_t since = draining != 0 ? draining : connection->leaving_since_ms;

    if (since == 0 || !is_idle(connection))
        return false;
    if (connection->idle_since_ms > since)
        since = connection->idle_since_ms;
    if ((heard_ms = heard_of(connection, now)) > since)
        since = heard_ms;
    return now - since >= TG_IDLE_CLOSE_MS && !is_readable(connection->sock);
}

/* The first request of HTTP/1 is as good as begun; HTTP/2 is opened long before it is used. */
static bool is_too_long_idle(const struct tg_connection *connection, uint64_t now)
{
    bool is_new = connection->requests == 0 && connection->protocol == TG_PROTOCOL_HTTP1;
    int64_t limit_s = is_new ? connection->limits->head_timeout_s : connection->limits->keepalive_s;

    return is_idle(connection) && now - connection->idle_since_ms > ms(limit_s);
}

static bool is_used_up(const struct tg_connection *connection, uint64_t now)
{
    const struct tg_connection_limits *limits = connection->limits;

    return (limits->max_age_s > 0 && now - connection->since_ms > ms(limits->max_age_s)) ||
           (limits->max_requests > 0 && connection->requests >= (uint64_t)limits->max_requests);
}

/* HTTP/1: the next answer says so (visit.c). HTTP/2: two GOAWAYs, the second when the first has had time to arrive. */
static void leave(struct tg_connection *connection, uint64_t now)
{
    bool is_told = connection->leaving_since_ms != 0;

    if (!is_told)
        connection->leaving_since_ms = now;
    if (connection->protocol == TG_PROTOCOL_HTTP2 && (!is_told || now - connection->leaving_since_ms >= GO_AWAY_MS))
        h2o_http2_go_away(connection->sock->data, is_told); /* may close it */
}

static enum tg_connection_state state_of(const struct tg_connection *connection, const struct tg_client_turns *turns)
{
    if (!is_spoken(connection))
        return TG_STATE_HANDSHAKE;
    if (connection->visits == 0)
        return connection->head_since_ms != 0 ? TG_STATE_HEAD : TG_STATE_IDLE;
    if (h2o_socket_is_writing(connection->sock) || turns->is_shut || turns->shut_streams > 0)
        return TG_STATE_WRITING;
    return turns->uploads > 0 ? TG_STATE_BODY : TG_STATE_UPSTREAM;
}

/* The connection may be gone afterwards. */
static void look_at_connection(struct tg_connection *connection, bool is_shut, uint64_t now, uint64_t elapsed_ms)
{
    enum tg_attack attack;

    tg_connection_weigh(connection);
    if (connection->is_cut)
        return;
    if (!is_spoken(connection)) {
        if (now - connection->since_ms > ms(connection->limits->handshake_s))
            tg_connection_time_out(connection);
        return;
    }
    tg_connection_note_progress(connection, now);
    if (!keeps_reading(connection, is_shut, elapsed_ms)) {
        tg_connection_cut(connection, TG_ATTACK_SLOW_READ);
    } else if (is_slow(connection, now, &attack)) {
        tg_connection_cut(connection, attack);
    } else if (is_done(connection, now)) {
        shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR); /* both protocols read then, so they see the end and close */
    } else if (is_too_long_idle(connection, now)) {
        if (connection->protocol == TG_PROTOCOL_HTTP2)
            leave(connection, now);
        else if (!is_readable(connection->sock))
            shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR);
    } else if (connection->leaving_since_ms != 0 || is_used_up(connection, now)) {
        leave(connection, now);
    }
}

void tg_server_pace(struct tg_server_loop *loop)
{
    struct tg_loop_own *own = loop->own;
    uint64_t now = h2o_now(loop->context.loop), elapsed_ms = now - own->paced_ms;
    size_t states[TG_STATES] = {0};
    struct slow slow;
    h2o_linklist_t *next;

    if (elapsed_ms > LONGEST_STEP_MS) /* that was our own fault */
        elapsed_ms = LONGEST_STEP_MS;
    own->paced_ms = now;
    h2o_linklist_init_anchor(&slow.uploads);
    h2o_linklist_init_anchor(&slow.streams);
    look_at_visits(&own->watched, elapsed_ms, &slow);
    look_at_visits(&own->streams, elapsed_ms, &slow);
    for (h2o_linklist_t *node = own->connections.next; node != &own->connections; node = next) {
        struct tg_connection *connection = H2O_STRUCT_FROM_MEMBER(struct tg_connection, all, node);

        next = node->next;
        connection->before = connection->now;
        connection->now = (struct tg_client_turns){0};
        states[state_of(connection, &connection->before)]++;
        look_at_connection(connection, connection->before.is_shut, now, elapsed_ms);
    }
    end_visits(own, &slow);
    for (size_t i = 0; i < TG_STATES; i++)
        atomic_store_explicit(&loop->metrics->states[i], states[i], memory_order_relaxed);
}
