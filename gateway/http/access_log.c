#include "base/clock.h"
#include "base/log.h"
#include "http/server_parts.h"

enum { PATH_LOGGED = 2048, HOST_LOGGED = 255, METHOD_LOGGED = 32, GONE_STATUS = 499 };
enum { FIXED_ROOM = 1024, LINE_ROOM = FIXED_ROOM + TG_LOG_ROOM(PATH_LOGGED) + 2 * TG_LOG_ROOM(HOST_LOGGED) + TG_LOG_ROOM(METHOD_LOGGED) };

static struct tg_text cut(struct tg_text text, size_t limit)
{
    return tg_text_n(text.base, text.len < limit ? text.len : limit);
}

static char *put(char *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, uint64_t value)
{
    char digits[20], *end = digits + sizeof(digits), *start = end;

    do
        *--start = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    return put(at, start, (size_t)(end - start));
}

/* A word of our own: plain, and short. */
static char *put_word(char *at, const char *word)
{
    return put(at, word, strlen(word));
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
static const char *time_of(const struct tg_visit *visit)
{
    int64_t now_s = visit->req->processed_at.at.tv_sec;

    if (visit->loop->own->line_time_s != now_s)
        tg_time_iso(visit->loop->own->line_time_s = now_s, visit->loop->own->line_time);
    return visit->loop->own->line_time;
}

/* What we know; short words of our own. */
static char *put_course(char *at, const struct tg_visit *visit)
{
    const char *door = door_name(visit);

    if (door != NULL)
        at = put_word(PUT(at, " door="), door);
    if (visit->verdict.name != NULL)
        at = put_word(PUT(at, " verdict="), visit->verdict.name);
    if (visit->refusal != NULL)
        at = put_word(PUT(at, " refused="), visit->refusal);
    if (visit->upstream_state != NULL)
        at = put_word(PUT(at, " upstream="), visit->upstream_state);
    if (visit->upstream_first_us > 0)
        at = put_number(PUT(at, " upstream_us="), visit->upstream_first_us);
    return put_word(PUT(at, " protocol="), protocol_name(visit->req));
}

/* Never the query: it may hold codes, states, signatures and tokens. */
void tg_visit_log(struct tg_visit *visit, uint64_t duration_us)
{
    char line[LINE_ROOM], *at = line; /* in pieces: a format is ten times as dear, and this runs once a request */
    const h2o_req_t *req = visit->req;

    at = put(at, time_of(visit), TG_TIME_ISO - 1);
    at = put(PUT(at, " id="), visit->id, sizeof(visit->id) - 1);
    at = put_word(PUT(at, " client="), visit->address);
    at = tg_log_put(PUT(at, " host="), cut(tg_text_of(req->input.authority), HOST_LOGGED));
    at = tg_log_put(PUT(at, " method="), cut(tg_text_of(req->input.method), METHOD_LOGGED));
    at = tg_log_put(PUT(at, " path="), cut(visit->path.raw, PATH_LOGGED));
    at = put_number(PUT(at, " status="), visit->is_gone ? GONE_STATUS : (uint64_t)req->res.status);
    at = put_number(PUT(at, " bytes="), req->bytes_sent);
    at = put_number(PUT(at, " received="), req->body != NULL ? req->body->received : 0);
    at = put_number(PUT(at, " us="), duration_us);
    if (visit->identity.login != NULL)
        at = tg_log_put(PUT(at, " login="), cut(tg_text(visit->identity.login), HOST_LOGGED));
    at = PUT(put_course(at, visit), "\n");
    tg_ring_put(visit->loop->access_log, line, (size_t)(at - line));
}
