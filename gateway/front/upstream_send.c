/* upstream_send.c - the request to Gitea: its head, then its body as it comes; see upstream.h */
#include <h2o/trailers.h>
#include "base/result.h"
#include "front/refuse.h"
#include "front/request_head.h"
#include "front/state.h"
#include "front/trailers.h"

static void on_written(h2o_socket_t *sock, const char *error)
{
    struct tg_wire *wire = sock->data;
    struct tg_exchange *exchange = wire->exchange;
    size_t written = exchange->writing != NULL ? exchange->writing->size : 0;

    exchange->in_flight = false;
    if (written != 0)
        h2o_buffer_consume(&exchange->writing, written);
    if (error != NULL) {
        exchange->write_dead = true; /* an answer may have come before */
        tg_exchange_arm(exchange);
        return;
    }
    if (written != 0)
        h2o_body_ack(tg_exchange_req(exchange), written);
    tg_exchange_send(exchange);
    tg_exchange_arm(exchange);
}

static size_t hex_line(char *out, size_t number)
{
    char digits[16];
    size_t at = sizeof(digits), len;

    do
        digits[--at] = "0123456789abcdef"[number & 15];
    while ((number >>= 4) != 0);
    len = sizeof(digits) - at;
    memcpy(out, digits + at, len);
    memcpy(out + len, "\r\n", 2);
    return len + 2;
}

/* Puts the trailers where the empty line stood, with which the last piece ended. */
static h2o_iovec_t end_with_trailers(h2o_req_t *req, h2o_iovec_t *last)
{
    tg_trailers_clear(req->body->trailers, &req->headers);
    last->len -= 2;
    return h2o_trailers_flatten(req->body->trailers, &req->pool);
}

/* Takes what has arrived of the body; the number of pieces put into v (at most 4). */
static size_t take_body(struct tg_exchange *exchange, h2o_body_t *body, h2o_iovec_t *v)
{
    static const char tail[] = "\r\n0\r\n\r\n";
    size_t n = 0, len = body->buf->size;

    if (len != 0) { /* swap the buffers: nothing is copied */
        h2o_buffer_t *empty = exchange->writing;

        exchange->writing = body->buf;
        if (empty != NULL)
            body->buf = empty;
        else
            h2o_buffer_init(&body->buf, &h2o_socket_buffer_prototype);
        if (exchange->chunked)
            v[n++] = h2o_iovec_init(exchange->chunk_size, hex_line(exchange->chunk_size, len));
        v[n++] = h2o_iovec_init(exchange->writing->bytes, len);
    }
    exchange->request_done = body->ended;
    if (exchange->chunked && (len != 0 || body->ended))
        v[n++] = h2o_iovec_init(tail + (len == 0 ? 2 : 0), (len == 0 ? 0 : 2) + (body->ended ? 5 : 0));
    if (exchange->chunked && body->ended && body->trailers != NULL) {
        v[n] = end_with_trailers(tg_exchange_req(exchange), &v[n - 1]);
        ++n;
    }
    return n;
}

void tg_exchange_send(struct tg_exchange *exchange)
{
    h2o_body_t *body = tg_exchange_req(exchange)->body;
    h2o_iovec_t v[5];
    size_t n = 0;

    if (exchange->in_flight || exchange->write_dead || exchange->request_done || exchange->wire == NULL)
        return;
    if (!exchange->head_sent) {
        exchange->head_sent = true;
        v[n++] = exchange->head;
    }
    if (body == NULL)
        exchange->request_done = true;
    else if (exchange->body_open)
        n += take_body(exchange, body, v + n);
    if (n == 0)
        return;
    exchange->in_flight = true;
    h2o_socket_write(exchange->wire->sock, v, n, on_written);
}

static void on_body(h2o_req_t *req, h2o_body_event_t event)
{
    struct tg_exchange *exchange = req->body->data;
    struct tg_visit *visit = exchange->visit;

    if (exchange->finished || visit->is_gone)
        return;
    if (event == H2O_BODY_DATA || event == H2O_BODY_END) {
        if (req->body->trailers != NULL)
            tg_exchange_tell_held(exchange);
        tg_exchange_send(exchange);
        tg_exchange_arm(exchange);
        return;
    }
    if (exchange->started) {
        tg_exchange_fail(exchange, TG_ERROR_BAD_REQUEST, "request-body");
        return;
    }
    tg_wire_leave(exchange, false);
    exchange->finished = true;
    tg_refuse_body(visit, event);
}

/* The body is opened only now, so that a client that waits for "100 Continue" sends nothing for a Gitea that is down. */
void tg_exchange_write_head(struct tg_exchange *exchange)
{
    h2o_req_t *req = tg_exchange_req(exchange);
    int64_t limit = exchange->upstream->conf->body_limit;

    if (req->body != NULL && req->body->opened && !exchange->body_open) { /* it was looked at, and is here whole */
        exchange->body_open = true;
    } else if (req->body != NULL && !exchange->body_open) {
        exchange->body_open = true;
        if (h2o_body_open(req, limit > 0 ? (uint64_t)limit : UINT64_MAX, on_body, exchange) != 0) {
            tg_exchange_fail(exchange, TG_ERROR_TOO_LARGE, "body-limit");
            return;
        }
    }
    tg_exchange_send(exchange);
    tg_exchange_arm(exchange);
}
