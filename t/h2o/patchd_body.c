/*
 * patchd_body.c - readers of streamed request bodies (h2o_body_t in h2o.h)
 */
#include <stdlib.h>
#include <zlib.h>
#include "patchd_paths.h"
#include "h2o/trailers.h"

h2o_iovec_t patchd_count(h2o_req_t *req, const char *bytes, size_t len)
{
    return patchd_printf(req, "%zu %08lx", len, crc32(0, (const void *)bytes, (uInt)len));
}

static uint64_t argument(h2o_req_t *req)
{
    const char *p = memrchr(req->path.base, '/', req->path.len);

    return strtoull(h2o_strdup(&req->pool, p + 1, req->path.base + req->path.len - p - 1).base, NULL, 10);
}

/* --- sink: counts what comes --- */

struct sink {
    uint64_t count;
    uLong crc;
    uint64_t max;
    struct patchd_timer timer;
    h2o_req_t *req;
};

static void on_sink(h2o_req_t *req, h2o_body_event_t event)
{
    struct sink *sink = req->body->data;
    size_t len = req->body->buf->size;

    if (event > H2O_BODY_END) {
        h2o_body_send_error(req, event);
        return;
    }
    if (len != 0) /* NULL would start anew */
        sink->crc = crc32(sink->crc, (const void *)req->body->buf->bytes, (uInt)len);
    sink->count += len;
    h2o_buffer_consume(&req->body->buf, len);
    h2o_body_ack(req, len);
    if (event == H2O_BODY_END)
        patchd_answer(req, 200, patchd_printf(req, "%llu %08lx", (unsigned long long)sink->count, sink->crc));
}

static struct sink *create_sink(h2o_req_t *req, void (*dispose)(void *))
{
    struct sink *sink = h2o_mem_alloc_shared(&req->pool, sizeof(*sink), dispose);

    memset(sink, 0, sizeof(*sink));
    sink->req = req;
    return sink;
}

static void open_sink(struct sink *sink)
{
    h2o_req_t *req = sink->req;

    if (req->body == NULL)
        patchd_answer(req, 200, patchd_count(req, "", 0));
    else if (h2o_body_open(req, sink->max, on_sink, sink) != 0)
        h2o_body_send_error(req, H2O_BODY_TOO_LARGE);
}

void patchd_sink(h2o_req_t *req)
{
    struct sink *sink = create_sink(req, NULL);

    sink->max = UINT64_MAX;
    open_sink(sink);
}

void patchd_limit(h2o_req_t *req)
{
    struct sink *sink = create_sink(req, NULL);

    sink->max = argument(req);
    open_sink(sink);
}

static void drop_timer(void *p)
{
    patchd_timer_drop(&((struct sink *)p)->timer);
}

static void on_decided(struct patchd_timer *timer)
{
    open_sink(H2O_STRUCT_FROM_MEMBER(struct sink, timer, timer));
}

void patchd_later(h2o_req_t *req)
{
    struct sink *sink = create_sink(req, drop_timer);

    sink->max = UINT64_MAX;
    patchd_timer_start(&sink->timer, req->conn->ctx, argument(req), on_decided);
}

/* --- echo: what was read is acknowledged when it has been sent --- */

struct echo {
    h2o_generator_t generator;
    h2o_buffer_t *sending;
    int is_sending, has_ended;
};

static void drop_echo(void *p)
{
    h2o_buffer_dispose(&((struct echo *)p)->sending);
}

static void send_echo(h2o_req_t *req, struct echo *echo)
{
    h2o_buffer_t *t = echo->sending;
    h2o_iovec_t vec;

    if (echo->is_sending || (req->body->buf->size == 0 && !echo->has_ended))
        return;
    echo->sending = req->body->buf;
    req->body->buf = t;
    echo->is_sending = 1;
    vec = h2o_iovec_init(echo->sending->bytes, echo->sending->size);
    h2o_send(req, &vec, vec.len != 0, echo->has_ended ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

static void proceed_echo(h2o_generator_t *self, h2o_req_t *req)
{
    struct echo *echo = H2O_STRUCT_FROM_MEMBER(struct echo, generator, self);
    size_t len = echo->sending->size;

    h2o_buffer_consume(&echo->sending, len);
    echo->is_sending = 0;
    h2o_body_ack(req, len);
    send_echo(req, echo);
}

static void on_echo(h2o_req_t *req, h2o_body_event_t event)
{
    struct echo *echo = req->body->data;

    if (event > H2O_BODY_END) {
        if (!echo->is_sending)
            h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
        return;
    }
    echo->has_ended = event == H2O_BODY_END;
    send_echo(req, echo);
}

void patchd_echo(h2o_req_t *req)
{
    struct echo *echo;

    if (req->body == NULL) {
        patchd_answer(req, 200, h2o_iovec_init(NULL, 0));
        return;
    }
    echo = h2o_mem_alloc_shared(&req->pool, sizeof(*echo), drop_echo);
    *echo = (struct echo){{proceed_echo, NULL}};
    h2o_buffer_init(&echo->sending, &h2o_socket_buffer_prototype);
    h2o_body_open(req, UINT64_MAX, on_echo, echo);
    req->res.status = 200;
    h2o_start_response(req, &echo->generator);
}

/* --- the rest --- */

/* acknowledges what comes until it is as much as the path says, then nothing for half a second, then everything */
struct stall {
    struct patchd_timer timer;
    h2o_req_t *req;
    uint64_t until, count;
    int is_stalled;
};

static void drop_stall(void *p)
{
    patchd_timer_drop(&((struct stall *)p)->timer);
}

static void on_stall_over(struct patchd_timer *timer)
{
    struct stall *stall = H2O_STRUCT_FROM_MEMBER(struct stall, timer, timer);

    stall->until = UINT64_MAX;
    stall->is_stalled = 0;
    h2o_body_ack(stall->req, stall->req->body->unacked);
}

static void on_stall(h2o_req_t *req, h2o_body_event_t event)
{
    struct stall *stall = req->body->data;
    size_t len = req->body->buf->size;

    stall->count += len;
    h2o_buffer_consume(&req->body->buf, len);
    if (event > H2O_BODY_END) {
        h2o_body_send_error(req, event);
    } else if (event == H2O_BODY_END) {
        patchd_answer(req, 200, patchd_printf(req, "%llu", (unsigned long long)stall->count));
    } else if (stall->count < stall->until) {
        h2o_body_ack(req, len);
    } else if (!stall->is_stalled) {
        stall->is_stalled = 1;
        patchd_timer_start(&stall->timer, req->conn->ctx, 500, on_stall_over);
    }
}

void patchd_stall(h2o_req_t *req)
{
    struct stall *stall = h2o_mem_alloc_shared(&req->pool, sizeof(*stall), drop_stall);

    memset(stall, 0, sizeof(*stall));
    stall->req = req;
    stall->until = argument(req);
    if (req->body == NULL)
        patchd_answer(req, 200, h2o_iovec_init(H2O_STRLIT("0")));
    else
        h2o_body_open(req, UINT64_MAX, on_stall, stall);
}

/* nothing is acknowledged, so that the client runs into the window; the answer says how much came */
static void on_hold(h2o_req_t *req, h2o_body_event_t event)
{
    if (event > H2O_BODY_END)
        h2o_body_send_error(req, event);
    else if (event == H2O_BODY_END || req->body->unacked >= req->body->window)
        patchd_answer(req, 200, patchd_printf(req, "%zu", req->body->unacked));
}

void patchd_hold(h2o_req_t *req)
{
    if (req->body == NULL)
        patchd_answer(req, 200, h2o_iovec_init(H2O_STRLIT("0")));
    else
        h2o_body_open(req, UINT64_MAX, on_hold, NULL);
}

/* takes a whole window, acknowledges some bytes of it, and goes on after a while */
static void on_thirst(struct patchd_timer *timer)
{
    struct sink *sink = H2O_STRUCT_FROM_MEMBER(struct sink, timer, timer);

    sink->max = 0;
    h2o_body_ack(sink->req, sink->req->body->unacked);
}

static void on_sip(h2o_req_t *req, h2o_body_event_t event)
{
    struct sink *sink = req->body->data;

    h2o_buffer_consume(&req->body->buf, req->body->buf->size);
    if (event == H2O_BODY_END) {
        patchd_answer(req, 200, patchd_printf(req, "%llu", (unsigned long long)req->body->received));
    } else if (event != H2O_BODY_DATA) {
        h2o_body_send_error(req, event);
    } else if (sink->max == 0) {
        h2o_body_ack(req, req->body->unacked);
    } else if (req->body->unacked >= req->body->window) {
        h2o_body_ack(req, 1000);
        patchd_timer_start(&sink->timer, req->conn->ctx, sink->max, on_thirst);
    }
}

static void drop_sip(void *p)
{
    patchd_timer_drop(&((struct sink *)p)->timer);
}

void patchd_sip(h2o_req_t *req)
{
    struct sink *sink = create_sink(req, drop_sip);

    sink->max = argument(req);
    h2o_body_open(req, UINT64_MAX, on_sip, sink);
}

static void on_early(h2o_req_t *req, h2o_body_event_t event)
{
    if (req->body->data != NULL)
        return;
    req->body->data = req;
    patchd_answer(req, 409, h2o_iovec_init(H2O_STRLIT("early")));
}

void patchd_early(h2o_req_t *req)
{
    if (req->body == NULL)
        patchd_answer(req, 409, h2o_iovec_init(H2O_STRLIT("early")));
    else
        h2o_body_open(req, UINT64_MAX, on_early, NULL);
}

static void on_buffered(h2o_req_t *req, h2o_body_event_t event)
{
    if (event != H2O_BODY_END)
        h2o_body_send_error(req, event);
    else
        patchd_answer(req, 200, patchd_count(req, req->entity.base, req->entity.len));
}

void patchd_buffer(h2o_req_t *req)
{
    if (req->body == NULL)
        patchd_answer(req, 200, patchd_count(req, "", 0));
    else if (h2o_body_buffer(req, argument(req), on_buffered) != 0)
        h2o_body_send_error(req, H2O_BODY_TOO_LARGE);
}

/* --- trailers --- */

static void on_told(h2o_req_t *req, h2o_body_event_t event)
{
    h2o_headers_t *trailers = req->body->trailers;
    h2o_iovec_t count = patchd_printf(req, "%zu in the head\n", req->headers.size), text = {"", 0};

    if (event == H2O_BODY_DATA) {
        h2o_body_ack(req, req->body->unacked);
        return;
    }
    if (event != H2O_BODY_END) {
        h2o_body_send_error(req, event);
        return;
    }
    if (trailers != NULL)
        text = h2o_trailers_flatten(trailers, &req->pool);
    patchd_answer(req, 200, h2o_concat(&req->pool, count, text));
}

void patchd_told_trailers(h2o_req_t *req)
{
    if (req->body == NULL)
        patchd_answer(req, 200, h2o_iovec_init(H2O_STRLIT("no body")));
    else
        h2o_body_open(req, UINT64_MAX, on_told, NULL);
}

void patchd_trailers(h2o_req_t *req)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_headers_t *trailers = h2o_mem_alloc_pool(&req->pool, sizeof(*trailers));
    h2o_iovec_t text = {H2O_STRLIT("streamed")}, value = {NULL, argument(req)};

    value.base = h2o_mem_alloc_pool(&req->pool, value.len + 1);
    memset(value.base, 'l', value.len);
    *trailers = (h2o_headers_t){NULL};
    h2o_add_header_by_str(&req->pool, trailers, H2O_STRLIT("x-sum"), 0, NULL, H2O_STRLIT("9"));
    h2o_add_header_by_str(&req->pool, trailers, H2O_STRLIT("x-long"), 0, NULL, value.base, value.len);
    req->res.status = 200;
    if (memmem(req->path.base, req->path.len, H2O_STRLIT("length")) != NULL)
        req->res.content_length = text.len;
    req->res.trailers = trailers;
    h2o_start_response(req, &generator);
    h2o_send(req, &text, 1, H2O_SEND_STATE_FINAL);
}
