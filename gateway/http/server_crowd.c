#include "http/server_parts.h"
/* does not stand alone */
#include <h2o/http2.h>

/*
 * Connections that do nothing use up room for others, by their number, and memory, by what their clients have begun: a handshake, a head.
 * When there are too many of them, or they take too much, the oldest make room.
 */

enum {
    BASE_BYTES = 1024,         /* of each, with what the heap loses between them */
    HTTP1_BYTES = 2048,
    CROWD_IDLE_MS = 1000,
    LARGE_BYTES = 32 * 1024,   /* of a client with requests, who leaves the head of another one unfinished */
    PAUSE_MS = 10,             /* until those that were cut are gone */
};

struct excess {
    size_t connections, bytes;
};

/* What a connection takes beside its visits. */
static size_t weight_of(const struct tg_connection *connection)
{
    size_t bytes = BASE_BYTES + h2o_socket_get_memory(connection->sock);

    if (connection->protocol == TG_PROTOCOL_HTTP2)
        return bytes + h2o_http2_get_memory(connection->sock);
    return bytes + (connection->protocol == TG_PROTOCOL_HTTP1 ? HTTP1_BYTES : 0);
}

static void set_weight(struct tg_connection *connection, size_t bytes)
{
    connection->loop->own->weight += bytes - connection->weight;
    connection->weight = bytes;
    tg_metric_set(&connection->loop->metrics->weight, connection->loop->own->weight);
}

void tg_connection_weigh(struct tg_connection *connection)
{
    if (!connection->is_cut)
        set_weight(connection, weight_of(connection));
}

void tg_connection_weigh_handshake(struct tg_connection *connection)
{
    set_weight(connection, weight_of(connection) + H2O_SOCKET_HANDSHAKE_MEMORY);
}

void tg_connection_weigh_nothing(struct tg_connection *connection)
{
    set_weight(connection, 0);
}

/* What has to go, of this loop. */
static struct excess excess_of(const struct tg_server_loop *loop)
{
    const struct tg_server *server = loop->server;
    const struct tg_loop_own *own = loop->own;
    size_t most = (size_t)server->options.conf->limits.max_connections, open = tg_server_connections(server);
    struct excess excess = {0, 0};

    if (open > most - most / 8)
        excess.connections = (open - (most - most / 4)) / server->loop_count + 1;
    if (own->weight > own->weight_limit)
        excess.bytes = own->weight - (own->weight_limit - own->weight_limit / 8);
    return excess;
}

/* Handshakes are finished long before as many have come after them as there is room for, so they need no time to be called idle. */
static bool does_nothing(const struct tg_connection *connection, uint64_t now_ms)
{
    if (connection->protocol == TG_PROTOCOL_HANDSHAKE)
        return true;
    if (connection->visits == 0)
        return now_ms - connection->idle_since_ms >= CROWD_IDLE_MS;
    return connection->weight > LARGE_BYTES && connection->head_since_ms != 0 && now_ms - connection->head_since_ms >= CROWD_IDLE_MS;
}

static void take_off(size_t *from, size_t part)
{
    *from -= part < *from ? part : *from;
}

void tg_server_thin_out(struct tg_server_loop *loop)
{
    struct excess excess = excess_of(loop);
    uint64_t now_ms = h2o_now(loop->context.loop);
    h2o_linklist_t *all = &loop->own->connections;

    for (h2o_linklist_t *node = all->next; node != all && (excess.connections > 0 || excess.bytes > 0); node = node->next) {
        struct tg_connection *connection = H2O_STRUCT_FROM_MEMBER(struct tg_connection, all, node);

        if (connection->is_cut || !does_nothing(connection, now_ms))
            continue;
        tg_connection_cut(connection, TG_ATTACK_CROWD);
        take_off(&excess.connections, 1);
        take_off(&excess.bytes, connection->weight);
        tg_connection_weigh_nothing(connection);
    }
}

void tg_server_make_room(struct tg_server_loop *loop)
{
    uint64_t now_ms = h2o_now(loop->context.loop);

    if (now_ms - loop->own->thinned_ms < PAUSE_MS)
        return;
    loop->own->thinned_ms = now_ms;
    tg_server_thin_out(loop);
}
