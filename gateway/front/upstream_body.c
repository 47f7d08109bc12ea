/*
 * upstream_body.c - the body of Gitea's answer to the client; see upstream.h
 *
 * Decoded bytes gather at the start of the wire's input. When the client has taken what it was sent, the whole input buffer is taken from
 * the wire and sent: nothing is copied. Reading stops while too much waits, so a slow client slows Gitea down.
 */
#include <h2o/trailers.h>
#include "base/result.h"
#include "front/sign_in.h"
#include "front/state.h"
#include "front/trailers.h"

int tg_exchange_on_trailer(struct phr_chunked_decoder *chunks, char c)
{
    struct tg_exchange *exchange = H2O_STRUCT_FROM_MEMBER(struct tg_exchange, chunks, chunks);

    return h2o_trailers_feed(&exchange->trailers, &tg_exchange_req(exchange)->pool, c);
}

/* What Connection has named in the head is not known any more. */
static void pass_trailers(struct tg_exchange *exchange)
{
    static const h2o_headers_t no_head;

    if (exchange->answer.names_fields)
        return;
    tg_trailers_clear(exchange->trailers, &no_head);
    if (exchange->trailers->size != 0)
        tg_exchange_req(exchange)->res.trailers = exchange->trailers;
}

int tg_exchange_decode(struct tg_exchange *exchange, char *bytes, size_t len, size_t *decoded)
{
    *decoded = len;
    if (exchange->answer_done) {
        *decoded = 0;
        exchange->answer.keep_alive = exchange->answer.keep_alive && len == 0;
    } else if (exchange->left == TG_LEFT_CHUNKED) {
        ssize_t behind = len != 0 ? phr_decode_chunked(&exchange->chunks, bytes, decoded) : -2;

        if (behind == -1)
            return TG_FAILED;
        exchange->answer_done = behind >= 0;
        if (behind > 0)
            exchange->answer.keep_alive = false;
    } else if (exchange->left != TG_LEFT_UNTIL_CLOSE) {
        if (len > exchange->left) {
            *decoded = (size_t)exchange->left;
            exchange->answer.keep_alive = false;
        }
        exchange->left -= *decoded;
        exchange->answer_done = exchange->left == 0;
    }
    return 0;
}

/* What waits for the client; taken away from where it was received. */
static h2o_iovec_t take_bytes(struct tg_exchange *exchange)
{
    struct tg_front_loop *part = exchange->upstream->part;
    h2o_iovec_t bytes = {NULL, 0};
    h2o_socket_t *sock;

    if (exchange->head_rest != SIZE_MAX) {
        bytes = h2o_iovec_init(exchange->head_buffer->bytes + exchange->head_rest, exchange->head_buffer->size - exchange->head_rest);
        exchange->head_rest = SIZE_MAX;
    } else if (exchange->wire != NULL && exchange->decoded != 0) {
        bool is_long = exchange->left > 16384 && exchange->left < TG_LEFT_CHUNKED && !tg_visit_is_tight(exchange->visit);

        sock = exchange->wire->sock;
        exchange->flying = sock->input;
        h2o_buffer_init(&sock->input, is_long ? &part->body_buffers : &part->head_buffers);
        bytes = h2o_iovec_init(exchange->flying->bytes, exchange->flying->size);
        exchange->decoded = 0;
    }
    return bytes;
}

static void settle_wire(struct tg_exchange *exchange)
{
    struct tg_wire *wire = exchange->wire;
    bool clean;

    if (wire == NULL)
        return;
    if (exchange->answer_done && exchange->decoded == 0) {
        clean = exchange->request_done && !exchange->in_flight && !exchange->write_dead && !exchange->failed;
        tg_wire_leave(exchange, clean && exchange->answer.keep_alive);
    } else if (exchange->paused && exchange->decoded < TG_UPSTREAM_WAITING) {
        exchange->paused = false;
        tg_wire_read(wire);
    }
}

/* The head alone. libh2o's filters keep an empty send to themselves, so it goes to what stands behind them: the connection. */
static void send_head(h2o_req_t *req)
{
    h2o_ostream_t *last = req->_ostr_top;

    while (last->next != NULL)
        last = last->next;
    last->do_send(last, req, NULL, 0, H2O_SEND_STATE_IN_PROGRESS);
}

static size_t capacity_of(const h2o_buffer_t *buffer)
{
    return buffer != NULL && buffer->bytes != NULL ? buffer->capacity : 0; /* nothing is allocated before the first byte */
}

static size_t size_of_trailers(const struct tg_exchange *exchange)
{
    const h2o_body_t *body = tg_exchange_req(exchange)->body;

    return (exchange->trailers != NULL ? TG_TRAILERS_HELD : 0) + (body != NULL && body->trailers != NULL ? TG_TRAILERS_HELD : 0);
}

void tg_exchange_tell_held(struct tg_exchange *exchange)
{
    tg_visit_hold(exchange->visit, 2 * exchange->head.len + capacity_of(exchange->head_buffer) + capacity_of(exchange->flying) +
                                       (exchange->wire != NULL ? capacity_of(exchange->wire->sock->input) : 0) +
                                       size_of_trailers(exchange));
}

/* Sends what there is if the client can take it. The exchange may be gone afterwards. */
void tg_exchange_pump(struct tg_exchange *exchange)
{
    h2o_req_t *req = tg_exchange_req(exchange);
    h2o_iovec_t bytes;
    h2o_send_state_t last;

    tg_exchange_tell_held(exchange);
    if (exchange->finished || exchange->sending || exchange->parked || !exchange->started)
        return;
    bytes = take_bytes(exchange);
    settle_wire(exchange);
    if (exchange->answer_done && exchange->wire == NULL) {
        exchange->finished = true;
        exchange->deadline_ms = 0;
        last = exchange->failed ? H2O_SEND_STATE_ERROR : H2O_SEND_STATE_FINAL;
        if (exchange->trailers != NULL)
            pass_trailers(exchange);
        h2o_send(req, &bytes, bytes.len != 0, last);
        return;
    }
    if (bytes.len != 0 || !exchange->flushed) { /* events may be long in coming: the head does not wait for them */
        exchange->sending = exchange->flushed = true;
        tg_exchange_arm(exchange);
        if (bytes.len != 0)
            h2o_send(req, &bytes, 1, H2O_SEND_STATE_IN_PROGRESS);
        else
            send_head(req);
        return;
    }
    tg_exchange_arm(exchange);
}

void tg_exchange_on_proceed(h2o_generator_t *self, h2o_req_t *req)
{
    struct tg_exchange *exchange = (struct tg_exchange *)self;

    exchange->sending = false;
    if (exchange->flying != NULL) {
        h2o_buffer_dispose(&exchange->flying);
        exchange->flying = NULL;
    }
    tg_exchange_pump(exchange);
}

void tg_exchange_on_stop(h2o_generator_t *self, h2o_req_t *req)
{
    struct tg_exchange *exchange = (struct tg_exchange *)self;

    tg_exchange_abandon(exchange);
}

static void on_closed(struct tg_exchange *exchange, const char *error)
{
    if (exchange->head_done && exchange->left == TG_LEFT_UNTIL_CLOSE && error == h2o_socket_error_closed) {
        exchange->answer_done = true;
        h2o_socket_read_stop(exchange->wire->sock);
        tg_exchange_pump(exchange);
    } else if (!tg_exchange_retry(exchange)) {
        tg_exchange_fail(exchange, TG_ERROR_UPSTREAM_DOWN, exchange->head_done ? "truncated" : "closed");
    }
}

/* A head has come: 1: go on with the body, 0: nothing more to do now, or the exchange has ended. */
static int on_head_bytes(struct tg_exchange *exchange)
{
    int complete = tg_exchange_read_head(exchange);

    if (complete < 0) {
        tg_exchange_fail(exchange, TG_ERROR_UPSTREAM_DOWN, "bad-head");
        return 0;
    }
    if (complete == 0) {
        tg_exchange_arm(exchange);
        return 0;
    }
    if (tg_sign_in_park(exchange)) {
        h2o_socket_read_stop(exchange->wire->sock);
        exchange->paused = !exchange->answer_done;
        exchange->parked = true;
        tg_exchange_arm(exchange);
        return 0;
    }
    tg_exchange_start(exchange);
    return 1;
}

static int on_body_bytes(struct tg_exchange *exchange)
{
    h2o_buffer_t *input = exchange->wire->sock->input;
    size_t decoded;

    if (tg_exchange_decode(exchange, input->bytes + exchange->decoded, input->size - exchange->decoded, &decoded) != 0)
        return TG_FAILED;
    exchange->decoded += decoded;
    input->size = exchange->decoded;
    return 0;
}

void tg_exchange_readable(struct tg_exchange *exchange, const char *error)
{
    if (exchange->visit->is_gone) {
        tg_exchange_abandon(exchange);
        return;
    }
    if (exchange->answer_done) { /* closed, or talks on, behind a whole answer: never used again */
        exchange->answer.keep_alive = false;
        exchange->wire->sock->input->size = exchange->decoded;
        h2o_socket_read_stop(exchange->wire->sock);
        return;
    }
    if (error != NULL) {
        on_closed(exchange, error);
        return;
    }
    if (!exchange->head_done) {
        if (on_head_bytes(exchange) == 0)
            return;
    } else if (on_body_bytes(exchange) != 0) {
        tg_exchange_fail(exchange, TG_ERROR_UPSTREAM_DOWN, "bad-body");
        return;
    }
    if (!exchange->answer_done && exchange->decoded >= (tg_visit_is_tight(exchange->visit) ? 1 : TG_UPSTREAM_WAITING)) {
        exchange->paused = true;
        h2o_socket_read_stop(exchange->wire->sock);
    }
    tg_exchange_pump(exchange);
}
