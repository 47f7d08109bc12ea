#include "http/server.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/server_parts.h"
#include "io/thread.h"

enum { BODY_WINDOW = 256 * 1024, BODY_WINDOW_MAX = 4 << 20, CONNECTION_WINDOW = 65535, CUT_WAIT_MS = 2000, KERNEL_LATER_MS = 5000, RESCAN_S = 2 };

static size_t processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0 ? (size_t)CPU_COUNT(&set) : 1;
}

/* The largest of all listeners, of a member of struct tg_connection_limits: libh2o knows one. The smaller ones are the watch's. */
static uint64_t largest_ms(const struct tg_server *server, size_t offset)
{
    int64_t largest_s = 0;

    for (size_t i = 0; i < server->options.listener_count; i++) {
        const char *limits = (const char *)tg_limits_of(server, &server->options.listeners[i]);
        int64_t own_s = *(const int64_t *)(const void *)(limits + offset);

        largest_s = own_s > largest_s ? own_s : largest_s;
    }
    return (uint64_t)largest_s * 1000;
}
#define LARGEST_MS(server, member) largest_ms((server), offsetof(struct tg_connection_limits, member))

/* One host and one handler: what a name stands for is the steps' business. */
static void configure_h2o(struct tg_server *server)
{
    h2o_globalconf_t *h2o = &server->h2o;

    h2o_config_init(h2o);
    h2o->server_name = h2o_iovec_init(H2O_STRLIT(""));
    h2o->stream_request_body = 1;
    h2o->body_window = BODY_WINDOW;
    h2o->body_window_max = BODY_WINDOW_MAX;
    h2o->body_budget = (size_t)server->options.conf->limits.upload_memory;
    h2o->body_idle_timeout = LARGEST_MS(server, body_idle_s);
    h2o->handshake_timeout = LARGEST_MS(server, handshake_s);
    h2o->http1.req_timeout = LARGEST_MS(server, head_timeout_s);
    h2o->http1.keepalive_timeout = LARGEST_MS(server, keepalive_s);
    h2o->http1.upgrade_to_http2 = 0;
    h2o->http2.idle_timeout = h2o->http1.keepalive_timeout;
    h2o->http2.conn_body_window = CONNECTION_WINDOW; /* for bodies that nobody has opened; the others bring their own */
    h2o->http2.on_error = tg_guard_on_http2_error;

    h2o_hostconf_t *host = h2o_config_register_host(h2o, h2o_iovec_init(H2O_STRLIT("none")), 65535);
    host->authority.hostport.len = 0; /* the authority of requests that name none */
    host->http2.push_preload = 0;
    host->http2.reprioritize_blocking_assets = 0;
    tg_visit_add_handler(&host->fallback_path);
}

/* Accepted sockets inherit these: a client that has vanished is let go by the kernel; one that is there and takes nothing is ended before,
   and counted, by the watch. */
static void set_socket_options(const struct tg_server *server)
{
    const struct tg_server_options *options = &server->options;
    int on = 1, idle_s = 60;

    for (size_t i = 0; i < options->listener_count; i++) { /* fail on unix sockets, which need none */
        int stall_ms = (int)tg_limits_of(server, &options->listeners[i])->write_stall_s * 1000 + KERNEL_LATER_MS;

        setsockopt(options->listeners[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(options->listeners[i].fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall_ms, sizeof(stall_ms));
        setsockopt(options->listeners[i].fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
        setsockopt(options->listeners[i].fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
}

static void on_start(struct tg_message *message)
{
    struct tg_server_loop *loop = H2O_STRUCT_FROM_MEMBER(struct tg_loop_own, to_start, message)->loop;

    tg_server_set_reading(loop);
    tg_server_arm_tick(loop);
    tg_server_listen(loop);
}

static void on_drain(struct tg_message *message)
{
    struct tg_server_loop *loop = H2O_STRUCT_FROM_MEMBER(struct tg_loop_own, to_drain, message)->loop;

    tg_server_start_drain(loop);
    atomic_fetch_add(&loop->server->loops_draining, 1);
}

static void on_cut(struct tg_message *message)
{
    tg_server_cut(H2O_STRUCT_FROM_MEMBER(struct tg_loop_own, to_cut, message)->loop);
}

/* What lives on the loop ends there: buffers of sockets belong to the thread that filled them. */
static void end_loop(struct tg_server_loop *loop)
{
    const struct tg_loop_part *parts = loop->server->options.parts;

    for (size_t i = 0; parts != NULL && parts[i].name != NULL; i++)
        parts[i].drop(loop->parts[i]);
    tg_server_stop_listening(loop);
    h2o_timeout_unlink(&loop->own->tick);
    h2o_timeout_unlink(&loop->own->relief);
    h2o_timeout_unlink(&loop->context.http2._graceful_shutdown_timeout);
    tg_loop_stop(loop->loop);
}

static void on_end(struct tg_message *message)
{
    end_loop(H2O_STRUCT_FROM_MEMBER(struct tg_loop_own, to_end, message)->loop);
}

static void make_id_prefix(char out[8])
{
    char id[TG_ID];

    tg_random_id(id);
    memcpy(out, id, 7);
    out[7] = '\0';
}

static struct tg_loop_own *make_own(struct tg_server *server, struct tg_server_loop *loop)
{
    struct tg_loop_own *own = tg_alloc(sizeof(*own));
    int64_t max_held = server->options.conf->limits.max_held, idle_memory = server->options.conf->limits.idle_memory;

    own->loop = loop;
    own->visits.size = sizeof(struct tg_visit);
    own->ears = tg_alloc((server->options.listener_count + 1) * sizeof(*own->ears));
    h2o_linklist_init_anchor(&own->connections);
    h2o_linklist_init_anchor(&own->watched);
    own->held_limit = max_held > 0 ? (size_t)max_held / server->wanted_loops : SIZE_MAX / 2;
    own->weight_limit = idle_memory > 0 ? (size_t)idle_memory / server->wanted_loops : SIZE_MAX / 2;
    h2o_linklist_init_anchor(&own->streams);
    make_id_prefix(own->id_prefix);
    own->to_start.run = on_start;
    own->to_drain.run = on_drain;
    own->to_cut.run = on_cut;
    own->to_end.run = on_end;
    return own;
}

static int make_loop(struct tg_server *server, size_t index)
{
    struct tg_server_loop *loop = &server->loops[index];
    const struct tg_loop_part *parts = server->options.parts;

    tg_try(tg_loop_new(index, &loop->loop));
    loop->server = server;
    h2o_context_init(&loop->context, tg_loop_h2o(loop->loop), &server->h2o);
    loop->metrics = tg_alloc(sizeof(*loop->metrics));
    loop->own = make_own(server, loop);
    if (server->options.access_log != NULL)
        loop->access_log = tg_logfile_ring(server->options.access_log);
    server->loop_count++;
    for (size_t i = 0; parts != NULL && parts[i].name != NULL; i++)
        loop->parts[i] = parts[i].make(loop, parts[i].context);
    return 0;
}

int tg_server_new(const struct tg_server_options *options, struct tg_server **out)
{
    struct tg_server *server = tg_alloc(sizeof(*server));

    server->options = *options;
    server->wanted_loops = options->conf->limits.threads > 0 ? (size_t)options->conf->limits.threads : processors();
    server->loops = tg_alloc(server->wanted_loops * sizeof(*server->loops));
    server->guard = tg_guard_new();
    pthread_mutex_init(&server->watch_lock, NULL);
    pthread_cond_init(&server->watch_wake, NULL);
    configure_h2o(server);
    set_socket_options(server);
    for (size_t i = 0; i < server->wanted_loops; i++) {
        int result = make_loop(server, i);

        if (result < 0) {
            tg_server_free(server);
            return result;
        }
    }
    *out = server;
    return 0;
}

static void report(const struct tg_string *errors)
{
    struct tg_text rest = tg_string_text(errors);

    while (rest.base != NULL && rest.len > 0) {
        struct tg_text line = tg_text_cut(&rest, '\n');
        TG_FREED char *why = tg_format("%.*s", TG_TEXT_ARGS(line));

        tg_log(TG_LOG_ERROR, "certificate-unusable", "why", why, "do", "correct the file; until then the old certificate is used", NULL);
    }
}

/* The top of a thread, so it logs. */
static void *watch_certificates(void *argument)
{
    struct tg_server *server = argument;
    bool was_readable = true;

    pthread_mutex_lock(&server->watch_lock);
    while (!server->watch_stops) {
        TG_STRING errors = {0};
        struct timespec until;
        size_t changed;

        pthread_mutex_unlock(&server->watch_lock);
        bool is_readable = tg_tls_rescan(server->options.tls, &changed, &errors) == 0;
        report(&errors);
        if (!is_readable && was_readable)
            tg_log(TG_LOG_ERROR, "certificates-unreadable", "why", tg_failure(), NULL);
        was_readable = is_readable;
        pthread_mutex_lock(&server->watch_lock);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += RESCAN_S;
        if (!server->watch_stops)
            pthread_cond_timedwait(&server->watch_wake, &server->watch_lock, &until);
    }
    pthread_mutex_unlock(&server->watch_lock);
    return NULL;
}

int tg_server_start(struct tg_server *server)
{
    if (server->options.tls != NULL) {
        tg_try(tg_thread_start(&server->watch, "certificates", watch_certificates, server));
        server->watch_runs = true;
    }
    server->is_started = true;
    for (size_t i = 0; i < server->loop_count; i++) {
        tg_try(tg_loop_start(server->loops[i].loop));
        tg_loop_send(server->loops[i].loop, &server->loops[i].own->to_start);
    }
    return 0;
}

static bool is_drained(struct tg_server *server)
{
    return atomic_load(&server->loops_draining) == server->loop_count && tg_server_connections(server) == 0;
}

static bool wait_until_drained(struct tg_server *server, int64_t wait_ms)
{
    int64_t deadline_ms = tg_monotonic_ms() + wait_ms;

    while (!is_drained(server) && tg_monotonic_ms() < deadline_ms)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    return is_drained(server);
}

void tg_server_drain(struct tg_server *server, int64_t drain_s)
{
    if (!server->is_started || atomic_exchange(&server->is_draining, true))
        return;
    for (size_t i = 0; i < server->loop_count; i++)
        tg_loop_send(server->loops[i].loop, &server->loops[i].own->to_drain);
    if (wait_until_drained(server, drain_s * 1000))
        return;
    for (size_t i = 0; i < server->loop_count; i++)
        tg_loop_send(server->loops[i].loop, &server->loops[i].own->to_cut);
    wait_until_drained(server, CUT_WAIT_MS);
}

static void stop_watch(struct tg_server *server)
{
    if (!server->watch_runs)
        return;
    pthread_mutex_lock(&server->watch_lock);
    server->watch_stops = true;
    pthread_cond_signal(&server->watch_wake);
    pthread_mutex_unlock(&server->watch_lock);
    pthread_join(server->watch, NULL);
}

static void free_loop(struct tg_server_loop *loop)
{
    h2o_context_dispose(&loop->context);
    tg_loop_free(loop->loop);
    tg_spares_done(&loop->own->visits);
    free(loop->own->ears);
    free(loop->own);
    free(loop->metrics);
}

/* false: something does not let go of its request; its memory must stay, and the process is about to end anyway. */
static bool stop_loops(struct tg_server *server)
{
    bool is_empty = tg_server_connections(server) == 0;

    for (size_t i = 0; i < server->loop_count; i++) {
        if (!server->is_started)
            end_loop(&server->loops[i]);
        else if (is_empty)
            tg_loop_send(server->loops[i].loop, &server->loops[i].own->to_end);
        else
            tg_loop_stop(server->loops[i].loop);
    }
    for (size_t i = 0; i < server->loop_count; i++)
        tg_loop_join(server->loops[i].loop);
    return is_empty;
}

void tg_server_free(struct tg_server *server)
{
    if (server == NULL)
        return;
    tg_server_drain(server, 0);
    stop_watch(server);
    if (!stop_loops(server))
        return;

    for (size_t i = 0; i < server->loop_count; i++)
        free_loop(&server->loops[i]);
    for (size_t i = 0; i < server->options.listener_count; i++)
        close(server->options.listeners[i].fd);
    tg_guard_free(server->guard);
    h2o_config_dispose(&server->h2o);
    pthread_cond_destroy(&server->watch_wake);
    pthread_mutex_destroy(&server->watch_lock);
    free(server->loops);
    free(server);
}

const struct tg_server_options *tg_server_options(const struct tg_server *server)
{
    return &server->options;
}

size_t tg_server_loops(struct tg_server *server)
{
    return server->loop_count;
}

struct tg_server_loop *tg_server_loop_at(struct tg_server *server, size_t index)
{
    return &server->loops[index];
}

size_t tg_server_connections(struct tg_server *server)
{
    return atomic_load_explicit(&server->connections, memory_order_acquire);
}

bool tg_server_is_draining(struct tg_server *server)
{
    return atomic_load_explicit(&server->is_draining, memory_order_relaxed);
}

void tg_server_broadcast(struct tg_server *server, struct tg_message *(*make)(void *context, struct tg_server_loop *loop), void *context)
{
    for (size_t i = 0; i < server->loop_count; i++) {
        struct tg_message *message = make(context, &server->loops[i]);

        if (message != NULL)
            tg_loop_send(server->loops[i].loop, message);
    }
}
