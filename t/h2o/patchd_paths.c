/*
 * patchd_paths.c - what the paths of the test server do; those that take a body are in patchd_body.c
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "patchd_paths.h"
#include "h2o/http1.h"
#include "h2o/http2.h"

static long argument(h2o_req_t *req)
{
    const char *p = memrchr(req->path.base, '/', req->path.len);

    return strtol(h2o_strdup(&req->pool, p + 1, req->path.base + req->path.len - p - 1).base, NULL, 10);
}

void patchd_answer(h2o_req_t *req, int status, h2o_iovec_t text)
{
    req->res.status = status;
    req->res.reason = status == 200 ? "OK" : "As Asked";
    req->res.content_length = text.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, H2O_STRLIT("text/plain"));
    h2o_send_inline(req, text.base, text.len);
}

h2o_iovec_t patchd_printf(h2o_req_t *req, const char *format, ...)
{
    h2o_iovec_t text = {h2o_mem_alloc_pool(&req->pool, 256), 0};
    va_list args;

    va_start(args, format);
    text.len = vsnprintf(text.base, 256, format, args);
    va_end(args);
    return text;
}

/* --- answers after a while; the operation ends with the request --- */

struct later {
    struct patchd_timer timer;
    h2o_req_t *req;
    int status;
    h2o_iovec_t (*tell)(h2o_req_t *req);
};

static void drop_later(void *p)
{
    patchd_timer_drop(&((struct later *)p)->timer);
}

static h2o_iovec_t partial_text(h2o_req_t *req)
{
    int is_body;
    uint64_t since_ms = h2o_http2_partial_since(req->conn->callbacks->get_socket(req->conn), &is_body);

    if (since_ms == 0)
        return h2o_iovec_init(H2O_STRLIT("none "));
    return patchd_printf(req, "%s %llu", is_body ? "body" : "head", (unsigned long long)(h2o_now(req->conn->ctx->loop) - since_ms));
}

static h2o_iovec_t memory_text(h2o_req_t *req)
{
    h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);

    return patchd_printf(req, "socket=%zu http2=%zu", h2o_socket_get_memory(sock), req->version >= 0x200 ? h2o_http2_get_memory(sock) : 0);
}

static h2o_iovec_t later_text(h2o_req_t *req)
{
    return h2o_iovec_init(H2O_STRLIT("later"));
}

static void on_later(struct patchd_timer *timer)
{
    struct later *later = H2O_STRUCT_FROM_MEMBER(struct later, timer, timer);

    patchd_answer(later->req, later->status, later->tell(later->req));
}

static struct later *answer_later(h2o_req_t *req, int status, uint64_t wait_ms)
{
    struct later *later = h2o_mem_alloc_shared(&req->pool, sizeof(*later), drop_later);

    memset(later, 0, sizeof(*later));
    later->req = req;
    later->status = status;
    later->tell = later_text;
    patchd_timer_start(&later->timer, req->conn->ctx, wait_ms, on_later);
    return later;
}

/* --- paths --- */

static void path_hello(h2o_req_t *req)
{
    patchd_answer(req, 200, h2o_iovec_init(H2O_STRLIT("hello")));
}

static void path_fields(h2o_req_t *req)
{
    static const char *const names[] = {"x-frame-options", "x-content-type-options", "x-some-field", "x-other-field"};

    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL, H2O_STRLIT("max-age=0, private, must-revalidate"));
    for (size_t i = 0; i != sizeof(names) / sizeof(names[0]); ++i)
        h2o_add_header_by_str(&req->pool, &req->res.headers, names[i], strlen(names[i]), 0, NULL, H2O_STRLIT("SAMEORIGIN"));
    path_hello(req);
}

static void path_refuse(h2o_req_t *req)
{
    patchd_answer(req, 403, h2o_iovec_init(H2O_STRLIT("refused")));
}

static void path_refuse_later(h2o_req_t *req)
{
    answer_later(req, 403, argument(req));
}

static void path_delay(h2o_req_t *req)
{
    answer_later(req, 200, argument(req));
}

static void path_probe(h2o_req_t *req)
{
    if (!h2o_http1_probe(req))
        patchd_answer(req, 500, h2o_iovec_init(H2O_STRLIT("not sent")));
    else if (argument(req) == 0)
        path_hello(req);
    else
        answer_later(req, 200, argument(req));
}

/* /bytes/N: byte i is a letter that depends on i only, so that a shift would be seen */
static void path_bytes(h2o_req_t *req)
{
    h2o_iovec_t text = {NULL, argument(req)};

    text.base = h2o_mem_alloc_pool(&req->pool, text.len + 1);
    for (size_t i = 0; i != text.len; ++i)
        text.base[i] = 'a' + (i + i / 251) % 26;
    patchd_answer(req, 200, text);
}

/* /stream/STATUS: nothing says how long it is */
static void path_stream(h2o_req_t *req)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_iovec_t text = {H2O_STRLIT("streamed")};

    req->res.status = (int)argument(req);
    req->res.reason = "Some";
    req->res.content_length = SIZE_MAX;
    h2o_start_response(req, &generator);
    h2o_send(req, &text, 1, H2O_SEND_STATE_FINAL);
}

/* --- one request that others look at --- */

static h2o_req_t *watched;

static void drop_watched(void *p)
{
    watched = NULL;
}

static void path_watched(h2o_req_t *req)
{
    h2o_mem_alloc_shared(&req->pool, 1, drop_watched);
    watched = req;
    path_bytes(req);
}

static void path_watch(h2o_req_t *req)
{
    if (watched == NULL)
        patchd_answer(req, 200, h2o_iovec_init(H2O_STRLIT("gone")));
    else
        patchd_answer(req, 200, patchd_printf(req, "waits=%d sent=%llu", h2o_http2_get_wait(watched),
                                              (unsigned long long)h2o_http2_get_bytes_sent(watched->conn)));
}

static void path_cancel(h2o_req_t *req)
{
    h2o_http2_cancel(watched, H2O_HTTP2_ERROR_CANCEL);
    path_hello(req);
}

static void path_go_away(h2o_req_t *req)
{
    h2o_http2_go_away(watched->conn, (int)argument(req));
    path_hello(req);
}

static void put(h2o_buffer_t **out, h2o_iovec_t text)
{
    h2o_memcpy(h2o_buffer_reserve(out, text.len).base, text.base, text.len);
    (*out)->size += text.len;
}

/* what the handlers see of the request, a line each */
static void path_show(h2o_req_t *req)
{
    const h2o_iovec_t line[] = {req->method, req->scheme->name, req->authority, req->path};
    h2o_buffer_t *out;
    h2o_iovec_t text;

    h2o_buffer_init(&out, &h2o_socket_buffer_prototype);
    for (size_t i = 0; i != sizeof(line) / sizeof(line[0]); ++i) {
        put(&out, line[i]);
        put(&out, h2o_iovec_init(H2O_STRLIT("\n")));
    }
    for (size_t i = 0; i != req->headers.size; ++i) {
        put(&out, *req->headers.entries[i].name);
        put(&out, h2o_iovec_init(H2O_STRLIT(": ")));
        put(&out, req->headers.entries[i].value);
        put(&out, h2o_iovec_init(H2O_STRLIT("\n")));
    }
    text = h2o_strdup(&req->pool, out->bytes, out->size);
    h2o_buffer_dispose(&out);
    patchd_answer(req, 200, text);
}

static void path_stats(h2o_req_t *req)
{
    patchd_answer(req, 200,
                  patchd_printf(req, "requests=%d disposed=%d accepted=%d woken_in_vain=%d epoll_ctl=%d epoll_wait=%d writev=%d",
                                patchd_stats.requests, patchd_stats.disposed, patchd_stats.accepted, patchd_stats.woken_in_vain,
                                patchd_stats.epoll_ctl, patchd_stats.epoll_wait, patchd_stats.writev));
}

static void path_shutdown(h2o_req_t *req)
{
    h2o_context_request_shutdown(req->conn->ctx);
    patchd_answer(req, 200, h2o_iovec_init(H2O_STRLIT("shutting down")));
}

/* the loop does nothing else meanwhile, so what clients send piles up in the kernel */
static void path_block(h2o_req_t *req)
{
    usleep((useconds_t)argument(req) * 1000);
    path_hello(req);
}

static void path_clock(h2o_req_t *req)
{
    patchd_shift_wall_clock(argument(req));
    path_hello(req);
}

/* --- how much one read event brings --- */

static void on_flood_read(h2o_socket_t *sock, const char *err)
{
    h2o_req_t *req = sock->data;
    size_t got = sock->input->size;

    h2o_socket_close(sock);
    patchd_answer(req, 200, patchd_printf(req, "got=%zu", got));
}

static void path_read_cap(h2o_req_t *req)
{
    h2o_socket_max_bytes_per_read = (size_t)argument(req);
    path_hello(req);
}

static void path_flood(h2o_req_t *req)
{
    static const char block[16384];
    int fds[2], size = 1 << 20;
    ssize_t n;
    h2o_socket_t *sock;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        abort();
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    while ((n = write(fds[1], block, sizeof(block))) > 0)
        ;
    close(fds[1]);
    sock = h2o_evloop_socket_create(req->conn->ctx->loop, fds[0], 0);
    sock->data = req;
    h2o_socket_read_start(sock, on_flood_read);
}

/* Whether a frame or a block of fields of this connection is incomplete after a while. */
static void path_partial(h2o_req_t *req)
{
    answer_later(req, 200, argument(req))->tell = partial_text;
}

static void path_memory(h2o_req_t *req)
{
    answer_later(req, 200, argument(req))->tell = memory_text;
}

static const struct {
    const char *prefix;
    void (*run)(h2o_req_t *req);
} paths[] = {
    {"/hello", path_hello},
    {"/fields", path_fields}, /* as /hello, with more fields */
    {"/refuse-later/", path_refuse_later}, /* MS */
    {"/refuse", path_refuse},
    {"/delay/", path_delay}, /* MS */
    {"/partial/", path_partial}, /* MS; HTTP/2 */
    {"/memory/", path_memory},   /* MS */
    {"/probe/", path_probe}, /* MS: HTTP/1 */
    {"/bytes/", path_bytes}, /* N */
    {"/stream/", path_stream}, /* STATUS */
    {"/watched/", path_watched}, /* N: as /bytes, to be looked at */
    {"/watch", path_watch},
    {"/cancel", path_cancel}, /* the watched one */
    {"/go-away/", path_go_away}, /* 0, then 1: its connection */
    {"/show", path_show},
    {"/?", path_show},
    {"*", path_show},
    {"/stats", path_stats},
    {"/shutdown", path_shutdown},
    {"/block/", path_block}, /* MS */
    {"/clock/", path_clock}, /* SECONDS */
    {"/flood", path_flood},
    {"/read-cap/", path_read_cap}, /* BYTES */
    {"/limit/", patchd_limit},       /* N: as /sink, up to N bytes */
    {"/sink-later/", patchd_later},  /* MS: as /sink, opened after a while */
    {"/sink", patchd_sink},          /* "COUNT CRC32" */
    {"/echo", patchd_echo},          /* both ways at once */
    {"/hold", patchd_hold},          /* takes nothing; answers when the body is cut off or the window is full */
    {"/sip/", patchd_sip},           /* MS: as /sink, with a pause when the window is full */
    {"/stall/", patchd_stall},       /* N: takes N bytes, then nothing for half a second */
    {"/early", patchd_early},        /* answers on the first bytes */
    {"/buffer/", patchd_buffer},     /* N: as /sink, by h2o_body_buffer */
    {"/told-trailers", patchd_told_trailers}, /* those of the request, and how many fields are in its head */
    {"/trailers/", patchd_trailers}, /* N: two, one of which is N bytes long, behind "streamed"; with content-length: /trailers/length/N */
};

static void on_disposed(void *p)
{
    __atomic_fetch_add(&patchd_stats.disposed, 1, __ATOMIC_RELAXED);
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    for (size_t i = 0; i != sizeof(paths) / sizeof(paths[0]); ++i) {
        size_t len = strlen(paths[i].prefix);
        if (req->path.len < len || memcmp(req->path.base, paths[i].prefix, len) != 0)
            continue;
        __atomic_fetch_add(&patchd_stats.requests, 1, __ATOMIC_RELAXED);
        h2o_mem_alloc_shared(&req->pool, 1, on_disposed);
        paths[i].run(req);
        return 0;
    }
    return -1;
}

/* a handler of the old kind: the body is in req->entity */
static int on_req_entity(h2o_handler_t *self, h2o_req_t *req)
{
    __atomic_fetch_add(&patchd_stats.requests, 1, __ATOMIC_RELAXED);
    h2o_mem_alloc_shared(&req->pool, 1, on_disposed);
    patchd_answer(req, 200, patchd_count(req, req->entity.base, req->entity.len));
    return 0;
}

void patchd_register_paths(h2o_hostconf_t *host)
{
    h2o_handler_t *handler;

    handler = h2o_create_handler(h2o_config_register_path(host, "/entity", 0), sizeof(*handler));
    handler->on_req = on_req_entity;
    handler = h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));
    handler->on_req = on_req;
    handler->streams_body = 1;
}
