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
    tg_metric_add(&loop->metrics->connections_open, (uint64_t)-1);
    free(connection);
    atomic_fetch_sub_explicit(&loop->own->load, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&loop->server->connections, 1, memory_order_release); /* whoever sees none may end the loop */
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

static void start_connection(struct tg_server_loop *loop, enum tg_listener_kind kind, int fd)
{
    h2o_socket_t *sock = h2o_evloop_socket_create(loop->context.loop, fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    struct tg_connection *connection = tg_alloc(sizeof(*connection));

    connection->loop = loop;
    connection->sock = sock;
    connection->kind = kind;
    connection->connected_at = *h2o_get_timestamp(&loop->context, NULL, NULL);
    write_address(sock, connection->address);
    h2o_linklist_insert(&loop->own->connections, &connection->all);
    sock->on_close.cb = on_connection_closed;
    sock->on_close.data = connection;
    tg_metric_add(&loop->metrics->connections, 1);
    tg_metric_add(&loop->metrics->connections_open, 1);

    if (kind == TG_LISTEN_HTTPS)
        tg_connection_start_tls(connection);
    else
        tg_connection_speak(connection, TG_PROTOCOL_HTTP1);
}

/* A connection on its way to another loop. */
struct handover {
    struct tg_message message;
    struct tg_server_loop *loop;
    enum tg_listener_kind kind;
    int fd;
};

static void on_handover(struct tg_message *message)
{
    struct handover *handover = H2O_STRUCT_FROM_MEMBER(struct handover, message, message);

    start_connection(handover->loop, handover->kind, handover->fd);
    free(handover);
}

static size_t load_of(const struct tg_server_loop *loop)
{
    return atomic_load_explicit(&loop->own->load, memory_order_relaxed);
}

/* The kernel wakes the same loop again and again as long as it is idle, and connections live long: they are spread by count. */
static struct tg_server_loop *least_loaded(struct tg_server_loop *self)
{
    struct tg_server *server = self->server;
    struct tg_server_loop *best = self;

    for (size_t i = 0; i < server->loop_count; i++) {
        if (load_of(&server->loops[i]) + 1 < load_of(best) + (best != self))
            best = &server->loops[i];
    }
    return best;
}

static void place_connection(struct tg_ear *ear, int fd)
{
    struct tg_server *server = ear->loop->server;

    if (tg_server_connections(server) >= (size_t)server->options.conf->limits.max_connections) {
        tg_metric_add(&ear->loop->metrics->refused_connections, 1);
        close(fd);
        return;
    }
    struct tg_server_loop *loop = least_loaded(ear->loop);
    atomic_fetch_add_explicit(&server->connections, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&loop->own->load, 1, memory_order_relaxed);
    if (loop == ear->loop) {
        start_connection(loop, ear->kind, fd);
        return;
    }
    struct handover *handover = tg_alloc(sizeof(*handover));
    *handover = (struct handover){{.run = on_handover}, loop, ear->kind, fd};
    tg_loop_send(loop->loop, &handover->message);
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    struct tg_ear *ear = listener->data;
    int listening = h2o_socket_get_fd(listener);

    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            place_connection(ear, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            h2o_socket_read_stop(listener); /* it would be readable for ever */
            ear->loop->own->ears_pause = true;
            return;
        } else if (errno == EAGAIN) {
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
        ear->sock = h2o_evloop_socket_create(loop->context.loop, fd, H2O_SOCKET_FLAG_DONT_READ | H2O_SOCKET_FLAG_EXCLUSIVE);
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
        place_connection(ear, client);
    close(fd);
}

void tg_server_stop_listening(struct tg_server_loop *loop)
{
    for (size_t i = 0; i < loop->own->ear_count; i++) {
        if (loop->own->ears[i].sock != NULL)
            close_ear(&loop->own->ears[i]);
    }
}
