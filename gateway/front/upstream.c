/* upstream.c - the step; deadlines; how an exchange ends; see upstream.h */
#include "base/clock.h"
#include "front/policy.h"
#include "front/refuse.h"
#include "front/request_head.h"
#include "front/sign_in.h"
#include "front/state.h"

static void unlink_exchange(struct tg_exchange *exchange)
{
    if (exchange->slot == NULL)
        return;
    if ((*exchange->slot = exchange->next) != NULL)
        exchange->next->slot = exchange->slot;
    exchange->slot = NULL;
}

static void link_exchange(struct tg_exchange *exchange)
{
    struct tg_front_loop *part = exchange->upstream->part;

    if ((exchange->next = part->exchanges) != NULL)
        exchange->next->slot = &exchange->next;
    exchange->slot = &part->exchanges;
    part->exchanges = exchange;
}

static void let_go(struct tg_exchange *exchange)
{
    tg_sign_in_forget(exchange);
    tg_wire_stop_waiting(exchange);
    tg_wire_leave(exchange, false);
}

static void drop_buffer(h2o_buffer_t **buffer)
{
    if (*buffer != NULL)
        h2o_buffer_dispose(buffer);
    *buffer = NULL;
}

static void end_exchange(struct tg_exchange *exchange)
{
    let_go(exchange);
    unlink_exchange(exchange);
    drop_buffer(&exchange->writing);
    drop_buffer(&exchange->head_buffer);
    drop_buffer(&exchange->flying);
}

/* The request is disposed of: after its end, or because the client left. */
static void on_dispose(void *holder)
{
    struct tg_exchange *exchange = *(struct tg_exchange **)holder;

    if (exchange->upstream == NULL) { /* the loop's part has gone before */
        free(exchange);
        return;
    }
    end_exchange(exchange);
    tg_spares_give(&exchange->upstream->part->spare_exchanges, exchange);
}

void tg_exchanges_end(struct tg_front_loop *part)
{
    while (part->exchanges != NULL) {
        struct tg_exchange *exchange = part->exchanges;

        exchange->finished = true;
        end_exchange(exchange);
        exchange->upstream = NULL;
    }
}

/* How long Gitea may think. */
static int64_t head_patience_ms(const struct tg_exchange *exchange)
{
    const struct tg_gitea_conf *conf = exchange->upstream->conf;

    return (tg_door_infos[exchange->visit->door].waits == TG_WAITS_LONG ? conf->git_timeout_s : conf->head_timeout_s) * 1000;
}

/* How long whoever's turn it is may take; 0: the client's turn, whom libh2o times. */
static int64_t patience_ms(const struct tg_exchange *exchange)
{
    const struct tg_gitea_conf *conf = exchange->upstream->conf;
    bool sent = (exchange->request_done && !exchange->in_flight) || exchange->write_dead;

    if (exchange->waiting || (exchange->wire != NULL && !exchange->wire->connected))
        return conf->connect_timeout_s * 1000;
    if (!exchange->head_done)
        return sent ? head_patience_ms(exchange) : exchange->in_flight ? conf->idle_timeout_s * 1000 : 0;
    if (exchange->parked)
        return conf->head_timeout_s * 1000;
    if (exchange->answer_done || exchange->sending || exchange->paused)
        return 0;
    return sent || exchange->in_flight ? conf->idle_timeout_s * 1000 : 0;
}

void tg_exchange_arm(struct tg_exchange *exchange)
{
    int64_t patience = patience_ms(exchange);

    exchange->deadline_ms = patience > 0 ? h2o_now(exchange->upstream->part->loop->context.loop) + (uint64_t)patience : 0;
}

void tg_exchange_fail(struct tg_exchange *exchange, enum tg_error_kind kind, const char *why)
{
    struct tg_visit *visit = exchange->visit;
    struct tg_metrics *metrics = visit->loop->metrics;

    let_go(exchange);
    if (exchange->finished || visit->is_gone)
        return;
    tg_metric_add(kind == TG_ERROR_UPSTREAM_TIMEOUT ? &metrics->upstream_timeouts : &metrics->upstream_failures, 1);
    visit->upstream_state = why;
    exchange->deadline_ms = 0;
    if (!exchange->started) {
        exchange->finished = true;
        tg_refuse(visit, kind, why);
        return;
    }
    visit->refusal = why;
    exchange->answer_done = exchange->failed = true;
    if (!exchange->sending) {
        exchange->finished = true;
        h2o_send(visit->req, NULL, 0, H2O_SEND_STATE_ERROR);
    }
}

void tg_exchange_connected(struct tg_exchange *exchange, const char *error)
{
    struct tg_visit *visit = exchange->visit;

    if (error != NULL) {
        tg_exchange_fail(exchange, TG_ERROR_UPSTREAM_DOWN, "connect");
        return;
    }
    visit->upstream_state = exchange->retried ? "retried" : exchange->was_reused ? "reused" : "fresh";
    tg_exchange_write_head(exchange);
}

void tg_exchange_abandon(struct tg_exchange *exchange)
{
    let_go(exchange);
    exchange->finished = true;
    exchange->deadline_ms = 0;
}

void tg_exchange_unpark(struct tg_exchange *exchange)
{
    exchange->parked = false;
    if (exchange->finished || exchange->visit->is_gone)
        return;
    tg_exchange_start(exchange);
    tg_exchange_pump(exchange);
}

/* As if Gitea had come to the end. */
static void end_stream(struct tg_exchange *exchange)
{
    let_go(exchange);
    exchange->deadline_ms = 0;
    exchange->answer_done = true;
    tg_exchange_pump(exchange);
}

static bool is_stream(const struct tg_exchange *exchange)
{
    return exchange->visit->door == TG_DOOR_EVENTS && exchange->started && !exchange->answer_done && !exchange->finished;
}

void tg_exchanges_news(struct tg_front_loop *part, const char *account)
{
    struct tg_exchange *exchange = part->exchanges;

    while (exchange != NULL) {
        const struct tg_facts *facts = is_stream(exchange) && !exchange->visit->is_gone ? exchange->visit->identity.facts : NULL;
        bool ends = facts != NULL && (account[0] == '\0' || strcmp(facts->account, account) == 0);

        if (ends)
            end_stream(exchange);
        exchange = ends ? part->exchanges : exchange->next;
    }
}

/* Whether it was ended: then others of the list may be gone with it. */
static bool check_exchange(struct tg_exchange *exchange, uint64_t now_ms)
{
    if (exchange->finished || exchange->failed)
        return false;
    if (exchange->visit->is_gone) { /* the server has ended the request */
        tg_exchange_abandon(exchange);
        return false;
    }
    if (exchange->deadline_ms != 0 && now_ms >= exchange->deadline_ms) {
        tg_exchange_fail(exchange, TG_ERROR_UPSTREAM_TIMEOUT, "timeout");
        return true;
    }
    if (is_stream(exchange) && !tg_policy_lasts(exchange->visit)) { /* the subscription has ended by time alone */
        end_stream(exchange);
        return true;
    }
    return false;
}

void tg_exchange_tick(struct tg_front_loop *part, uint64_t now_ms)
{
    struct tg_exchange *exchange = part->exchanges;

    while (exchange != NULL) {
        bool ended = false;

        if (exchange->checked != part->ticks) {
            exchange->checked = part->ticks;
            ended = check_exchange(exchange, now_ms);
        }
        exchange = ended ? part->exchanges : exchange->next;
    }
}

static void write_request(struct tg_exchange *exchange, const struct tg_front_host *host)
{
    struct tg_visit *visit = exchange->visit;
    h2o_req_t *req = visit->req;
    enum tg_looks looks = tg_door_infos[visit->door].looks;
    bool has_token = tg_visit_header(visit, "authorization").base != NULL;
    struct tg_request_head head = {
        .method = tg_text_of(req->method),
        .target = tg_text_of(req->path),
        .headers = req->headers.entries,
        .header_count = req->headers.size,
        .authority = tg_text(visit->host->authority),
        .address = tg_text(visit->address),
        .id = tg_text(visit->id),
        .scheme = "https",
        .session_cookie = host->conf->session_cookie,
        .remember_cookie = host->conf->remember_cookie,
        .session = visit->identity.gitea_session,
    };

    /* what the route does not look at is not sent, and of two credentials the one that was judged is */
    head.keep_authorization = looks == TG_LOOKS_CLIENT || ((looks & TG_LOOKS_TOKEN) != 0 && visit->identity.kind != TG_IDENTITY_INVALID);
    head.keep_cookies = looks != TG_LOOKS_CLIENT && looks != TG_LOOKS_TOKEN && !((looks & TG_LOOKS_TOKEN) != 0 && has_token);
    if (req->body != NULL) {
        exchange->chunked = req->body->content_length == SIZE_MAX;
        head.body = exchange->chunked ? TG_BODY_CHUNKED : TG_BODY_LENGTH;
        head.length = req->body->content_length;
    } else if ((tg_door_method(head.method) & TG_DOOR_UNSAFE) != 0) {
        head.body = TG_BODY_LENGTH;
    }
    exchange->head = tg_request_head_write(&head, &req->pool);
}

static struct tg_exchange *make_exchange(struct tg_visit *visit, const struct tg_front_host *host)
{
    struct tg_front_loop *part = tg_front_of(visit);
    struct tg_exchange **holder = h2o_mem_alloc_shared(&visit->req->pool, sizeof(*holder), on_dispose);
    struct tg_exchange *exchange = *holder = tg_spares_take(&part->spare_exchanges);

    memset(exchange, 0, offsetof(struct tg_exchange, answer));
    exchange->super.proceed = tg_exchange_on_proceed;
    exchange->super.stop = tg_exchange_on_stop;
    exchange->visit = visit;
    exchange->upstream = &part->upstreams[host->index];
    exchange->head_rest = SIZE_MAX;
    exchange->chunks.consume_trailer = 1;
    exchange->chunks.on_trailer = tg_exchange_on_trailer;
    exchange->began_ms = h2o_now(part->loop->context.loop);
    exchange->checked = part->ticks;
    visit->is_endless = visit->door == TG_DOOR_EVENTS;
    if (visit->door == TG_DOOR_LOGIN_CALLBACK)
        exchange->began_wall_ms = tg_now_ms();
    link_exchange(exchange);
    return exchange;
}

enum tg_step_answer tg_step_upstream(struct tg_visit *visit)
{
    const struct tg_front_host *host = tg_front_host_of(visit);
    struct tg_exchange *exchange;
    h2o_body_t *body = visit->req->body;

    if (host == NULL)
        return TG_STEP_NEXT;
    if (body != NULL && host->conf->body_limit > 0 && body->content_length != SIZE_MAX &&
        body->content_length > (uint64_t)host->conf->body_limit)
        return tg_refuse(visit, TG_ERROR_TOO_LARGE, "body-limit");
    exchange = make_exchange(visit, host);
    write_request(exchange, host);
    tg_visit_tell_head(visit, exchange->head.len);
    tg_exchange_tell_held(exchange);
    switch (tg_wire_take(exchange, false)) {
    case 0:
        tg_exchange_arm(exchange);
        return TG_STEP_DONE;
    case TG_WIRE_FULL:
        exchange->finished = true;
        return tg_refuse(visit, TG_ERROR_UNAVAILABLE, "upstream-queue");
    default:
        tg_exchange_fail(exchange, TG_ERROR_UPSTREAM_DOWN, "connect");
        return TG_STEP_DONE;
    }
}
