#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include "base/result.h"
#include "http/server_parts.h"
/* these do not stand alone */
#include <h2o/http1.h>
#include <h2o/http2.h>

enum { ACCEPTS_A_TURN = 16 };

static void on_connection_closed(void *data)
{
    struct tg_connection *connection = data;
    struct tg_server_loop *loop = connection->loop;

    tg_connection_end_handshake(connection);
    h2o_linklist_unlink(&connection->all);
    atomic_fetch_sub_explicit(&loop->server->connections, 1, memory_order_relaxed);
    atomic_store_explicit(&loop->metrics->connections_open,
                          atomic_load_explicit(&loop->metrics->connections_open, memory_order_relaxed) - 1, memory_order_relaxed);
    free(connection);
}

static void write_address(h2o_socket_t *sock, char out[48])
{
    struct sockaddr_storage storage;
    socklen_t len = h2o_socket_getpeername(sock, (struct sockaddr *)&storage);
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&storage;
    const struct sockaddr_in *four = (const struct sockaddr_in *)&storage;

    strcpy(out, "unix");
    if (len == 0 || storage.ss_family == AF_UNIX)
        return;
    if (storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, out, 48);
    else if (storage.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &six->sin6_addr, out, 48);
    else
        inet_ntop(AF_INET, &four->sin_addr, out, 48);
}

void tg_connection_speak(struct tg_connection *connection, enum tg_protocol protocol)
{
    h2o_accept_ctx_t accept = {.ctx = &connection->loop->context, .hosts = connection->loop->server->h2o.hosts};

    connection->protocol = protocol;
    connection->idle_since_ms = h2o_now(connection->loop->context.loop);
    if (protocol == TG_PROTOCOL_HTTP2)
        h2o_http2_accept(&accept, connection->sock, connection->connected_at);
    else
        h2o_http1_accept(&accept, connection->sock, connection->connected_at);
}

static void start_connection(struct tg_ear *ear, h2o_socket_t *sock)
{
    struct tg_server_loop *loop = ear->loop;
    struct tg_server *server = loop->server;

    if (atomic_load_explicit(&server->connections, memory_order_relaxed) >= (size_t)server->options.conf->limits.max_connections) {
        tg_metric_add(&loop->metrics->refused_connections, 1);
        h2o_socket_close(sock);
        return;
    }
    struct tg_connection *connection = tg_alloc(sizeof(*connection));
    connection->loop = loop;
    connection->sock = sock;
    connection->kind = ear->kind;
    connection->connected_at = *h2o_get_timestamp(&loop->context, NULL, NULL);
    write_address(sock, connection->address);
    h2o_linklist_insert(&loop->own->connections, &connection->all);
    sock->on_close.cb = on_connection_closed;
    sock->on_close.data = connection;
    atomic_fetch_add_explicit(&server->connections, 1, memory_order_relaxed);
    tg_metric_add(&loop->metrics->connections, 1);
    tg_metric_add(&loop->metrics->connections_open, 1);

    if (ear->kind == TG_LISTEN_HTTPS)
        tg_connection_start_tls(connection);
    else
        tg_connection_speak(connection, TG_PROTOCOL_HTTP1);
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    struct tg_ear *ear = listener->data;

    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        h2o_socket_t *sock = h2o_evloop_socket_accept(listener);

        if (sock != NULL) {
            start_connection(ear, sock);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            h2o_socket_read_stop(listener); /* it would be readable for ever */
            ear->loop->own->ears_pause = true;
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
    }
}

void tg_server_resume_listening(struct tg_server_loop *loop)
{
    loop->own->ears_pause = false;
    for (size_t i = 0; i < loop->own->ear_count; i++) {
        if (loop->own->ears[i].sock != NULL)
            h2o_socket_read_start(loop->own->ears[i].sock, on_accept);
    }
}

void tg_server_listen(struct tg_server_loop *loop)
{
    const struct tg_server_options *options = &loop->server->options;

    for (size_t i = 0; i < options->listener_count; i++) {
        struct tg_ear *ear = &loop->own->ears[i];
        int fd = fcntl(options->listeners[i].fd, F_DUPFD_CLOEXEC, 3); /* h2o's sockets close theirs */

        *ear = (struct tg_ear){.loop = loop, .kind = options->listeners[i].kind};
        if (fd < 0)
            continue;
        ear->sock = h2o_evloop_socket_create(loop->context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
        ear->sock->data = ear;
    }
    loop->own->ear_count = options->listener_count;
    tg_server_resume_listening(loop);
}

/* The kernel has woken us for connections that nobody else may be woken for: they are taken after the socket has left the poll set. */
static void close_ear(struct tg_ear *ear)
{
    int fd = fcntl(h2o_socket_get_fd(ear->sock), F_DUPFD_CLOEXEC, 3), client;

    h2o_socket_close(ear->sock);
    ear->sock = NULL;
    if (fd < 0)
        return;
    while ((client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        start_connection(ear, h2o_evloop_socket_create(ear->loop->context.loop, client, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION));
    close(fd);
}

void tg_server_stop_listening(struct tg_server_loop *loop)
{
    for (size_t i = 0; i < loop->own->ear_count; i++) {
        if (loop->own->ears[i].sock != NULL)
            close_ear(&loop->own->ears[i]);
    }
}
