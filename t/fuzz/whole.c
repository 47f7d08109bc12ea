/* whole.c - see whole.h */
#include "whole.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "base/result.h"
#include "front/front.h"
#include "front/refuse.h"
#include "front/state.h"
#include "http/error_page.h"
#include "http/server_parts.h"
#include "io/logfile.h"
#include "strict.h"

enum { WIRES = 64, QUIET_TURNS = 4, TURNS = 4000, CLOSING_TURNS = 2000 };
enum { STEP_MS = 300, LONGEST_MS = 24000 }; /* longer than all that a client and an upstream who are silent may take, one after the other */

static char upstream_path[64];
static int listener = -1;
static struct tg_gitea_conf gitea = {
    .source = "teagate", .session_cookie = "i_like_gitea", .remember_cookie = "gitea_incredible", .connect_timeout_s = 5,
    .head_timeout_s = 3, .idle_timeout_s = 3, .git_timeout_s = 3, .max_connections = 32, .resolve_rate = 1, .body_limit = 1 << 20,
};
static const struct tg_front_host feature = {.conf = &gitea};
static const struct tg_host host = {.kind = TG_HOST_GITEA, .authority = "h", .origin = "https://h", .feature = &feature};
static struct tg_http_conf http = {.limits = {.threads = 1, .drain_s = 5, .max_connections = 1000, .upload_memory = 16 << 20,
    .idle_memory = 1 << 16, .max_held = 1 << 17, .each = {.min_rate = 500, .max_age_s = 10, .max_requests = 20,
    .head_timeout_s = 4, .body_idle_s = 4, .keepalive_s = 6, .handshake_s = 10, .write_stall_s = 4}}};
static const struct tg_subscription_conf rules = {.warning_s = 86400, .grace_s = 86400, .retention_s = 86400, .renew_url = "https://r.example/",
                                                  .contact_url = "https://c.example/", .zone = "UTC"};
static const struct tg_keyring ring = {.count = 1};
static const struct tg_listener public_listener = {.kind = TG_LISTEN_HTTPS, .fd = -1};
static struct tg_pools pools;
static struct tg_server *server;

/* The upstream's end of a connection of the front's. */
static struct wire {
    int fd;                    /* -1: none */
    struct tg_string in;
    size_t answered;           /* requests */
} wires[WIRES];

static const struct whole_case *now;
static struct whole_seen *seen;

/* --- time: it stands still, but when a case lets it pass --- */

static int64_t now_ms;

/* Not before that of the kernel, by which the writer of the log is woken. */
static void start_clock(void)
{
    struct timespec ts;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
    now_ms = ts.tv_sec * 1000 + 1000000;
}

/* Defined here it comes before the C library's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (id != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, id, ts);
    *ts = (struct timespec){.tv_sec = now_ms / 1000, .tv_nsec = now_ms % 1000 * 1000000};
    return 0;
}

/* --- the server --- */

/* Without workers nobody is looked up: all are strangers, and who would need a worker is refused. */
static enum tg_step_answer step_identify(struct tg_visit *visit)
{
    visit->identity = (struct tg_identity){.kind = TG_IDENTITY_ANONYMOUS};
    if (visit->door == TG_DOOR_LOGIN_CALLBACK)
        return tg_refuse(visit, TG_ERROR_NOT_FOUND, "fuzz");
    return TG_STEP_NEXT;
}

static const struct tg_step steps[] = {
    {"guard", tg_step_guard}, {"route", tg_step_route}, {"classify", tg_step_classify}, {"identify", step_identify},
    {"policy", tg_step_policy}, {"upstream", tg_step_upstream}, {NULL, NULL},
};

static void leave_nothing(void)
{
    unlink(upstream_path);
}

static int listen_upstream(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(upstream_path, sizeof(upstream_path), "/tmp/teagate-fuzz.%ld", (long)getpid());
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", upstream_path);
    atexit(leave_nothing);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    unlink(upstream_path);
    gitea.upstream.path = upstream_path;
    return bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 64) == 0 ? 0 : tg_fail_errno("listen");
}

static int start(void)
{
    static struct tg_loop_part parts[2];
    static struct tg_server_options options;
    static struct tg_templates *templates;
    static struct tg_logfile *access_log;
    struct tg_front *front;

    signal(SIGPIPE, SIG_IGN);
    start_clock();
    tg_log_set_threshold(TG_LOG_ERROR);
    tg_time_init();
    tg_try(tg_secret_init());
    tg_try(listen_upstream());
    tg_try(tg_logfile_new("/dev/null", &access_log));
    tg_try(tg_templates_load(NULL, &templates));
    struct tg_front_options front_options = {.hosts = &host, .host_count = 1, .rules = &rules, .ring = &ring, .templates = templates, .pools = &pools};
    tg_try(tg_front_new(&front_options, &front));
    parts[TG_FRONT_PART] = (struct tg_loop_part){"front", tg_front_loop_make, tg_front_loop_drop, front};
    options = (struct tg_server_options){.conf = &http, .listeners = &public_listener, .listener_count = 1, .steps = steps, .parts = parts,
                                         .find_host = tg_front_find_host, .context = front, .names = &tg_front_names,
                                         .access_log = access_log};
    for (size_t i = 0; i < WIRES; ++i)
        wires[i].fd = -1;
    tg_try(tg_server_new(&options, &server));
    tg_server_arm_tick(tg_server_loop_at(server, 0));
    return 0;
}

static void on_connection_closed(void *data)
{
    struct tg_connection *connection = data;

    tg_connection_weigh_nothing(connection);
    h2o_linklist_unlink(&connection->all);
    free(connection);
    atomic_fetch_sub(&server->connections, 1);
}

/* As an accepted one of an HTTPS listener, whose handshake is over. */
static int connect_client(bool is_http2)
{
    struct tg_server_loop *loop = tg_server_loop_at(server, 0);
    struct tg_connection *connection = tg_alloc(sizeof(*connection));
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        abort();
    connection->loop = loop;
    connection->sock = h2o_evloop_socket_create(loop->context.loop, ends[0], H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    connection->listener = &public_listener;
    connection->limits = &http.limits.each;
    connection->connected_at = *h2o_get_timestamp(&loop->context, NULL, NULL);
    connection->since_ms = h2o_now(loop->context.loop);
    connection->idle_since_ms = connection->since_ms;
    strcpy(connection->address, "192.0.2.1");
    h2o_linklist_insert(&loop->own->connections, &connection->all);
    tg_connection_weigh(connection);
    connection->sock->on_close.cb = on_connection_closed;
    connection->sock->on_close.data = connection;
    atomic_fetch_add(&server->connections, 1);
    tg_connection_speak(connection, is_http2 ? TG_PROTOCOL_HTTP2 : TG_PROTOCOL_HTTP1);
    return ends[1];
}

/* --- the upstream --- */

static void __attribute__((noreturn)) die(const char *what, struct tg_text bytes)
{
    fprintf(stderr, "the upstream was sent %s:\n%.*s\n", what, TG_TEXT_ARGS(bytes));
    abort();
}

static void check_line(struct tg_text line, struct tg_text all)
{
    struct tg_text method = tg_text_cut(&line, ' '), target = tg_text_cut(&line, ' ');

    if (method.len == 0 || target.len == 0 || target.base[0] != '/' || line.base == NULL || !tg_text_is(line, "HTTP/1.1"))
        die("no request line", all);
}

/* Only requests of ours: with one id, which no client can give, and one host. */
static void check_head(const struct strict_message *head, struct tg_text all)
{
    static const char *const never[] = {"connection", "keep-alive", "upgrade", "http2-settings", "te", "proxy-connection", "x-webauth-user"};
    struct tg_text value;

    check_line(head->first, all);
    if (strict_count(head, "host", &value) != 1 || !tg_text_is(value, host.authority))
        die("another host", all);
    if (strict_count(head, "x-request-id", &value) != 1 || value.len != 20 || strict_count(head, "x-real-ip", &value) != 1)
        die("a request that is not ours", all);
    if (!tg_text_is(value, "192.0.2.1") || strict_count(head, "x-forwarded-for", &value) != 1)
        die("another address", all);
    for (size_t i = 0; i < tg_count(never); ++i)
        if (strict_count(head, never[i], &value) != 0)
            die(never[i], all);
}

static const struct {
    struct tg_text bytes;
    bool closes;
} answers[] = {
    {TG_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" WHOLE_BODY), false},
    {TG_TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n3\r\nole\r\n0\r\n\r\n"), false},
    {TG_TEXT("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n" WHOLE_BODY), true},
    {TG_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n" WHOLE_BODY), true},
};

static void close_wire(struct wire *wire)
{
    close(wire->fd);
    wire->fd = -1;
    wire->answered = 0;
    tg_string_done(&wire->in);
    wire->in = (struct tg_string){NULL};
}

static void write_all(int fd, struct tg_text bytes)
{
    if (write(fd, bytes.base, bytes.len) < 0 && errno != EPIPE && errno != EAGAIN && errno != ECONNRESET)
        abort();
}

/* What a HEAD is answered has no body, whoever writes it. */
static void answer_request(struct wire *wire, const struct strict_message *head)
{
    size_t kind = head->first.len % tg_count(answers);
    struct tg_text bytes = answers[kind].bytes;
    bool closes = answers[kind].closes;

    if (now->answer.base != NULL && seen->requests == 1) {
        bytes = now->answer;
        closes = now->closes;
    } else if (tg_text_starts(head->first, "HEAD ")) {
        bytes = TG_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        closes = false;
    }
    write_all(wire->fd, bytes);
    if (closes)
        close_wire(wire);
}

/* All that are whole. */
static void serve_requests(struct wire *wire)
{
    while (wire->fd >= 0 && wire->in.len != 0) {
        struct tg_text all = tg_string_text(&wire->in), rest = all;
        struct strict_message head;
        const char *why = "";
        int answer = strict_head(&rest, &head, &why);

        if (answer == 0) {
            check_head(&head, all);
            answer = strict_body(&rest, &head, &why);
        }
        if (answer == STRICT_BROKEN)
            die(why, all);
        if (answer == STRICT_MORE)
            return;
        seen->requests++;
        memmove(wire->in.base, rest.base, rest.len);
        wire->in.len = rest.len;
        answer_request(wire, &head);
    }
}

static bool accept_wire(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

    if (fd < 0)
        return false;
    for (size_t i = 0; i < WIRES; ++i)
        if (wires[i].fd < 0) {
            wires[i].fd = fd;
            return true;
        }
    abort();
}

static bool read_wire(struct wire *wire)
{
    char bytes[16384];
    ssize_t n = wire->fd < 0 ? -1 : read(wire->fd, bytes, sizeof(bytes));

    if (n < 0)
        return false;
    if (n == 0) {
        close_wire(wire);
        return true;
    }
    tg_string_add(&wire->in, tg_text_n(bytes, (size_t)n));
    serve_requests(wire);
    return true;
}

static bool serve_upstream(void)
{
    bool moved = accept_wire();

    for (size_t i = 0; i < WIRES; ++i)
        moved |= read_wire(&wires[i]);
    return moved;
}

/* --- the run --- */

static bool read_client(int client)
{
    char bytes[16384];
    ssize_t n = read(client, bytes, sizeof(bytes));

    if (n > 0)
        tg_string_add(&seen->client, tg_text_n(bytes, (size_t)n));
    return n > 0;
}

static void turn(void)
{
    h2o_evloop_run(tg_server_loop_at(server, 0)->context.loop, 0);
}

/* Until nothing moves any more. */
static void settle(int client)
{
    size_t quiet = 0;

    for (size_t i = 0; quiet < QUIET_TURNS && i < TURNS; ++i) {
        turn();
        bool moved = serve_upstream();

        moved |= read_client(client);
        quiet = moved ? 0 : quiet + 1;
    }
}

static void feed(int client, struct tg_text bytes, size_t piece)
{
    while (bytes.len != 0) {
        size_t len = piece != 0 && piece < bytes.len ? piece : bytes.len;
        ssize_t n = write(client, bytes.base, len);

        if (n < 0)
            return; /* it has closed, or takes no more */
        bytes = tg_text_n(bytes.base + n, bytes.len - (size_t)n);
        if (piece != 0) {
            now_ms += now->passes ? STEP_MS : 0;
            settle(client);
        }
    }
}

/* Who is silent for so long has no connection any more. */
static void let_pass(int client)
{
    for (int ms = 0; ms < LONGEST_MS; ms += STEP_MS) {
        now_ms += STEP_MS;
        settle(client);
    }
    if (tg_server_connections(server) != 0) {
        fprintf(stderr, "the server waits for ever\n");
        abort();
    }
}

static bool is_idle(void)
{
    if (tg_server_connections(server) != 0)
        return false;
    for (size_t i = 0; i < WIRES; ++i)
        if (wires[i].fd >= 0)
            return false;
    return true;
}

/* The client goes, and then the upstream: nothing may stay behind. */
static void end(int client)
{
    close(client);
    for (size_t i = 0; i < QUIET_TURNS; ++i) {
        now_ms += STEP_MS; /* the server looks now and then whose client has left */
        turn();
        serve_upstream();
    }
    tg_server_cut(tg_server_loop_at(server, 0));
    for (size_t i = 0; i < WIRES; ++i)
        if (wires[i].fd >= 0)
            close_wire(&wires[i]);
    for (size_t i = 0; !is_idle(); ++i) {
        if (i > CLOSING_TURNS) {
            fprintf(stderr, "%zu connections stay\n", tg_server_connections(server));
            abort();
        }
        now_ms += 10;
        turn();
        serve_upstream();
    }
    turn();
}

void whole_run(const struct whole_case *input, struct whole_seen *out)
{
    int client;

    if (server == NULL && start() != 0) {
        fprintf(stderr, "%s\n", tg_failure());
        exit(1);
    }
    now = input;
    seen = out;
    client = connect_client(input->is_http2);
    feed(client, input->client, input->piece);
    if (input->shuts)
        shutdown(client, SHUT_WR);
    settle(client);
    if (input->passes)
        let_pass(client);
    end(client);
    now_ms += 1000; /* so that what is counted by time begins anew */
}
