/* push.c - see push.h */
#include "front/push.h"
#include "base/json.h"
#include "front/refuse.h"
#include "http/reply.h"

enum { LOOK = 64 * 1024, DRAIN = 16 << 20, REPORT_LINE = 900, OBJECT_ID = 40 };

struct push {
    struct tg_visit *visit;
    int status;
    struct tg_text lines, reason;
    char *commands;              /* LOOK bytes */
    size_t len;
    uint64_t drained;
    bool is_whole, answered;
};

static bool is_post(const struct tg_visit *visit)
{
    return tg_door_method(tg_text_of(visit->req->method)) == TG_DOOR_POST && visit->req->body != NULL && !visit->req->body->opened &&
           tg_visit_header(visit, "content-encoding").base == NULL;
}

bool tg_push_is_one(const struct tg_visit *visit)
{
    return visit->door == TG_DOOR_GIT_WRITE && is_post(visit) && !visit->req->body->expects_continue && visit->path.count == 3 &&
           tg_text_is(visit->path.segments[2], "git-receive-pack");
}

static int hex4(const char *bytes)
{
    int value = 0;

    for (int i = 0; i < 4; ++i) {
        char c = bytes[i] >= 'A' && bytes[i] <= 'F' ? (char)(bytes[i] | 0x20) : bytes[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return -1;
        value = value << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

/* The next packet of a pkt-line stream; base NULL: a flush, or what is no packet. */
static struct tg_text next_packet(struct tg_text *rest)
{
    int len = rest->len >= 4 ? hex4(rest->base) : -1;
    struct tg_text packet = {NULL, 0};

    if (len >= 4 && (size_t)len <= rest->len) {
        packet = tg_text_n(rest->base + 4, (size_t)len - 4);
        *rest = tg_text_n(rest->base + len, rest->len - (size_t)len);
    }
    return packet;
}

/* "OLD NEW REF", behind a NUL the first has what the client can do. */
static struct tg_text read_command(struct tg_text packet, struct tg_text *abilities)
{
    struct tg_text rest = packet, command = tg_text_cut(&rest, '\0'), old = tg_text_cut(&command, ' '), new = tg_text_cut(&command, ' ');

    if (rest.base != NULL)
        *abilities = rest;
    if (old.len < OBJECT_ID || new.len != old.len || command.base == NULL)
        return (struct tg_text){NULL, 0};
    return tg_text_cut(&command, '\n');
}

static bool can(struct tg_text abilities, const char *what)
{
    while (abilities.base != NULL) {
        struct tg_text ability = tg_text_cut(&abilities, ' ');

        if (ability.len != 0 && ability.base[ability.len - 1] == '\n')
            --ability.len;
        if (tg_text_is(ability, what))
            return true;
    }
    return false;
}

static void add_packet(struct tg_string *out, const char *before, struct tg_text text)
{
    tg_string_addf(out, "%04zx%s", 4 + strlen(before) + text.len, before);
    tg_string_add(out, text);
}

/* One line for each reference. */
static void write_report(const struct push *push, struct tg_string *report, struct tg_text *abilities)
{
    struct tg_text rest = tg_text_n(push->commands, push->len), packet;

    *abilities = (struct tg_text){NULL, 0};
    add_packet(report, "", TG_TEXT("unpack ok\n"));
    while ((packet = next_packet(&rest)).base != NULL) {
        struct tg_text reference = read_command(packet, abilities);
        TG_STRING line = {NULL};

        if (reference.len == 0 || reference.len > REPORT_LINE)
            continue;
        tg_string_addf(&line, "ng %.*s %.*s\n", TG_TEXT_ARGS(reference), TG_TEXT_ARGS(push->reason));
        add_packet(report, "", tg_string_text(&line));
    }
    tg_string_add(report, TG_TEXT("0000"));
}

/* In packets of a size that every client takes. */
static void write_band(struct tg_string *out, const char *band, struct tg_text bytes)
{
    while (bytes.len != 0) {
        size_t len = bytes.len < REPORT_LINE ? bytes.len : REPORT_LINE;

        add_packet(out, band, tg_text_n(bytes.base, len));
        bytes = tg_text_n(bytes.base + len, bytes.len - len);
    }
}

static void answer_push(struct push *push)
{
    struct tg_visit *visit = push->visit;
    struct tg_reply reply = {.status = 200, .content_type = "application/x-git-receive-pack-result"};
    struct tg_text abilities;
    TG_STRING report = {NULL}, text = {NULL};
    h2o_iovec_t body;

    push->answered = true;
    write_report(push, &report, &abilities);
    if (can(abilities, "side-band-64k")) {
        write_band(&text, "\x02", push->lines);
        if (can(abilities, "report-status") || can(abilities, "report-status-v2"))
            write_band(&text, "\x01", tg_string_text(&report));
        tg_string_add(&text, TG_TEXT("0000"));
    } else if (abilities.base != NULL) {
        tg_string_add(&text, tg_string_text(&report));
    } /* otherwise no command at all: git asks first whether it may send much */
    body = h2o_strdup(&visit->req->pool, tg_string_text(&text).base, text.len);
    reply.body = tg_text_of(body);
    tg_reply_send(visit, &reply);
}

/* Whether the commands have come whole, up to their flush: 1; not yet: 0; this is no push: -1. */
static int look_at_commands(const struct push *push)
{
    struct tg_text rest = tg_text_n(push->commands, push->len);

    while (rest.len >= 4) {
        int len = hex4(rest.base);

        if (len == 0)
            return 1;
        if (len < 4)
            return -1;
        if ((size_t)len > rest.len)
            break;
        next_packet(&rest);
    }
    return push->len == LOOK ? -1 : 0;
}

static void answer_plainly(struct push *push)
{
    struct tg_reply reply = {.status = push->status, .content_type = "text/plain; charset=utf-8", .body = push->lines};

    push->answered = true;
    tg_reply_send(push->visit, &reply);
}

static void on_push_body(h2o_req_t *req, h2o_body_event_t event)
{
    struct push *push = req->body->data;
    h2o_body_t *body = req->body;
    size_t size = body->buf->size, take = LOOK - push->len;
    int found = 1;

    if (push->answered || push->visit->is_gone)
        return;
    if (event != H2O_BODY_DATA && event != H2O_BODY_END) {
        push->answered = true;
        tg_refuse_body(push->visit, event);
        return;
    }
    take = size < take ? size : take;
    memcpy(push->commands + push->len, body->buf->bytes, take);
    push->len += take;
    push->drained += size;
    h2o_buffer_consume(&body->buf, size);
    if (!push->is_whole && (found = look_at_commands(push)) < 0) {
        answer_plainly(push);
        return;
    }
    push->is_whole = found > 0;
    if (event == H2O_BODY_END || push->drained > DRAIN)
        answer_push(push);
    else
        h2o_body_ack(req, size);
}

void tg_push_refuse(struct tg_visit *visit, int status, struct tg_text lines, struct tg_text reason)
{
    struct push *push = h2o_mem_alloc_pool(&visit->req->pool, sizeof(*push));

    *push = (struct push){.visit = visit, .status = status, .lines = lines, .reason = reason};
    push->commands = h2o_mem_alloc_pool(&visit->req->pool, LOOK);
    h2o_body_open(visit->req, UINT64_MAX, on_push_body, push);
}

/* ---- LFS */

struct batch {
    struct tg_visit *visit;
    tg_batch_told on_told;
    bool told;
};

static bool is_upload(const h2o_body_t *body)
{
    TG_JSON *batch = NULL;

    return tg_json_parse(tg_text_n(body->buf->bytes, body->buf->size), &batch) != 0 ||
           !tg_text_is(tg_text(json_string_value(json_object_get(batch, "operation"))), "download");
}

static void on_batch_body(h2o_req_t *req, h2o_body_event_t event)
{
    struct batch *batch = req->body->data;
    struct tg_visit *visit = batch->visit;

    if (batch->told || visit->is_gone)
        return;
    if (event == H2O_BODY_DATA && req->body->buf->size <= LOOK)
        return;
    batch->told = true;
    if (event == H2O_BODY_DATA)
        batch->on_told(visit, true);
    else if (event == H2O_BODY_END)
        batch->on_told(visit, is_upload(req->body));
    else
        tg_refuse_body(visit, event);
}

bool tg_batch_await(struct tg_visit *visit, tg_batch_told on_told)
{
    struct batch *batch;

    if (visit->door != TG_DOOR_LFS_READ || !is_post(visit))
        return false;
    batch = h2o_mem_alloc_pool(&visit->req->pool, sizeof(*batch));
    *batch = (struct batch){.visit = visit, .on_told = on_told};
    h2o_body_open(visit->req, UINT64_MAX, on_batch_body, batch);
    return true;
}
