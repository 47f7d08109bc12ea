/* upstream_head.c - the head of Gitea's answer; see upstream.h */
#include "base/clock.h"
#include "base/result.h"
#include "front/state.h"

static bool has_no_body(const struct tg_exchange *exchange)
{
    int status = exchange->answer.status;

    return status == 204 || status == 304 || tg_text_is(tg_text_of(tg_exchange_req(exchange)->method), "HEAD");
}

static uint64_t expected_length(const struct tg_exchange *exchange)
{
    const struct tg_response_head *answer = &exchange->answer;

    if (has_no_body(exchange))
        return 0;
    return answer->chunked ? TG_LEFT_CHUNKED : answer->length != UINT64_MAX ? answer->length : TG_LEFT_UNTIL_CLOSE;
}

/* The receive buffer becomes the exchange's: header values and the first bytes of the body stay where they are. */
static int take_buffer(struct tg_exchange *exchange, size_t skipped)
{
    struct tg_front_loop *part = exchange->upstream->part;
    h2o_socket_t *sock = exchange->wire->sock;
    h2o_buffer_t *buffer = sock->input;
    size_t start = skipped + exchange->answer.size, decoded;
    bool is_long = exchange->left < TG_LEFT_CHUNKED && exchange->left > buffer->size - start + 16384;

    exchange->head_buffer = buffer;
    h2o_buffer_init(&sock->input, is_long ? &part->body_buffers : &part->head_buffers);
    if (exchange->left == 0)
        exchange->answer_done = true;
    if (tg_exchange_decode(exchange, buffer->bytes + start, buffer->size - start, &decoded) != 0)
        return TG_FAILED;
    buffer->size = start + decoded;
    exchange->head_rest = decoded != 0 ? start : SIZE_MAX;
    return 0;
}

int tg_exchange_read_head(struct tg_exchange *exchange)
{
    const struct tg_gitea_conf *conf = exchange->upstream->conf;
    h2o_socket_t *sock = exchange->wire->sock;
    size_t skipped;
    int answer = tg_response_head_parse(sock->input->bytes, sock->input->size, exchange->seen, &skipped, &exchange->answer);

    exchange->interim += skipped;
    if (exchange->interim > TG_RESPONSE_HEAD_MAX) /* a flood, each of which would be a reason to wait longer */
        return TG_FAILED;
    switch (answer) {
    case 0:
        break;
    case TG_RESPONSE_MORE:
        exchange->seen = sock->input->size - skipped;
        if (skipped != 0) {
            h2o_buffer_consume(&sock->input, skipped);
            exchange->seen = 0;
        }
        return 0;
    default:
        return TG_FAILED;
    }
    exchange->head_done = true;
    exchange->visit->upstream_first_us = (uint64_t)(h2o_now(exchange->upstream->part->loop->context.loop) - exchange->began_ms) * 1000;
    exchange->left = expected_length(exchange);
    if (exchange->left == TG_LEFT_UNTIL_CLOSE)
        exchange->answer.keep_alive = false;
    tg_response_head_clear(&exchange->answer, conf->session_cookie, conf->remember_cookie);
    return take_buffer(exchange, skipped) == 0 ? 1 : TG_FAILED;
}

static void add_field(h2o_req_t *req, const struct phr_header *field)
{
    const h2o_token_t *token = h2o_lookup_token(field->name, field->name_len);
    h2o_header_t *header;
    h2o_iovec_t *name;

    if (token != NULL && token->proxy_should_drop_for_res)
        return;
    if (token != NULL) {
        name = (h2o_iovec_t *)&token->buf;
    } else {
        name = h2o_mem_alloc_pool(&req->pool, sizeof(*name));
        *name = h2o_iovec_init(field->name, field->name_len);
    }
    header = &req->res.headers.entries[req->res.headers.size++];
    *header = (h2o_header_t){.name = name, .value = h2o_iovec_init(field->value, field->value_len)};
}

void tg_exchange_start(struct tg_exchange *exchange)
{
    const struct tg_response_head *answer = &exchange->answer;
    h2o_req_t *req = tg_exchange_req(exchange);

    req->res.status = answer->status;
    req->res.reason = answer->reason;
    req->res.content_length = answer->length != UINT64_MAX && answer->status != 204 ? answer->length : SIZE_MAX;
    h2o_vector_reserve(&req->pool, &req->res.headers, req->res.headers.size + answer->count + 2);
    for (size_t i = 0; i < answer->count; ++i)
        add_field(req, &answer->fields[i]);
    if (exchange->set_cookie.base != NULL)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_SET_COOKIE, NULL, exchange->set_cookie.base, exchange->set_cookie.len);
    if (req->res.headers.size == 0)
        req->res.headers = (h2o_headers_t){NULL}; /* libh2o copies the list, also none */
    exchange->started = true;
    h2o_start_response(req, &exchange->super);
}
