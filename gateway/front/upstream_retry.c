/*
 * upstream_retry.c - a wire that had gone stale
 *
 * Gitea may close a kept connection at the moment we write to it (a restart does). A request that may be repeated (RFC 9110 9.2.2) and has
 * no body goes once more, on a fresh connection; nothing of an answer may have come.
 */
#include "front/state.h"

bool tg_exchange_retry(struct tg_exchange *exchange)
{
    h2o_req_t *req = tg_exchange_req(exchange);
    unsigned method = tg_door_method(tg_text_of(req->method));

    if (!exchange->was_reused || exchange->retried || exchange->head_done || exchange->seen != 0 || req->body != NULL)
        return false;
    if ((method & TG_DOOR_SAFE) == 0 || (exchange->wire != NULL && exchange->wire->sock->input->size != 0))
        return false;
    tg_wire_leave(exchange, false);
    exchange->retried = true;
    exchange->head_sent = exchange->in_flight = exchange->request_done = exchange->write_dead = false;
    tg_metric_add(&exchange->visit->loop->metrics->upstream_retries, 1);
    if (tg_wire_take(exchange, true) != 0)
        return false;
    tg_exchange_arm(exchange);
    return true;
}
