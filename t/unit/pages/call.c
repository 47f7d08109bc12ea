/* Endpoints behind a real server: a listener without TLS, one loop, one worker, clients on raw sockets. */
#include "test.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/call.h"
#include "http/server.h"
#include "http/template.h"

static const struct tg_host host = {TG_HOST_AUTH, "auth.example", "https://auth.example", NULL};
static struct tg_pools pools;
static struct sockaddr_in address = {.sin_family = AF_INET};
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* what /wait waits for */
static _Atomic int begun, runs;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[4096]; /* under the lock */

static int run_echo(struct tg_call *call)
{
    call->reply.status = 200;
    call->reply.content_type = "text/plain; charset=utf-8";
    call->reply.body = tg_text(tg_arena_format(
        &call->arena, "%.*s %.*s q=%.*s tail=%.*s cookie=%.*s auth=%zu accept=%.*s body=%.*s worker=%s context=%s host=%s",
        TG_TEXT_ARGS(call->method), TG_TEXT_ARGS(call->path), TG_TEXT_ARGS(call->query), TG_TEXT_ARGS(call->tail),
        TG_TEXT_ARGS(call->cookie), call->authorization_count, TG_TEXT_ARGS(call->accept), TG_TEXT_ARGS(call->body),
        (const char *)call->worker, (const char *)call->context, call->host->authority));
    return 0;
}

static int run_page(struct tg_call *call)
{
    call->reply.status = 200;
    call->reply.content_type = "text/html; charset=utf-8";
    call->reply.is_page = true;
    call->reply.form_action = "https://code.example";
    call->reply.body = TG_TEXT("<p>page</p>");
    tg_reply_header(&call->reply, TG_TEXT("set-cookie"), TG_TEXT("a=b"));
    tg_reply_header(&call->reply, TG_TEXT("x-evil"), TG_TEXT("a\r\nset-cookie: c=d"));
    return 0;
}

static int run_count(struct tg_call *call)
{
    call->reply.status = 200;
    call->reply.body = tg_text(tg_arena_format(&call->arena, "%zu", call->body.len));
    return 0;
}

static int run_wait(struct tg_call *call)
{
    begun++;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    runs++;
    return run_echo(call);
}

static int run_fail(struct tg_call *call)
{
    call->reply.status = 200;
    tg_reply_header(&call->reply, TG_TEXT("set-cookie"), TG_TEXT("half=done"));
    return tg_fail("the disk is on fire");
}

static int run_busy(struct tg_call *call)
{
    return TG_BUSY;
}

static int run_nothing(struct tg_call *call)
{
    return 0;
}

static const struct tg_endpoint endpoints[] = {
    {"/echo", TG_GET | TG_POST, run_echo, 1000, TG_POOL_COLD},
    {"/count", TG_POST, run_count, 300000, TG_POOL_COLD},
    {"/page", TG_GET, run_page, 0, TG_POOL_COLD},
    {"/two", TG_GET, run_echo, 0, TG_POOL_COLD},
    {"/two", TG_POST, run_count, 5, TG_POOL_COLD},
    {"/c/*/token", TG_POST, run_echo, 1000, TG_POOL_COLD},
    {"/wait", TG_GET, run_wait, 0, TG_POOL_COLD},
    {"/fail", TG_GET, run_fail, 0, TG_POOL_COLD},
    {"/busy", TG_GET, run_busy, 0, TG_POOL_COLD},
    {"/nothing", TG_GET, run_nothing, 0, TG_POOL_COLD},
    {NULL},
};

static enum tg_step_answer step_call(struct tg_visit *visit)
{
    visit->host = &host;
    return tg_call_start(visit, endpoints, &pools, "site") == 0 ? TG_STEP_DONE : TG_STEP_NEXT;
}

static const struct tg_step steps[] = {{"call", step_call}, {NULL, NULL}};
static const struct tg_http_conf conf = {
    .limits = {.threads = 1, .drain_s = 5, .max_connections = 100, .upload_memory = 16 << 20,
               .each = {.head_timeout_s = 10, .body_idle_s = 1, .keepalive_s = 75, .handshake_s = 10, .write_stall_s = 30, .min_rate = 500, .max_age_s = 3600,
                        .max_requests = 100000}},
};
static struct tg_server *server;

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Everything up to the end of the connection, which every request below asks for; one answer at a time. */
static const char *hear(int fd)
{
    static char answer[65536];
    size_t len = 0;
    ssize_t got;

    while (len < sizeof(answer) - 1 && (got = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
        len += (size_t)got;
    answer[len] = '\0';
    close(fd);
    return answer;
}

static const char *ask(const char *line, const char *headers, const char *body)
{
    TG_FREED char *text = tg_format("%s HTTP/1.1\r\nhost: auth.example\r\nconnection: close\r\n%s\r\n%s", line, headers, body);
    int fd = dial();

    say(fd, text);
    return hear(fd);
}

static bool has_status(const char *answer, int status)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 && atoi(answer + 9) == status;
}

static bool has(const char *answer, const char *what)
{
    if (strcasestr(answer, what) != NULL)
        return true;
    print_message("# no \"%s\" in: %s\n", what, answer);
    return false;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");

    return end != NULL ? end + 4 : "";
}

static void an_endpoint_sees_what_was_asked(void **state)
{
    const char *answer = ask("GET /echo?a=b%20c", "cookie: a=1\r\ncookie: b=2\r\nauthorization: x\r\nauthorization: y\r\naccept: z\r\n", "");

    assert_true(has_status(answer, 200));
    assert_string_equal(body_of(answer),
                        "GET /echo q=a=b%20c tail= cookie=a=1; b=2 auth=2 accept=z body= worker=worker context=site host=auth.example");
    answer = ask("POST /echo", "content-length: 5\r\n", "hello");
    assert_true(has(answer, " body=hello "));
    assert_true(has(ask("POST /echo", "content-length: 0\r\n", ""), "POST /echo q= "));
    answer = ask("POST /echo", "transfer-encoding: chunked\r\n", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    assert_true(has(answer, " body=hello "));
}

static void a_row_is_found_by_path_and_method(void **state)
{
    assert_true(has(ask("POST /c/abc%2Fd/token", "content-length: 0\r\n", ""), " tail=abc%2Fd "));
    assert_true(has_status(ask("POST /c//token", "content-length: 0\r\n", ""), 404));
    assert_true(has_status(ask("POST /c/a/b/token", "content-length: 0\r\n", ""), 404));
    assert_true(has_status(ask("GET /echo/", "", ""), 404));
    assert_true(has_status(ask("GET /", "", ""), 404));
    assert_true(has(ask("GET /two", "", ""), "GET /two"));
    assert_string_equal(body_of(ask("POST /two", "content-length: 5\r\n", "12345")), "5");

    const char *answer = ask("DELETE /two", "", "");
    assert_true(has_status(answer, 405) && has(answer, "\r\nallow: GET, HEAD, POST\r\n"));
    answer = ask("POST /page", "content-length: 0\r\n", "");
    assert_true(has_status(answer, 405) && has(answer, "\r\nallow: GET, HEAD\r\n"));
    answer = ask("GET /count", "", "");
    assert_true(has_status(answer, 405) && has(answer, "\r\nallow: POST\r\n"));
}

static void a_body_is_taken_up_to_its_limit(void **state)
{
    static char large[300001];
    TG_FREED char *chunked = NULL;

    memset(large, 'x', sizeof(large) - 1);
    assert_string_equal(body_of(ask("POST /count", "content-length: 300000\r\n", large)), "300000");
    assert_true(has_status(ask("POST /count", "content-length: 300001\r\n", ""), 413));
    chunked = tg_format("493e1\r\n%sx\r\n0\r\n\r\n", large);
    assert_true(has_status(ask("POST /count", "transfer-encoding: chunked\r\n", chunked), 413));
    assert_true(has_status(ask("POST /count", "transfer-encoding: chunked\r\n", "zz\r\n"), 400));
    assert_true(has_status(ask("POST /two", "content-length: 6\r\n", "123456"), 413));
    assert_true(has_status(ask("POST /count", "content-length: 10\r\n", "12345"), 408)); /* and then silence */
}

static void pages_carry_their_policy(void **state)
{
    const char *answer = ask("GET /page", "", "");

    assert_true(has(answer, "\r\ncontent-security-policy: default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; "
                            "base-uri 'none'; form-action 'self' https://code.example\r\n"));
    assert_true(has(answer, "\r\nx-frame-options: DENY\r\n") && has(answer, "\r\nx-content-type-options: nosniff\r\n"));
    assert_true(has(answer, "\r\nreferrer-policy: no-referrer\r\n") && has(answer, "\r\ncache-control: no-store\r\n"));
    assert_true(has(answer, "\r\nset-cookie: a=b\r\n"));
    assert_null(strstr(answer, "c=d"));
    assert_null(strcasestr(answer, "strict-transport-security")); /* this listener has no TLS */

    answer = ask("HEAD /page", "", "");
    assert_true(has_status(answer, 200) && has(answer, "\r\ncontent-length: 11\r\n"));
    assert_string_equal(body_of(answer), "");
}

/* What was logged since the last time. */
static const char *take_log(void)
{
    static char taken[sizeof(log_text)];

    pthread_mutex_lock(&log_lock);
    memcpy(taken, log_text, sizeof(taken));
    log_text[0] = '\0';
    pthread_mutex_unlock(&log_lock);
    return taken;
}

static void failures_are_logged_once_and_told_in_the_clients_language(void **state)
{
    const char *answer, *logged;

    take_log();
    answer = ask("GET /fail", "accept: text/html,*/*\r\n", "");
    assert_true(has_status(answer, 500) && has(answer, "<h1>Something went wrong on our side</h1>") && has(answer, "content-security-policy"));
    assert_null(strstr(answer, "half=done"));
    assert_null(strstr(answer, "fire"));
    logged = take_log();
    assert_true(has(logged, " error endpoint-failed endpoint=/fail host=auth.example request="));
    assert_true(has(logged, " why=\"the disk is on fire\"\n"));
    assert_string_equal(strchr(logged, '\n'), "\n"); /* one line */

    answer = ask("GET /fail", "accept: application/json\r\n", "");
    assert_true(has_status(answer, 500) && has(answer, "{\"error\":\"server_error\",\"error_description\":\""));
    answer = ask("GET /fail", "", "");
    assert_true(has_status(answer, 500) && has(answer, "\r\ncontent-type: text/plain; charset=utf-8\r\n"));

    take_log();
    answer = ask("GET /busy", "accept: application/json\r\n", "");
    assert_true(has_status(answer, 503) && has(answer, "\r\nretry-after: 5\r\n") && has(answer, "\"temporarily_unavailable\""));
    assert_true(has(take_log(), " warn endpoint-busy endpoint=/busy "));

    assert_true(has_status(ask("GET /nothing", "", ""), 500));
    assert_true(has(take_log(), "why=\"the endpoint gave no answer\""));
}

static void a_full_queue_is_503_and_a_client_that_left_is_forgotten(void **state)
{
    int first, second, before = runs, begun_before = begun;
    struct tg_pool_stats stats;

    pthread_mutex_lock(&gate);
    first = dial();
    say(first, "GET /wait HTTP/1.1\r\nhost: a\r\n\r\n"); /* the worker has it */
    while (begun == begun_before)
        usleep(1000);
    second = dial();
    say(second, "GET /wait HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"); /* and this one fills the queue */
    do
        tg_pool_stats(pools.of[TG_POOL_COLD], &stats);
    while (stats.queued == 0);

    const char *answer = ask("GET /echo", "", "");
    assert_true(has_status(answer, 503) && has(answer, "\r\nretry-after: 5\r\n"));

    close(first);
    for (int tenths = 0; tg_server_connections(server) > 1 && tenths < 50; tenths++)
        usleep(100000);
    assert_int_equal(tg_server_connections(server), 1); /* its request is disposed of, its endpoint runs */
    pthread_mutex_unlock(&gate);
    assert_true(has(hear(second), "GET /wait"));
    assert_int_equal(runs, before + 2); /* both ran to their end */
}

static void a_client_that_leaves_while_sending_is_forgotten(void **state)
{
    int fd = dial();

    say(fd, "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n12345");
    usleep(100000);
    close(fd);
    assert_true(has_status(ask("GET /echo", "", ""), 200));
}

static void *make_worker(void *context)
{
    return context;
}

static void free_worker(void *worker)
{
}

static void keep_log(const char *line, size_t len)
{
    pthread_mutex_lock(&log_lock);
    size_t had = strlen(log_text);
    snprintf(log_text + had, sizeof(log_text) - had, "%.*s", (int)len, line);
    pthread_mutex_unlock(&log_lock);
}

static int start(void **state)
{
    static char worker[] = "worker";
    struct tg_pool_options pool = {"cold", 1, 1, make_worker, free_worker, worker};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(address);
    static struct tg_listener listener = {.kind = TG_LISTEN_BACKCHANNEL};
    struct tg_server_options options = {.conf = &conf, .listeners = &listener, .listener_count = 1, .steps = steps, .backchannel_steps = steps,
                                        .admin_steps = steps};

    listener.fd = fd;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 1;
    tg_log_set_sink(keep_log);
    signal(SIGPIPE, SIG_IGN);
    if (tg_secret_init() != 0 || tg_templates_load(NULL, &pools.templates) != 0 || tg_pool_new(&pool, &pools.of[TG_POOL_COLD]) != 0)
        return 1;
    return tg_server_new(&options, &server) != 0 || tg_server_start(server) != 0;
}

static int stop(void **state)
{
    tg_pool_free(pools.of[TG_POOL_COLD]);
    tg_server_drain(server, 5);
    tg_server_free(server);
    tg_templates_free(pools.templates);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endpoint_sees_what_was_asked),
        cmocka_unit_test(a_row_is_found_by_path_and_method),
        cmocka_unit_test(a_body_is_taken_up_to_its_limit),
        cmocka_unit_test(pages_carry_their_policy),
        cmocka_unit_test(failures_are_logged_once_and_told_in_the_clients_language),
        cmocka_unit_test(a_full_queue_is_503_and_a_client_that_left_is_forgotten),
        cmocka_unit_test(a_client_that_leaves_while_sending_is_forgotten),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, start, stop);
}
