#include <openssl/ssl.h>
#include "http/client_hello.h"
#include "http/server_parts.h"

/* The client's first message is read before OpenSSL gets the socket: the handshake cannot be suspended inside libh2o, but here it may
   wait, for a certificate that is yet to be fetched. */

void tg_connection_end_handshake(struct tg_connection *connection)
{
    h2o_timeout_unlink(&connection->handshake);
}

static void on_refusal_sent(h2o_socket_t *sock, const char *err)
{
    h2o_socket_close(sock);
}

/* The bytes must stay until they are sent. */
static void refuse(struct tg_connection *connection, h2o_iovec_t answer)
{
    tg_metric_add(&connection->loop->metrics->handshakes_failed, 1);
    h2o_socket_read_stop(connection->sock);
    h2o_buffer_consume(&connection->sock->input, connection->sock->input->size);
    h2o_socket_write(connection->sock, &answer, 1, on_refusal_sent);
}

static void refuse_with_alert(struct tg_connection *connection, uint8_t description)
{
    const uint8_t record[] = {SSL3_RT_ALERT, 3, 1, 0, 2, SSL3_AL_FATAL, description};

    memcpy(connection->alert, record, sizeof(record));
    refuse(connection, h2o_iovec_init(connection->alert, sizeof(record)));
}

void tg_connection_time_out(struct tg_connection *connection)
{
    connection->is_cut = true;
    tg_connection_end_handshake(connection);
    tg_metric_add(&connection->loop->metrics->handshakes_failed, 1);
    tg_guard_report(connection->loop, &connection->peer, TG_ATTACK_HANDSHAKE);
    h2o_socket_close(connection->sock);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    tg_connection_time_out(H2O_STRUCT_FROM_MEMBER(struct tg_connection, handshake, entry));
}

static void on_handshake(h2o_socket_t *sock, const char *err)
{
    struct tg_connection *connection = sock->on_close.data;

    tg_connection_end_handshake(connection);
    if (err != NULL) {
        tg_metric_add(&connection->loop->metrics->handshakes_failed, 1);
        h2o_socket_close(sock);
        return;
    }
    tg_metric_add(&connection->loop->metrics->handshakes, 1);
    tg_connection_weigh(connection);
    h2o_iovec_t protocol = h2o_socket_ssl_get_selected_protocol(sock);
    bool is_h2 = h2o_memis(protocol.base, protocol.len, H2O_STRLIT("h2"));
    tg_connection_speak(connection, is_h2 ? TG_PROTOCOL_HTTP2 : TG_PROTOCOL_HTTP1);
}

static void start_handshake(struct tg_connection *connection, const char *name)
{
    SSL_CTX *context = tg_tls_find(connection->loop->server->options.tls, tg_text(name));

    if (context == NULL) {
        refuse_with_alert(connection, SSL_AD_UNRECOGNIZED_NAME); /* also when the client names nobody */
        return;
    }
    h2o_socket_read_stop(connection->sock);
    tg_connection_weigh_handshake(connection);
    tg_server_make_room(connection->loop);
    /* takes the bytes in the socket's input at once, so that the connection's SSL has its own reference when this returns */
    h2o_socket_ssl_handshake(connection->sock, context, NULL, on_handshake);
    SSL_CTX_free(context);
}

static void on_peek(h2o_socket_t *sock, const char *err)
{
    static const char plain[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
                                "This port speaks HTTPS, not HTTP.\n";
    struct tg_connection *connection = sock->data;
    struct tg_client_hello hello;

    if (err != NULL) {
        tg_metric_add(&connection->loop->metrics->handshakes_failed, 1);
        h2o_socket_close(sock);
        return;
    }
    switch (tg_client_hello_read(tg_text_n(sock->input->bytes, sock->input->size), &hello)) {
    case 0:
        start_handshake(connection, hello.name);
        break;
    case TG_HELLO_INCOMPLETE:
        break;
    case TG_HELLO_MALFORMED:
        refuse_with_alert(connection, SSL_AD_DECODE_ERROR);
        break;
    case TG_HELLO_NOT_TLS:
        refuse(connection, h2o_iovec_init(plain, sizeof(plain) - 1));
        break;
    }
}

void tg_connection_start_handshake(struct tg_connection *connection)
{
    if (h2o_timeout_is_linked(&connection->handshake))
        return;
    connection->handshake.cb = on_timeout;
    h2o_timeout_link(connection->loop->context.loop, &connection->loop->context.handshake_timeout, &connection->handshake);
}

void tg_connection_start_tls(struct tg_connection *connection)
{
    connection->protocol = TG_PROTOCOL_HANDSHAKE;
    tg_connection_start_handshake(connection);
    connection->sock->data = connection;
    h2o_socket_read_start(connection->sock, on_peek);
    if (connection->sock->input->size > 0) /* it came with the header of a proxy */
        on_peek(connection->sock, NULL);
}
