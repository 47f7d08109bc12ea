#include <errno.h>
#include <fcntl.h>
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
    if (connection->is_counted)
        tg_guard_leave(loop->server->guard, &connection->peer);
    if (tg_connection_was_slow(connection))
        tg_guard_report(loop, &connection->peer, TG_ATTACK_SLOW_HEAD);
    tg_connection_weigh_nothing(connection);
    h2o_linklist_unlink(&connection->all);
    tg_metric_add(&loop->metrics->connections_open, (uint64_t)-1);
    free(connection);
    atomic_fetch_sub_explicit(&loop->own->load, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&loop->server->connections, 1, memory_order_release); /* whoever sees none may end the loop */
}

void tg_address_text(const struct sockaddr_storage *address, char out[TG_ADDRESS_TEXT])
{
    struct tg_ip ip;

    strcpy(out, "unix");
    if (tg_ip_of((const struct sockaddr *)address, &ip))
        tg_ip_text(&ip, out);
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

/* An accepted socket, maybe on its way to another loop. */
struct arrival {
    struct tg_message message;
    struct tg_server_loop *loop;
    const struct tg_listener *listener;
    int fd;
    bool is_counted;
    bool is_proxy;                    /* the peer is a trusted one */
    struct sockaddr_storage peer;
};

const struct tg_connection_limits *tg_limits_of(const struct tg_server *server, const struct tg_listener *listener)
{
    return listener->conf != NULL ? &listener->conf->limits : &server->options.conf->limits.each;
}

void tg_connection_begin(struct tg_connection *connection)
{
    if (connection->listener->kind == TG_LISTEN_HTTPS) {
        tg_connection_start_tls(connection);
        return;
    }
    tg_connection_end_handshake(connection);
    tg_connection_speak(connection, TG_PROTOCOL_HTTP1);
}

static bool has_proxy_header(const struct tg_listener *listener)
{
    return listener->conf != NULL && listener->conf->proxy_protocol == TG_PROXY_PROTOCOL_V2;
}

static void start_connection(const struct arrival *arrival)
{
    struct tg_server_loop *loop = arrival->loop;
    h2o_socket_t *sock = h2o_evloop_socket_create(loop->context.loop, arrival->fd, H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    struct tg_connection *connection = tg_alloc(sizeof(*connection));

    connection->loop = loop;
    connection->sock = sock;
    connection->listener = arrival->listener;
    connection->limits = tg_limits_of(loop->server, arrival->listener);
    connection->connected_at = *h2o_get_timestamp(&loop->context, NULL, NULL);
    connection->since_ms = h2o_now(loop->context.loop);
    connection->idle_since_ms = h2o_now(loop->context.loop);
    connection->peer = arrival->peer;
    connection->is_counted = arrival->is_counted;
    connection->is_forwarded = arrival->is_proxy;
    tg_address_text(&connection->peer, connection->address);
    h2o_linklist_insert(&loop->own->connections, &connection->all);
    tg_connection_weigh(connection);
    sock->on_close.cb = on_connection_closed;
    sock->on_close.data = connection;
    tg_metric_add(&loop->metrics->connections, 1);
    tg_metric_add(&loop->metrics->connections_open, 1);

    if (has_proxy_header(connection->listener))
        tg_connection_start_proxied(connection);
    else
        tg_connection_begin(connection);
}

static void on_handover(struct tg_message *message)
{
    struct arrival *arrival = H2O_STRUCT_FROM_MEMBER(struct arrival, message, message);

    start_connection(arrival);
    free(arrival);
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

/* Only those that strangers reach: the backchannel has one client, and it is Gitea; a proxy has many behind it. */
static bool is_counted(const struct arrival *arrival)
{
    enum tg_listener_kind kind = arrival->listener->kind;

    return (kind == TG_LISTEN_HTTPS || kind == TG_LISTEN_HTTP) && !arrival->is_proxy;
}

static void refuse(struct tg_ear *ear, const struct arrival *arrival, enum tg_attack attack)
{
    tg_metric_add(&ear->loop->metrics->refused_connections, 1);
    tg_guard_report(ear->loop, &arrival->peer, attack);
}

/* Whether it may come in, and there is room for one more; if not, its end is at hand. */
static bool admit(struct tg_ear *ear, struct arrival *arrival)
{
    struct tg_server *server = ear->loop->server;
    int64_t per_address = tg_limits_of(server, arrival->listener)->max_per_address;

    if (tg_server_connections(server) >= (size_t)server->options.conf->limits.max_connections) {
        tg_metric_add(&ear->loop->metrics->refused_connections, 1);
        return false;
    }
    arrival->is_proxy = tg_listener_trusts(arrival->listener, &arrival->peer);
    if (has_proxy_header(arrival->listener) && !arrival->is_proxy) {
        refuse(ear, arrival, TG_ATTACK_UNTRUSTED_PROXY);
        return false;
    }
    arrival->is_counted = is_counted(arrival);
    if (!arrival->is_counted || tg_guard_enter(server->guard, &arrival->peer, per_address))
        return true;
    refuse(ear, arrival, TG_ATTACK_CONNECTIONS);
    return false;
}

static void place_connection(struct tg_ear *ear, int fd, const struct sockaddr_storage *peer)
{
    struct arrival arrival = {.message = {.run = on_handover}, .listener = ear->listener, .fd = fd, .peer = *peer};

    tg_server_make_room(ear->loop);
    if (!admit(ear, &arrival)) {
        close(fd);
        return;
    }
    arrival.loop = least_loaded(ear->loop);
    atomic_fetch_add_explicit(&ear->loop->server->connections, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&arrival.loop->own->load, 1, memory_order_relaxed);
    if (arrival.loop == ear->loop) {
        start_connection(&arrival);
        return;
    }
    struct arrival *handover = tg_alloc(sizeof(*handover));
    *handover = arrival;
    tg_loop_send(arrival.loop->loop, &handover->message);
}

/* A client's socket, or negative with errno. */
static int take_socket(int listening, struct sockaddr_storage *peer)
{
    socklen_t len = sizeof(*peer);

    memset(peer, 0, sizeof(*peer));
    return accept4(listening, (struct sockaddr *)peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    struct tg_ear *ear = listener->data;
    int listening = h2o_socket_get_fd(listener);

    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage peer;
        int fd = take_socket(listening, &peer);

        if (fd >= 0) {
            place_connection(ear, fd, &peer);
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

        *ear = (struct tg_ear){.loop = loop, .listener = &options->listeners[i]};
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
    struct sockaddr_storage peer;

    h2o_socket_close(ear->sock);
    ear->sock = NULL;
    if (fd < 0)
        return;
    while ((client = take_socket(fd, &peer)) >= 0)
        place_connection(ear, client, &peer);
    close(fd);
}

void tg_server_stop_listening(struct tg_server_loop *loop)
{
    for (size_t i = 0; i < loop->own->ear_count; i++) {
        if (loop->own->ears[i].sock != NULL)
            close_ear(&loop->own->ears[i]);
    }
}
