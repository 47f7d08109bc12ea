/*
 * serverd - the HTTP server with steps that answer what t/20-http-server.t asks for
 *
 * Listening sockets are inherited, as from the supervisor: --https FD --http FD --backchannel FD --admin FD. Says "ready", and a line
 * for everything a step learns. SIGTERM drains and ends, SIGHUP looks for certificates at once.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include "base/file.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/admin.h"
#include "http/reply.h"
#include "http/server.h"

enum { LISTENERS = 16, NAMES = 16, CHUNK = 65536, BODY_LIMIT = 1 << 30 };

static struct tg_host host = {TG_HOST_GITEA, "localhost", "https://localhost:8443", NULL};

/* What a request is busy with; in its pool. */
struct busy {
    h2o_generator_t generator;
    struct tg_visit *visit;
    h2o_timeout_entry_t timer;
    h2o_timeout_t timeout;
    size_t left;
};

static void say(const char *what, struct tg_visit *visit)
{
    dprintf(STDOUT_FILENO, "%s %.*s\n", what, TG_TEXT_ARGS(visit->path.raw));
}

static void on_gone(void *data)
{
    struct busy *busy = data;

    h2o_timeout_unlink(&busy->timer);
    say("gone", busy->visit);
}

static struct busy *make_busy(struct tg_visit *visit)
{
    struct busy *busy = h2o_mem_alloc_pool(&visit->req->pool, sizeof(*busy));

    memset(busy, 0, sizeof(*busy));
    busy->visit = visit;
    say("busy", visit);
    tg_visit_on_gone(visit, on_gone, busy);
    return busy;
}

static struct tg_text tail_of(struct tg_visit *visit, const char *prefix)
{
    size_t len = strlen(prefix);

    return tg_text_starts(visit->path.raw, prefix) ? tg_text_n(visit->path.raw.base + len, visit->path.raw.len - len) : (struct tg_text){NULL};
}

static void on_waited(h2o_timeout_entry_t *entry)
{
    struct busy *busy = H2O_STRUCT_FROM_MEMBER(struct busy, timer, entry);

    if (busy->left-- > 1)
        h2o_timeout_link(busy->visit->loop->context.loop, &busy->visit->loop->context.hundred_ms_timeout, &busy->timer);
    else
        tg_visit_resume(busy->visit);
}

/* /wait/N: goes on after N tenths of a second. */
static enum tg_step_answer step_wait(struct tg_visit *visit)
{
    struct tg_text tail = tail_of(visit, "/wait/");
    uint64_t tenths;

    if (!tg_text_number(tail, &tenths))
        return TG_STEP_NEXT;
    struct busy *busy = make_busy(visit);
    busy->left = tenths;
    busy->timer.cb = on_waited;
    h2o_timeout_link(visit->loop->context.loop, &visit->loop->context.hundred_ms_timeout, &busy->timer);
    return TG_STEP_WAIT;
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    static char chunk[CHUNK];
    struct busy *busy = H2O_STRUCT_FROM_MEMBER(struct busy, generator, generator);
    h2o_iovec_t piece = {chunk, busy->left < CHUNK ? busy->left : CHUNK};

    if (busy->left == SIZE_MAX)
        return; /* never anything more */
    busy->left -= piece.len;
    h2o_send(req, &piece, 1, busy->left > 0 ? H2O_SEND_STATE_IN_PROGRESS : H2O_SEND_STATE_FINAL);
}

static void start_answer(struct busy *busy, size_t length)
{
    h2o_req_t *req = busy->visit->req;

    req->res.status = 200;
    req->res.content_length = length;
    busy->generator.proceed = on_proceed;
    h2o_start_response(req, &busy->generator);
}

/* /big/N: N bytes; /stall: ten, and then never more. */
static enum tg_step_answer step_big(struct tg_visit *visit)
{
    uint64_t length;

    if (tg_text_number(tail_of(visit, "/big/"), &length)) {
        struct busy *busy = make_busy(visit);

        busy->left = length;
        start_answer(busy, length);
        on_proceed(&busy->generator, visit->req);
        return TG_STEP_DONE;
    }
    if (tg_text_is(visit->path.raw, "/stall")) {
        struct busy *busy = make_busy(visit);
        h2o_iovec_t some = {H2O_STRLIT("0123456789")};

        busy->left = SIZE_MAX;
        start_answer(busy, SIZE_MAX);
        h2o_send(visit->req, &some, 1, H2O_SEND_STATE_IN_PROGRESS);
        return TG_STEP_DONE;
    }
    return TG_STEP_NEXT;
}

static void on_body(h2o_req_t *req, h2o_body_event_t event)
{
    struct busy *busy = req->body->data;

    if (tg_text_is(busy->visit->path.raw, "/hold"))
        return; /* takes nothing */
    if (event != H2O_BODY_DATA && event != H2O_BODY_END) {
        h2o_body_send_error(req, event);
        return;
    }
    h2o_buffer_consume(&req->body->buf, req->body->buf->size);
    if (event == H2O_BODY_DATA) {
        h2o_body_ack(req, req->body->unacked);
        return;
    }
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)req->body->received);
    tg_reply_text(busy->visit, 200, text);
}

/* /post: counts a body; /hold: never takes one; /refuse: does not look at it. */
static enum tg_step_answer step_post(struct tg_visit *visit)
{
    if (tg_text_is(visit->path.raw, "/refuse")) {
        tg_reply_text(visit, 403, "refused");
        return TG_STEP_DONE;
    }
    if (visit->req->body == NULL || !(tg_text_is(visit->path.raw, "/post") || tg_text_is(visit->path.raw, "/hold")))
        return TG_STEP_NEXT;
    struct busy *busy = make_busy(visit);
    if (h2o_body_open(visit->req, BODY_LIMIT, on_body, busy) != 0)
        tg_reply_text(visit, 413, "too large");
    return TG_STEP_DONE;
}

static enum tg_step_answer step_text(struct tg_visit *visit)
{
    TG_STRING text = {0};

    if (tg_text_is(visit->path.raw, "/nothing"))
        return TG_STEP_NEXT;
    visit->host = &host;
    visit->door = 3;
    visit->verdict.name = "allow";
    tg_string_addf(&text, "hello %d id=%s client=%s host=%.*s x=%.*s/%zu loop=%zu", getpid(), visit->id, visit->address,
                   TG_TEXT_ARGS(tg_text_of(visit->req->input.authority)), TG_TEXT_ARGS(tg_visit_header(visit, "x-test")),
                   tg_visit_header_count(visit, "x-test"), tg_loop_index(visit->loop->loop));
    tg_reply_text(visit, 200, text.base);
    return TG_STEP_DONE;
}

static const struct tg_step steps[] = {
    {"wait", step_wait}, {"big", step_big}, {"post", step_post}, {"text", step_text}, {NULL, NULL},
};

static const struct tg_host *find_host(struct tg_text name, void *context)
{
    return tg_text_is(name, "localhost") ? &host : NULL;
}

static const char *door_name(int door)
{
    return door == 3 ? "web" : NULL;
}

static const char *const verdicts[] = {"allow", NULL};
static const struct tg_metric_names metric_names = {door_name, verdicts};

static struct tg_http_conf conf = {
    .limits = {.threads = 2, .drain_s = 10, .max_connections = 1000, .upload_memory = 16 << 20,
               .each = {.head_timeout_s = 10, .body_idle_s = 30, .keepalive_s = 75, .handshake_s = 10, .write_stall_s = 30, .min_rate = 500, .max_age_s = 3600,
                        .max_requests = 100000, .max_per_address = 0}},
};
static struct tg_listener listeners[LISTENERS];
static const char *names[NAMES + 1];
static struct tg_tls_options tls_options = {.names = names};
static const char *log_path, *ticket_path, *conf_path;
static size_t listener_count, name_count;

static bool read_listener(const char *option, const char *value)
{
    static const char *const kinds[] = {"--https", "--http", "--backchannel", "--admin"};

    for (size_t i = 0; i < tg_count(kinds); i++) {
        if (strcmp(option, kinds[i]) != 0)
            continue;
        listeners[listener_count++] = (struct tg_listener){.kind = (enum tg_listener_kind)i, .fd = atoi(value)};
        return true;
    }
    return false;
}

static bool read_option(const char *option, const char *value)
{
    const struct {
        const char *name;
        int64_t *number;
        const char **text;
    } options[] = {
        {"--upload-memory", &conf.limits.upload_memory}, {"--idle-memory", &conf.limits.idle_memory},
        {"--threads", &conf.limits.threads},           {"--head-timeout", &conf.limits.each.head_timeout_s},
        {"--keepalive", &conf.limits.each.keepalive_s},     {"--handshake", &conf.limits.each.handshake_s},
        {"--body-idle", &conf.limits.each.body_idle_s},     {"--max", &conf.limits.max_connections},
        {"--per-address", &conf.limits.each.max_per_address}, {"--conf", NULL, &conf_path},
        {"--drain", &conf.limits.drain_s},             {"--write-stall", &conf.limits.each.write_stall_s},
        {"--directory", NULL, &tls_options.directory}, {"--ca", NULL, &tls_options.ca_directory},
        {"--log", NULL, &log_path},                    {"--tickets", NULL, &ticket_path},
    };

    for (size_t i = 0; i < tg_count(options); i++) {
        if (strcmp(option, options[i].name) != 0)
            continue;
        if (options[i].number != NULL)
            *options[i].number = atoll(value);
        else
            *options[i].text = value;
        return true;
    }
    if (strcmp(option, "--name") == 0 && name_count < NAMES) {
        names[name_count++] = value;
        return true;
    }
    return read_listener(option, value);
}

static int set_tickets(struct tg_tls *tls)
{
    uint8_t keys[TG_TICKET_KEYS][TG_TICKET_KEY];
    TG_STRING bytes = {0};

    if (ticket_path == NULL)
        return 0;
    tg_try(tg_file_read(ticket_path, sizeof(keys), &bytes));
    if (bytes.base == NULL || bytes.len % TG_TICKET_KEY != 0)
        return tg_fail("%s holds no ticket keys", ticket_path);
    memcpy(keys, bytes.base, bytes.len);
    tg_tls_set_ticket_keys(tls, (const uint8_t (*)[TG_TICKET_KEY])keys, bytes.len / TG_TICKET_KEY);
    return 0;
}

static void rescan(struct tg_tls *tls)
{
    TG_STRING errors = {0};
    size_t changed;

    tg_tls_rescan(tls, &changed, &errors);
    dprintf(STDOUT_FILENO, "rescanned %zu\n", changed);
}

/* The sections `listen` and `limits` out of a file, instead of options. */
static int read_conf(void)
{
    static const struct tg_key keys[] = {
        {"listen", TG_SECTION, offsetof(struct tg_http_conf, listen), .keys = tg_listen_keys, .help = "listeners"},
        {"limits", TG_SECTION, offsetof(struct tg_http_conf, limits), .keys = tg_limits_keys, .help = "limits"},
        {NULL},
    };
    static struct tg_conf_file file;
    TG_STRING text = {0};

    if (conf_path == NULL)
        return 0;
    tg_try(tg_file_read(conf_path, 65536, &text));
    tg_conf_read(&file, conf_path, tg_string_text(&text), keys, &conf);
    tg_http_conf_settle(&file, &conf);
    if (file.errors.len > 0)
        return tg_fail("%s", file.errors.base);
    for (size_t i = 0; i < listener_count; i++) {
        if (listeners[i].kind <= TG_LISTEN_HTTP)
            listeners[i].conf = tg_listener_conf_of(listeners[i].kind == TG_LISTEN_HTTPS ? &conf.listen.https : &conf.listen.http, listeners[i].fd);
    }
    return 0;
}

static int serve(const sigset_t *signals)
{
    struct tg_server *server;
    struct tg_logfile *log = NULL;
    struct tg_tls *tls;
    int signal;

    tg_try(tg_secret_init());
    tg_try(read_conf());
    tg_try(tg_tls_new(&tls_options, &tls));
    tg_try(set_tickets(tls));
    if (log_path != NULL)
        tg_try(tg_logfile_new(log_path, &log));
    struct tg_server_options options = {
        .conf = &conf, .listeners = listeners, .listener_count = listener_count, .steps = steps, .backchannel_steps = steps,
        .admin_steps = tg_admin_steps, .find_host = find_host, .tls = tls, .access_log = log, .names = &metric_names,
    };
    tg_try(tg_server_new(&options, &server));
    tg_try(tg_server_start(server));
    dprintf(STDOUT_FILENO, "ready\n");
    while (sigwait(signals, &signal) == 0 && signal == SIGHUP)
        rescan(tls);
    tg_server_drain(server, conf.limits.drain_s);
    dprintf(STDOUT_FILENO, "drained %zu\n", tg_server_connections(server));
    tg_server_free(server);
    tg_logfile_free(log);
    tg_tls_free(tls);
    return 0;
}

int main(int argc, char **argv)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!read_option(argv[i], argv[i + 1])) {
            fprintf(stderr, "serverd: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    if (serve(&signals) == 0)
        return 0;
    fprintf(stderr, "serverd: %s\n", tg_failure());
    return 1;
}
