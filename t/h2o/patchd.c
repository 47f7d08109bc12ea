/*
 * patchd.c - a small server on the patched libh2o, for the tests of the patch queue (t/05-h2o-*.t)
 *
 * Usage: patchd [key=value ...]; the keys are in the table below. It listens on loopback, on ports that the kernel
 * chooses and that it prints in one line: "h1=PORT h2=PORT tls=PORT". What the paths do is in the table of
 * patchd_paths.c. SIGTERM ends it; it then releases everything, so that a leak checker may have the last word.
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "patchd.h"
#include "h2o/http1.h"
#include "h2o/http2.h"
#include "h2o/tls13.h"

enum { MAX_THREADS = 8, H1 = 0, H2, TLS, NUM_LISTENERS };

struct listener {
    h2o_socket_t *sock;
    struct patchd_loop *loop;
    void (*accept)(struct patchd_loop *loop, h2o_socket_t *sock);
};

static h2o_globalconf_t conf;
static SSL_CTX *ssl_ctx;
static int listen_fds[NUM_LISTENERS];
static volatile sig_atomic_t stopping;
struct patchd_stats patchd_stats;

static struct {
    const char *name;
    uint64_t value;
} settings[] = {
    {"threads", 1},           {"exclusive", 1},           {"streaming", 1},        {"req-timeout", 10000},
    {"keepalive", 75000},     {"linger", 2000},           {"linger-bytes", 16 << 20}, {"body-window", 262144},
    {"body-idle", 30000},     {"conn-window", 4 << 20},   {"max-aborted", 100},    {"h2-idle", 10000},
    {"max-requests", 100},    {"max-entity", 1 << 30},    {"server-name", 0},        {"accept-delay", 0},
    {"max-idle-frames", 1000}, {"own-records", 1},       {"key-records", 1 << 24},
    {"body-window-max", 4 << 20}, {"body-budget", 32 << 20},
};
static const char *cert_file, *key_file;

uint64_t patchd_setting(const char *name)
{
    for (size_t i = 0; i != sizeof(settings) / sizeof(settings[0]); ++i)
        if (strcmp(settings[i].name, name) == 0)
            return settings[i].value;
    fprintf(stderr, "patchd: no setting %s\n", name);
    exit(2);
}

static void read_settings(int argc, char **argv)
{
    for (int i = 1; i < argc; ++i) {
        char *value = strchr(argv[i], '=');
        size_t j = 0;
        if (value == NULL)
            exit(2);
        *value++ = '\0';
        if (strcmp(argv[i], "cert") == 0 || strcmp(argv[i], "key") == 0) {
            *(argv[i][0] == 'c' ? &cert_file : &key_file) = value;
            continue;
        }
        while (strcmp(settings[j].name, argv[i]) != 0)
            if (++j == sizeof(settings) / sizeof(settings[0])) {
                fprintf(stderr, "patchd: no setting %s\n", argv[i]);
                exit(2);
            }
        settings[j].value = strtoull(value, NULL, 10);
    }
}

/* --- connections --- */

static void on_socket_closed(void *data)
{
    --((struct patchd_loop *)data)->num_conns;
}

static void accept_h1(struct patchd_loop *loop, h2o_socket_t *sock)
{
    struct timeval now = *h2o_get_timestamp(&loop->ctx, NULL, NULL);
    h2o_http1_accept(&loop->accept_ctx, sock, now);
}

static void accept_h2(struct patchd_loop *loop, h2o_socket_t *sock)
{
    struct timeval now = *h2o_get_timestamp(&loop->ctx, NULL, NULL);
    h2o_http2_accept(&loop->accept_ctx, sock, now);
}

static void on_handshake(h2o_socket_t *sock, const char *err)
{
    struct patchd_loop *loop = sock->data;
    h2o_iovec_t proto;

    if (err != NULL) {
        h2o_socket_close(sock);
        return;
    }
    proto = h2o_socket_ssl_get_selected_protocol(sock);
    (h2o_memis(proto.base, proto.len, H2O_STRLIT("h2")) ? accept_h2 : accept_h1)(loop, sock);
}

static void accept_tls(struct patchd_loop *loop, h2o_socket_t *sock)
{
    sock->data = loop;
    h2o_socket_ssl_handshake(sock, ssl_ctx, NULL, on_handshake);
}

static void on_accept(h2o_socket_t *sock, const char *err)
{
    struct listener *l = sock->data;
    h2o_socket_t *conn;

    if (patchd_setting("accept-delay")) /* gives the other loops the time to wake */
        usleep((useconds_t)patchd_setting("accept-delay"));
    conn = err != NULL ? NULL : h2o_evloop_socket_accept(sock);
    __atomic_fetch_add(conn != NULL ? &patchd_stats.accepted : &patchd_stats.woken_in_vain, 1, __ATOMIC_RELAXED);
    if (conn == NULL)
        return;
    conn->on_close.cb = on_socket_closed;
    conn->on_close.data = l->loop;
    ++l->loop->num_conns;
    l->accept(l->loop, conn);
}

/* size: the parameters are those of OpenSSL's callback */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned inlen,
                       void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";

    if (SSL_select_next_proto((unsigned char **)out, outlen, ours, sizeof(ours) - 1, in, inlen) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    return SSL_TLSEXT_ERR_OK;
}

static void create_ssl_ctx(void)
{
    h2o_tls13_max_key_records = patchd_setting("key-records");
    ssl_ctx = patchd_setting("own-records") ? h2o_tls13_new_context() : SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(ssl_ctx, cert_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(ssl_ctx, key_file, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "patchd: no usable certificate in %s, %s\n", cert_file, key_file);
        exit(2);
    }
    SSL_CTX_set_alpn_select_cb(ssl_ctx, select_alpn, NULL);
}

static int open_port(int *port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1 || bind(fd, (void *)&sin, len) != 0 || listen(fd, 512) != 0 || getsockname(fd, (void *)&sin, &len) != 0) {
        perror("patchd: listen");
        exit(2);
    }
    *port = ntohs(sin.sin_port);
    return fd;
}

/* --- timers: the library walks all durations in every turn, so there is one, counted --- */

enum { TICK_MS = 10 };

static void on_tick(h2o_timeout_entry_t *entry)
{
    struct patchd_timer *timer = H2O_STRUCT_FROM_MEMBER(struct patchd_timer, entry, entry);
    struct patchd_loop *loop = H2O_STRUCT_FROM_MEMBER(struct patchd_loop, ctx, timer->ctx);

    if (timer->ticks-- > 0)
        h2o_timeout_link(loop->loop, &loop->tick, &timer->entry);
    else
        timer->cb(timer);
}

void patchd_timer_start(struct patchd_timer *timer, h2o_context_t *ctx, uint64_t ms, void (*cb)(struct patchd_timer *timer))
{
    struct patchd_loop *loop = H2O_STRUCT_FROM_MEMBER(struct patchd_loop, ctx, ctx);

    timer->entry.cb = on_tick;
    timer->ctx = ctx;
    timer->ticks = (unsigned)(ms / TICK_MS);
    timer->cb = cb;
    h2o_timeout_link(loop->loop, &loop->tick, &timer->entry);
}

void patchd_timer_drop(struct patchd_timer *timer)
{
    h2o_timeout_unlink(&timer->entry);
}

/* --- loops --- */

static void on_error(h2o_conn_t *conn, int errnum, const char *why)
{
    assert(conn->callbacks->get_socket(conn) != NULL);
    printf("error %d %s\n", errnum, why != NULL ? why : "-");
    fflush(stdout);
}

static void configure(void)
{
    h2o_hostconf_t *host;

    h2o_config_init(&conf);
    conf.stream_request_body = (int)patchd_setting("streaming");
    conf.body_window = patchd_setting("body-window");
    conf.body_window_max = patchd_setting("body-window-max");
    conf.body_budget = patchd_setting("body-budget");
    conf.body_idle_timeout = patchd_setting("body-idle");
    conf.max_request_entity_size = patchd_setting("max-entity");
    conf.http1.req_timeout = patchd_setting("req-timeout");
    conf.http1.keepalive_timeout = patchd_setting("keepalive");
    conf.http1.linger_timeout = patchd_setting("linger");
    conf.http1.linger_max_bytes = patchd_setting("linger-bytes");
    conf.http1.upgrade_to_http2 = 0;
    conf.http2.conn_body_window = patchd_setting("conn-window");
    conf.http2.max_aborted_streams = (unsigned)patchd_setting("max-aborted");
    conf.http2.max_idle_frames = (unsigned)patchd_setting("max-idle-frames");
    conf.http2.on_error = on_error;
    conf.http2.idle_timeout = patchd_setting("h2-idle");
    conf.http2.max_concurrent_requests_per_connection = patchd_setting("max-requests");
    if (!patchd_setting("server-name"))
        conf.server_name = h2o_iovec_init(NULL, 0);
    host = h2o_config_register_host(&conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    patchd_register_paths(host);
}

static void listen_on(struct patchd_loop *loop, struct listener *l)
{
    static void (*const accepts[])(struct patchd_loop *, h2o_socket_t *) = {accept_h1, accept_h2, accept_tls};
    int flags = H2O_SOCKET_FLAG_DONT_READ | (patchd_setting("exclusive") ? H2O_SOCKET_FLAG_EXCLUSIVE : 0);

    for (int i = 0; i != NUM_LISTENERS; ++i) {
        if (listen_fds[i] == -1)
            continue;
        l[i].loop = loop;
        l[i].accept = accepts[i];
        l[i].sock = h2o_evloop_socket_create(loop->loop, dup(listen_fds[i]), flags);
        l[i].sock->data = &l[i];
        h2o_socket_read_start(l[i].sock, on_accept);
    }
}

/* nothing more is accepted; what is open may end, and the timers of a graceful shutdown must have run */
static void drain(struct patchd_loop *loop)
{
    uint64_t begin = h2o_now(loop->loop), wait = loop->ctx.shutdown_requested ? 2500 : 100;

    while (h2o_now(loop->loop) - begin < wait || (loop->num_conns != 0 && h2o_now(loop->loop) - begin < 3000))
        h2o_evloop_run(loop->loop, 20);
}

static void *run_loop(void *unused)
{
    struct patchd_loop *loop = calloc(1, sizeof(*loop));
    struct listener listeners[NUM_LISTENERS] = {{NULL}};

    loop->loop = h2o_evloop_create();
    h2o_context_init(&loop->ctx, loop->loop, &conf);
    loop->accept_ctx.ctx = &loop->ctx;
    loop->accept_ctx.hosts = conf.hosts;
    h2o_timeout_init(loop->loop, &loop->tick, TICK_MS);
    listen_on(loop, listeners);
    while (!stopping)
        h2o_evloop_run(loop->loop, 50);
    for (int i = 0; i != NUM_LISTENERS; ++i)
        if (listeners[i].sock != NULL)
            h2o_socket_close(listeners[i].sock);
    drain(loop);
    if (loop->num_conns != 0)
        fprintf(stderr, "patchd: %d connections are left\n", loop->num_conns);
    h2o_timeout_dispose(loop->loop, &loop->tick);
    h2o_context_dispose(&loop->ctx);
    h2o_evloop_run(loop->loop, 0);
    h2o_evloop_destroy(loop->loop);
    free(loop);
    return NULL;
}

static void on_sigterm(int signo)
{
    stopping = 1;
}

int main(int argc, char **argv)
{
    pthread_t threads[MAX_THREADS];
    int ports[NUM_LISTENERS] = {0}, n;

    read_settings(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_sigterm);
    if (cert_file != NULL)
        create_ssl_ctx();
    configure();
    for (int i = 0; i != NUM_LISTENERS; ++i)
        listen_fds[i] = i == TLS && ssl_ctx == NULL ? -1 : open_port(&ports[i]);
    printf("h1=%d h2=%d tls=%d\n", ports[H1], ports[H2], ports[TLS]);
    fflush(stdout);

    n = (int)patchd_setting("threads");
    for (int i = 1; i < n && i < MAX_THREADS; ++i)
        pthread_create(&threads[i], NULL, run_loop, NULL);
    run_loop(NULL);
    for (int i = 1; i < n && i < MAX_THREADS; ++i)
        pthread_join(threads[i], NULL);

    h2o_config_dispose(&conf);
    SSL_CTX_free(ssl_ctx);
    printf("requests=%d disposed=%d\n", patchd_stats.requests, patchd_stats.disposed);
    return patchd_stats.requests != patchd_stats.disposed;
}
