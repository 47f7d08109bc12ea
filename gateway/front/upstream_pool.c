/* upstream_pool.c - wires: connect, keep, limit; see upstream.h */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include "base/result.h"
#include "front/state.h"

enum { SHARED_FROM = 32 /* wires; fewer are given to whoever comes */ };

int tg_upstream_address(const struct tg_address *address, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_un *local = (struct sockaddr_un *)out;
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof(*out));
    if (address->path != NULL) {
        if (strlen(address->path) >= sizeof(local->sun_path))
            return tg_fail("%s: longer than a unix socket's path may be", address->path);
        local->sun_family = AF_UNIX;
        memcpy(local->sun_path, address->path, strlen(address->path) + 1);
        *len = sizeof(*local);
        return 0;
    }
    if (address->host != NULL && inet_pton(AF_INET, address->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->port);
        *len = sizeof(*v4);
        return 0;
    }
    if (address->host != NULL && inet_pton(AF_INET6, address->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->port);
        *len = sizeof(*v6);
        return 0;
    }
    return tg_fail("upstream %s: neither unix:/path nor IP:PORT", address->text != NULL ? address->text : "");
}

static void on_serve(h2o_timeout_entry_t *entry);

int tg_upstream_init(struct tg_upstream *upstream, const struct tg_gitea_conf *conf, struct tg_front_loop *part)
{
    *upstream = (struct tg_upstream){.conf = conf, .part = part};
    upstream->waiting_end = &upstream->waiting;
    upstream->serve.cb = on_serve;
    return tg_upstream_address(&conf->upstream, &upstream->address, &upstream->address_len);
}

static struct tg_metrics *metrics_of(struct tg_upstream *upstream)
{
    return upstream->part->loop->metrics;
}

static void unlink_idle(struct tg_wire *wire)
{
    if (wire->slot == NULL)
        return;
    if ((*wire->slot = wire->next) != NULL)
        wire->next->slot = wire->slot;
    wire->slot = NULL;
}

static void wire_close(struct tg_wire *wire)
{
    struct tg_upstream *upstream = wire->upstream;

    unlink_idle(wire);
    upstream->open -= !wire->uncounted;
    tg_metric_add(&metrics_of(upstream)->upstream_open, (uint64_t)-1);
    h2o_socket_close(wire->sock);
    free(wire);
}

void tg_upstream_done(struct tg_upstream *upstream)
{
    h2o_timeout_unlink(&upstream->serve);
    while (upstream->idle != NULL)
        wire_close(upstream->idle);
}

static void on_readable(h2o_socket_t *sock, const char *error)
{
    struct tg_wire *wire = sock->data;

    if (wire->exchange != NULL)
        tg_exchange_readable(wire->exchange, error);
    else
        wire_close(wire); /* idle: it was closed, or talks out of turn */
}

void tg_wire_read(struct tg_wire *wire)
{
    h2o_socket_read_start(wire->sock, on_readable);
}

static void on_connected(h2o_socket_t *sock, const char *error)
{
    struct tg_wire *wire = sock->data;

    if (error == NULL) {
        wire->connected = true;
        tg_wire_read(wire);
    }
    tg_exchange_connected(wire->exchange, error);
}

/* The wire is the exchange's. */
static void give_wire(struct tg_exchange *exchange, struct tg_wire *wire)
{
    wire->exchange = exchange;
    exchange->wire = wire;
    wire->tally = tg_visit_tally(exchange->visit);
    *wire->tally += !wire->uncounted;
    exchange->upstream->busy += !wire->uncounted;
}

/* One connection of HTTP/2 cannot have all: the last quarter is for those that have none. */
static bool may_have_wire(const struct tg_exchange *exchange)
{
    const struct tg_upstream *upstream = exchange->upstream;
    size_t most = (size_t)upstream->conf->max_connections, own = *tg_visit_tally(exchange->visit);

    if (own == 0 || most < SHARED_FROM || exchange->visit->door == TG_DOOR_EVENTS)
        return true;
    return own < most / 4 && upstream->busy < most - most / 4;
}

static int connect_wire(struct tg_exchange *exchange)
{
    struct tg_upstream *upstream = exchange->upstream;
    h2o_socket_t *sock = h2o_socket_connect(upstream->part->loop->context.loop, (struct sockaddr *)&upstream->address,
                                            upstream->address_len, on_connected);
    struct tg_wire *wire;

    if (sock == NULL)
        return TG_WIRE_UNREACHABLE;
    h2o_buffer_set_prototype(&sock->input, &upstream->part->head_buffers);
    wire = tg_alloc(sizeof(*wire));
    *wire = (struct tg_wire){.sock = sock, .upstream = upstream};
    wire->uncounted = exchange->visit->door == TG_DOOR_EVENTS; /* one for each open page: they would use up the limit */
    sock->data = wire;
    give_wire(exchange, wire);
    exchange->was_reused = false;
    upstream->open += !wire->uncounted;
    tg_metric_add(&metrics_of(upstream)->upstream_open, 1);
    tg_metric_add(&metrics_of(upstream)->upstream_connects, 1);
    return 0;
}

static void reuse_wire(struct tg_exchange *exchange, struct tg_wire *wire)
{
    unlink_idle(wire);
    give_wire(exchange, wire);
    exchange->was_reused = true;
    tg_metric_add(&metrics_of(exchange->upstream)->upstream_reuses, 1);
    tg_exchange_connected(exchange, NULL);
}

static int wait_for_wire(struct tg_exchange *exchange)
{
    struct tg_upstream *upstream = exchange->upstream;

    if (upstream->waiting_count >= TG_UPSTREAM_QUEUE)
        return TG_WIRE_FULL;
    exchange->waiting = true;
    exchange->waiting_next = NULL;
    *upstream->waiting_end = exchange;
    upstream->waiting_end = &exchange->waiting_next;
    ++upstream->waiting_count;
    return 0;
}

int tg_wire_take(struct tg_exchange *exchange, bool fresh)
{
    struct tg_upstream *upstream = exchange->upstream;

    if (!may_have_wire(exchange))
        return wait_for_wire(exchange);
    if (upstream->idle != NULL && !fresh) {
        reuse_wire(exchange, upstream->idle);
        return 0;
    }
    if (exchange->visit->door == TG_DOOR_EVENTS || upstream->open < (size_t)upstream->conf->max_connections)
        return connect_wire(exchange);
    if (upstream->idle != NULL) { /* a fresh one is wanted and there is no room: an idle one makes it */
        wire_close(upstream->idle);
        return connect_wire(exchange);
    }
    return wait_for_wire(exchange);
}

void tg_wire_stop_waiting(struct tg_exchange *exchange)
{
    struct tg_upstream *upstream = exchange->upstream;
    struct tg_exchange **slot = &upstream->waiting;

    if (!exchange->waiting)
        return;
    while (*slot != exchange)
        slot = &(*slot)->waiting_next;
    if ((*slot = exchange->waiting_next) == NULL)
        upstream->waiting_end = slot;
    exchange->waiting = false;
    --upstream->waiting_count;
}

static struct tg_exchange *next_in_line(struct tg_upstream *upstream)
{
    struct tg_exchange *exchange = upstream->waiting;

    if (upstream->idle == NULL && upstream->open >= (size_t)upstream->conf->max_connections)
        return NULL;
    while (exchange != NULL && !may_have_wire(exchange))
        exchange = exchange->waiting_next;
    return exchange;
}

/* Hands freed room to those who wait, first come first served. */
static void on_serve(h2o_timeout_entry_t *entry)
{
    struct tg_upstream *upstream = H2O_STRUCT_FROM_MEMBER(struct tg_upstream, serve, entry);
    struct tg_exchange *exchange;

    while ((exchange = next_in_line(upstream)) != NULL) {
        tg_wire_stop_waiting(exchange);
        if (tg_wire_take(exchange, false) != 0)
            tg_exchange_fail(exchange, TG_ERROR_UPSTREAM_DOWN, "connect");
        else
            tg_exchange_arm(exchange);
    }
}

/* In the loop's next turn, never from within the exchange that freed it: that may be inside the closing of a connection both share. */
static void serve_soon(struct tg_upstream *upstream)
{
    if (upstream->waiting != NULL && !h2o_timeout_is_linked(&upstream->serve))
        h2o_timeout_link(upstream->part->loop->context.loop, &upstream->part->loop->context.zero_timeout, &upstream->serve);
}

void tg_wire_leave(struct tg_exchange *exchange, bool keep)
{
    struct tg_wire *wire = exchange->wire;
    struct tg_upstream *upstream = exchange->upstream;

    if (wire == NULL)
        return;
    exchange->wire = NULL;
    wire->exchange = NULL;
    *wire->tally -= !wire->uncounted;
    upstream->busy -= !wire->uncounted;
    if (!keep || wire->uncounted || !wire->connected || wire->sock->input->size != 0) {
        wire_close(wire);
    } else {
        wire->idle_ms = h2o_now(upstream->part->loop->context.loop);
        if (!h2o_socket_is_reading(wire->sock))
            tg_wire_read(wire);
        if ((wire->next = upstream->idle) != NULL)
            wire->next->slot = &wire->next;
        wire->slot = &upstream->idle;
        upstream->idle = wire;
    }
    serve_soon(upstream);
}

/* How long the client has kept a wire without sending or taking anything, while it is its turn; 0 when it is not. */
static uint64_t stalled_ms(struct tg_upstream *upstream, const struct tg_exchange *exchange)
{
    if (exchange->upstream != upstream || exchange->wire == NULL || exchange->wire->uncounted || exchange->finished ||
        exchange->deadline_ms != 0)
        return 0;
    return tg_visit_stalled_ms(exchange->visit);
}

/* While others wait for one. Those that have stalled longest: whoever does so on purpose does so for long, and a train in a tunnel is not
   to be taken for it. */
static void free_stalled(struct tg_upstream *upstream)
{
    size_t most = (size_t)upstream->conf->max_connections;
    uint64_t longest_ms = 0;

    if (upstream->waiting == NULL || upstream->busy < most - most / 8)
        return;
    for (struct tg_exchange *exchange = upstream->part->exchanges; exchange != NULL; exchange = exchange->next) {
        uint64_t stalled = stalled_ms(upstream, exchange);

        longest_ms = stalled > longest_ms ? stalled : longest_ms;
    }
    if (longest_ms < TG_UPSTREAM_STALL_MS)
        return;
    for (struct tg_exchange *exchange = upstream->part->exchanges; exchange != NULL; exchange = exchange->next)
        if (stalled_ms(upstream, exchange) >= longest_ms / 2)
            tg_visit_cut_hoarder(exchange->visit);
}

void tg_upstream_sweep(struct tg_upstream *upstream, uint64_t now_ms)
{
    struct tg_wire *wire, *next;

    for (wire = upstream->idle; wire != NULL; wire = next) {
        next = wire->next;
        if (now_ms - wire->idle_ms >= TG_UPSTREAM_IDLE_MS)
            wire_close(wire);
    }
    free_stalled(upstream);
    serve_soon(upstream);
}
