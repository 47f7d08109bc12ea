#include "http/forwarded.h"
#include "http/proxy_protocol.h"
#include "http/server_parts.h"

/* Who the client is when a proxy stands between: by the header of the PROXY protocol before the connection, by X-Forwarded-For in a
   request, or both. */

enum { FORWARDED_FIELDS = 16 };

/* Whoever reaches a unix socket was let there by its permissions. */
bool tg_listener_trusts(const struct tg_listener *listener, const struct sockaddr_storage *peer)
{
    struct tg_ip ip;

    if (listener->conf == NULL || listener->conf->trusted_proxies.count == 0)
        return false;
    return !tg_ip_of((const struct sockaddr *)peer, &ip) || tg_is_trusted(&listener->conf->trusted_proxies, &ip);
}

/* From now on it is the client's: what is counted by address counts him. false: he has too many. */
static bool take_client(struct tg_connection *connection, const struct tg_ip *client)
{
    tg_ip_sockaddr(client, &connection->peer);
    tg_ip_text(client, connection->address);
    connection->is_forwarded = tg_is_trusted(&connection->listener->conf->trusted_proxies, client);
    if (connection->is_forwarded)
        return true;
    connection->is_counted = tg_guard_enter(connection->loop->server->guard, &connection->peer, connection->limits->max_per_address);
    return connection->is_counted;
}

static void refuse(struct tg_connection *connection, enum tg_attack attack)
{
    tg_metric_add(&connection->loop->metrics->refused_connections, 1);
    tg_guard_report(connection->loop, &connection->peer, attack);
    h2o_socket_close(connection->sock);
}

static void on_header(h2o_socket_t *sock, const char *err)
{
    struct tg_connection *connection = sock->data;
    struct tg_proxy_header header;

    if (err != NULL) { /* health checks come and go without a word */
        h2o_socket_close(sock);
        return;
    }
    switch (tg_proxy_header_read(tg_text_n(sock->input->bytes, sock->input->size), &header)) {
    case TG_PROXY_INCOMPLETE:
        return;
    case TG_PROXY_MALFORMED:
        refuse(connection, TG_ATTACK_PROXY_HEADER);
        return;
    }
    h2o_socket_read_stop(sock);
    h2o_buffer_consume(&sock->input, header.len);
    if (header.is_known && !take_client(connection, &header.client))
        refuse(connection, TG_ATTACK_CONNECTIONS);
    else
        tg_connection_begin(connection);
}

void tg_connection_start_proxied(struct tg_connection *connection)
{
    connection->protocol = TG_PROTOCOL_HANDSHAKE;
    tg_connection_start_handshake(connection);
    connection->sock->data = connection;
    h2o_socket_read_start(connection->sock, on_header);
}

void tg_visit_find_client(struct tg_visit *visit)
{
    static const char name[] = "x-forwarded-for";
    const h2o_headers_t *headers = &visit->req->headers;
    struct tg_text values[FORWARDED_FIELDS];
    struct tg_ip client;
    size_t count = 0;

    for (size_t i = 0; i < headers->size; i++) {
        if (headers->entries[i].name->len != sizeof(name) - 1 || memcmp(headers->entries[i].name->base, name, sizeof(name) - 1) != 0)
            continue;
        if (count == FORWARDED_FIELDS) /* the last ones count */
            memmove(values, values + 1, --count * sizeof(*values));
        values[count++] = tg_text_of(headers->entries[i].value);
    }
    if (tg_forwarded_for(values, count, &visit->connection->listener->conf->trusted_proxies, &client))
        tg_ip_text(&client, visit->address);
}
