#include "scratch.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/clock.h"
#include "io/fetch.h"

/* A server that answers by path, one connection at a time. */
struct listener {
    int fd;
    pthread_t thread;
    char url[64];
    _Atomic int connections;
};

enum { REQUEST = 8192 };

static void send_all(int fd, const char *bytes, size_t len)
{
    for (ssize_t n; len > 0 && (n = send(fd, bytes, len, MSG_NOSIGNAL)) > 0; bytes += n, len -= (size_t)n)
        ;
}

static void send_answer(int fd, const char *head, const char *body, size_t len)
{
    TG_FREED char *text = tg_format("HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, len);

    send_all(fd, text, strlen(text));
    send_all(fd, body, len);
}

static void send_long_head(int fd)
{
    char line[5000];

    memset(line, 'x', sizeof(line));
    line[1] = ':';
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    send_all(fd, "HTTP/1.1 200 OK\r\n", 17);
    for (int i = 0; i < 20; i++)
        send_all(fd, line, sizeof(line));
    send_all(fd, "\r\n", 2);
}

/* A whole request with its body, terminated; false at the end of the connection. */
static bool read_request(int fd, char request[REQUEST])
{
    size_t len = 0, wanted = 0;

    while (wanted == 0 || len < wanted) {
        ssize_t n = recv(fd, request + len, REQUEST - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        request[len] = '\0';
        char *end = strstr(request, "\r\n\r\n");
        if (end != NULL) {
            char *length = strcasestr(request, "\r\ncontent-length:");
            wanted = (size_t)(end + 4 - request) + (length != NULL ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    return true;
}

static bool answer(int fd, const char *request)
{
    static char large[2 << 20];
    const char *path = strchr(request, ' ') + 1;

    if (strncmp(path, "/echo", 5) == 0) {
        send_answer(fd, "201 Created\r\nContent-Type: Text/Plain; Charset=UTF-8", request, strlen(request));
    } else if (strncmp(path, "/redirect", 9) == 0) {
        send_answer(fd, "302 Found\r\nLocation: /echo", "", 0);
    } else if (strncmp(path, "/large", 6) == 0) {
        send_answer(fd, "200 OK", large, sizeof(large));
    } else if (strncmp(path, "/head", 5) == 0) {
        send_long_head(fd);
    } else if (strncmp(path, "/slow", 5) == 0) {
        send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal", 41);
        char more;
        while (recv(fd, &more, 1, 0) > 0)
            ;
        return false;
    } else { /* "/short" and all else: less than was promised */
        send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 42);
        return false;
    }
    return true;
}

static void *serve(void *argument)
{
    struct listener *listener = argument;
    char request[REQUEST];
    int fd;

    while ((fd = accept(listener->fd, NULL, NULL)) >= 0) {
        listener->connections++;
        while (read_request(fd, request) && answer(fd, request))
            ;
        close(fd);
    }
    return NULL;
}

static void start_listener(struct listener *listener, const char *unix_path)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(tcp);

    *listener = (struct listener){.fd = socket(unix_path != NULL ? AF_UNIX : AF_INET, SOCK_STREAM, 0)};
    if (unix_path != NULL) {
        snprintf(local.sun_path, sizeof(local.sun_path), "%s", unix_path);
        assert_int_equal(bind(listener->fd, (struct sockaddr *)&local, sizeof(local)), 0);
    } else {
        assert_int_equal(bind(listener->fd, (struct sockaddr *)&tcp, sizeof(tcp)), 0);
        assert_int_equal(getsockname(listener->fd, (struct sockaddr *)&tcp, &len), 0);
        snprintf(listener->url, sizeof(listener->url), "http://127.0.0.1:%d", ntohs(tcp.sin_port));
    }
    assert_int_equal(listen(listener->fd, 8), 0);
    assert_int_equal(pthread_create(&listener->thread, NULL, serve, listener), 0);
}

/* After the fetcher is gone, whose connection it may be reading. */
static void stop_listener(struct listener *listener)
{
    shutdown(listener->fd, SHUT_RDWR);
    pthread_join(listener->thread, NULL);
    close(listener->fd);
}

struct fixture {
    struct listener listener;
    struct tg_fetcher *fetcher;
    struct tg_arena arena;
    struct tg_fetched out;
};

static int start(void **state)
{
    struct fixture *f = tg_alloc(sizeof(*f));

    start_listener(&f->listener, NULL);
    *state = f;
    return tg_fetcher_new(&f->fetcher);
}

static int stop(void **state)
{
    struct fixture *f = *state;

    tg_fetcher_free(f->fetcher);
    stop_listener(&f->listener);
    tg_arena_done(&f->arena);
    free(f);
    return 0;
}

static int get(struct fixture *f, const char *path, int64_t timeout_ms, size_t limit)
{
    const char *url = tg_arena_format(&f->arena, "%s%s", f->listener.url, path);

    return tg_fetch(f->fetcher, &(struct tg_fetch){.url = url, .timeout_ms = timeout_ms, .limit = limit}, &f->arena, &f->out);
}

static void a_call_says_what_it_was_told(void **state)
{
    struct fixture *f = *state;
    const char *const headers[] = {"Authorization: token abc", "Content-Type: application/json", NULL};
    struct tg_fetch what = {
        .method = "PATCH",
        .url = tg_arena_format(&f->arena, "%s/echo/../x%%2Fy?q=1", f->listener.url),
        .headers = headers,
        .body = TG_TEXT("{\"a\":1}"),
    };

    assert_result(0, tg_fetch(f->fetcher, &what, &f->arena, &f->out));
    assert_int_equal(f->out.status, 201);
    assert_true(tg_text_is(f->out.content_type, "text/plain"));
    assert_true(tg_text_starts(f->out.body, "PATCH /echo/../x%2Fy?q=1 HTTP/1.1\r\n"));
    assert_true(tg_text_ends(f->out.body, "\r\n\r\n{\"a\":1}"));
    assert_non_null(strstr(f->out.body.base, "\r\nAuthorization: token abc\r\n"));
    assert_non_null(strstr(f->out.body.base, "\r\nContent-Type: application/json\r\n"));
    assert_null(strcasestr(f->out.body.base, "\r\nExpect:"));
}

static void a_call_without_a_body_sends_none(void **state)
{
    struct fixture *f = *state;
    struct tg_fetch what = {.method = "POST", .url = tg_arena_format(&f->arena, "%s/echo", f->listener.url)};

    assert_result(0, get(f, "/echo", 0, 0));
    assert_true(tg_text_starts(f->out.body, "GET /echo HTTP/1.1\r\n"));
    assert_null(strcasestr(f->out.body.base, "\r\nContent-"));
    assert_result(0, tg_fetch(f->fetcher, &what, &f->arena, &f->out));
    assert_true(tg_text_starts(f->out.body, "POST /echo HTTP/1.1\r\n"));
    assert_non_null(strcasestr(f->out.body.base, "\r\nContent-Length: 0\r\n"));
    assert_null(strcasestr(f->out.body.base, "\r\nContent-Type:"));
    assert_int_equal(f->listener.connections, 1); /* kept between calls */
}

static void redirects_are_not_followed(void **state)
{
    struct fixture *f = *state;

    assert_result(0, get(f, "/redirect", 0, 0));
    assert_int_equal(f->out.status, 302);
    assert_int_equal(f->out.body.len, 0);
    assert_non_null(f->out.body.base);
}

static void the_environment_is_not_asked(void **state)
{
    struct fixture *f = *state;

    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    assert_result(0, get(f, "/echo", 0, 0));
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void a_slow_answer_ends_in_time(void **state)
{
    struct fixture *f = *state;
    int64_t start_ms = tg_monotonic_ms();

    assert_result(TG_FETCH_TIMEOUT, get(f, "/slow?token=secret", 300, 0));
    assert_in_range(tg_monotonic_ms() - start_ms, 250, 1500);
    assert_non_null(strstr(tg_failure(), "/slow"));
    assert_null(strstr(tg_failure(), "secret"));
}

static void a_large_answer_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_result(TG_FETCH_TOO_LARGE, get(f, "/large", 0, 0));
    assert_result(TG_FETCH_TOO_LARGE, get(f, "/large", 0, (2 << 20) - 1));
    assert_result(0, get(f, "/large", 0, 2 << 20));
    assert_int_equal(f->out.body.len, 2 << 20);
    assert_result(TG_FETCH_TOO_LARGE, get(f, "/head", 0, 0));
}

static void half_an_answer_is_none(void **state)
{
    struct fixture *f = *state;

    assert_result(TG_FETCH_UNREACHABLE, get(f, "/short", 0, 0));
}

static void nobody_there_is_unreachable(void **state)
{
    struct fixture *f = *state;
    struct tg_fetch what = {.url = "http://127.0.0.1:1/", .timeout_ms = 2000};

    assert_result(TG_FETCH_UNREACHABLE, tg_fetch(f->fetcher, &what, &f->arena, &f->out));
    what = (struct tg_fetch){.url = "http://unix/", .unix_path = "/nowhere/at/all"};
    assert_result(TG_FETCH_UNREACHABLE, tg_fetch(f->fetcher, &what, &f->arena, &f->out));
}

static void what_is_no_call_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http://a b/", ""};
    const char *const headers[] = {"X: a\r\nY: b", NULL};

    for (size_t i = 0; i < tg_count(urls); i++)
        assert_result(TG_FAILED, tg_fetch(f->fetcher, &(struct tg_fetch){.url = urls[i]}, &f->arena, &f->out));
    struct tg_fetch what = {.url = f->listener.url, .headers = headers};
    assert_result(TG_FAILED, tg_fetch(f->fetcher, &what, &f->arena, &f->out));
    assert_int_equal(f->listener.connections, 0);
}

static void a_unix_socket_stands_for_the_host(void **state)
{
    struct scratch *scratch = *state;
    struct tg_fetcher *fetcher;
    struct listener listener;
    struct tg_arena arena = {0};
    struct tg_fetched out;
    struct tg_fetch what = {.url = "http://code.example/echo", .unix_path = scratch->path};

    start_listener(&listener, scratch->path);
    assert_result(0, tg_fetcher_new(&fetcher));
    assert_result(0, tg_fetch(fetcher, &what, &arena, &out));
    assert_non_null(strstr(out.body.base, "\r\nHost: code.example\r\n"));
    tg_fetcher_free(fetcher);
    stop_listener(&listener);
    tg_arena_done(&arena);
}

#define call_test(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        call_test(a_call_says_what_it_was_told),
        call_test(a_call_without_a_body_sends_none),
        call_test(redirects_are_not_followed),
        call_test(the_environment_is_not_asked),
        call_test(a_slow_answer_ends_in_time),
        call_test(a_large_answer_is_refused),
        call_test(half_an_answer_is_none),
        call_test(nobody_there_is_unreachable),
        call_test(what_is_no_call_is_refused),
        scratch_test(a_unix_socket_stands_for_the_host),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
