#include "base/clock.h"
#include "base/log.h"
#include "http/server_parts.h"

enum { PATH_LOGGED = 2048, HOST_LOGGED = 255, METHOD_LOGGED = 32, GONE_STATUS = 499 };

static struct tg_text cut(struct tg_text text, size_t limit)
{
    return tg_text_n(text.base, text.len < limit ? text.len : limit);
}

static void add_number(struct tg_string *line, const char *key, uint64_t value)
{
    char digits[20], *end = digits + sizeof(digits), *start = end;

    do
        *--start = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    tg_log_pair(line, key, tg_text_n(start, (size_t)(end - start)));
}

static void add_optional(struct tg_string *line, const char *key, const char *value)
{
    if (value != NULL)
        tg_log_pair(line, key, tg_text(value));
}

static const char *door_name(const struct tg_visit *visit)
{
    const struct tg_metric_names *names = visit->loop->server->options.names;

    return names != NULL && names->door != NULL && visit->door >= 0 ? names->door(visit->door) : NULL;
}

static const char *protocol_name(const h2o_req_t *req)
{
    return req->version >= 0x200 ? "h2" : req->version >= 0x101 ? "http/1.1" : "http/1.0";
}

/* Written anew once a second. */
static struct tg_text time_of(const struct tg_visit *visit)
{
    int64_t now_s = visit->req->processed_at.at.tv_sec;

    if (visit->loop->own->line_time_s != now_s)
        tg_time_iso(visit->loop->own->line_time_s = now_s, visit->loop->own->line_time);
    return tg_text(visit->loop->own->line_time);
}

/* Never the query: it may hold codes, states, signatures and tokens. */
void tg_visit_log(struct tg_visit *visit, uint64_t duration_us)
{
    struct tg_string *line = &visit->loop->own->line;
    const h2o_req_t *req = visit->req;

    line->len = 0;
    tg_string_add(line, time_of(visit));
    tg_log_pair(line, "id", tg_text(visit->id));
    tg_log_pair(line, "client", tg_text(visit->address));
    tg_log_pair(line, "host", cut(tg_text_of(req->input.authority), HOST_LOGGED));
    tg_log_pair(line, "method", cut(tg_text_of(req->input.method), METHOD_LOGGED));
    tg_log_pair(line, "path", cut(visit->path.raw, PATH_LOGGED));
    add_number(line, "status", visit->is_gone ? GONE_STATUS : (uint64_t)req->res.status);
    add_number(line, "bytes", req->bytes_sent);
    add_number(line, "received", req->body != NULL ? req->body->received : 0);
    add_number(line, "us", duration_us);
    add_optional(line, "login", visit->identity.login);
    add_optional(line, "door", door_name(visit));
    add_optional(line, "verdict", visit->verdict.name);
    add_optional(line, "refused", visit->refusal);
    add_optional(line, "upstream", visit->upstream_state);
    if (visit->upstream_first_us > 0)
        add_number(line, "upstream_us", visit->upstream_first_us);
    add_optional(line, "protocol", protocol_name(req));
    tg_string_add(line, TG_TEXT("\n"));
    tg_ring_put(visit->loop->access_log, line->base, line->len);
}
