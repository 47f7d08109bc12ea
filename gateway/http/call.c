#include "http/call.h"

#include <stdio.h>
#include "base/log.h"
#include "base/result.h"
#include "http/error_page.h"
#include "http/server.h"

/*
 * A call belongs to its loop while the body comes in, to the pool from the submission until the message, and then to its request, which
 * reads the reply's texts until it is disposed of.
 */
enum stage { RECEIVING, WORKING, ANSWERED };

struct run {
    struct tg_job job;
    struct tg_message message;
    struct tg_loop *loop;
    struct tg_pool *pool;
    struct tg_templates *templates;
    struct tg_visit *visit; /* NULL: the client is gone; the loop's */
    enum stage stage;       /* the loop's */
    struct tg_string body;
    int result;
    struct tg_call call;
};

/* Compares segment by segment; "*" in the pattern is any one segment that is not empty. */
static bool path_matches(const char *pattern, struct tg_text path, struct tg_text *tail)
{
    struct tg_text wanted = tg_text(pattern);

    *tail = (struct tg_text){NULL, 0};
    while (wanted.base != NULL && path.base != NULL) {
        struct tg_text want = tg_text_cut(&wanted, '/'), have = tg_text_cut(&path, '/');

        if (tg_text_is(want, "*") && have.len > 0)
            *tail = have;
        else if (!tg_text_same(want, have))
            return false;
    }
    return wanted.base == NULL && path.base == NULL;
}

static unsigned method_bit(struct tg_text method)
{
    if (tg_text_is(method, "GET") || tg_text_is(method, "HEAD"))
        return TG_GET;
    return tg_text_is(method, "POST") ? TG_POST : 0;
}

/* A path may have a row for each method. *allowed: what its rows take together; 0: nobody has the path. */
static const struct tg_endpoint *find_endpoint(const struct tg_endpoint *table, struct tg_text path, unsigned method,
                                               struct tg_text *tail, unsigned *allowed)
{
    const struct tg_endpoint *found = NULL;
    struct tg_text matched;

    *allowed = 0;
    for (; table->path != NULL; table++) {
        if (!path_matches(table->path, path, &matched))
            continue;
        *allowed |= table->methods;
        if (found == NULL && (table->methods & method) != 0) {
            found = table;
            *tail = matched;
        }
    }
    return found;
}

static const char *allow_value(unsigned methods)
{
    if (methods == TG_GET)
        return "GET, HEAD";
    return methods == TG_POST ? "POST" : "GET, HEAD, POST";
}

static struct tg_text copy_header(struct tg_call *call, const struct tg_visit *visit, const char *name)
{
    return tg_arena_text(&call->arena, tg_visit_header(visit, name));
}

/* HTTP/2 clients may send one field for each cookie (RFC 9113 8.2.3). */
static struct tg_text join_cookies(struct tg_call *call, h2o_req_t *req)
{
    TG_STRING joined = {NULL};
    size_t fields = 0;

    for (ssize_t at = -1; (at = h2o_find_header(&req->headers, H2O_TOKEN_COOKIE, at)) != -1;) {
        if (fields++ > 0)
            tg_string_add(&joined, TG_TEXT("; "));
        tg_string_add(&joined, tg_text_of(req->headers.entries[at].value));
    }
    return fields > 0 ? tg_arena_text(&call->arena, tg_string_text(&joined)) : (struct tg_text){NULL, 0};
}

static void copy_visit(struct tg_call *call, const struct tg_visit *visit)
{
    call->host = visit->host;
    memcpy(call->id, visit->id, sizeof(call->id));
    call->method = tg_arena_text(&call->arena, tg_text_of(visit->req->input.method));
    call->path = tg_arena_text(&call->arena, visit->path.raw);
    call->query = tg_arena_text(&call->arena, visit->path.query);
    call->address = tg_arena_text(&call->arena, tg_text(visit->address));
    call->cookie = join_cookies(call, visit->req);
    call->authorization = copy_header(call, visit, "authorization");
    call->authorization_count = tg_visit_header_count(visit, "authorization");
    call->content_type = copy_header(call, visit, "content-type");
    call->origin = copy_header(call, visit, "origin");
    call->sec_fetch_site = copy_header(call, visit, "sec-fetch-site");
    call->user_agent = copy_header(call, visit, "user-agent");
    call->accept = copy_header(call, visit, "accept");
    call->if_none_match = copy_header(call, visit, "if-none-match");
}

static bool mentions(struct tg_text list, const char *type)
{
    return list.len > 0 && memmem(list.base, list.len, type, strlen(type)) != NULL;
}

static void fill_json(struct tg_call *call, enum tg_error_kind kind)
{
    const char *code = "invalid_request"; /* the codes of RFC 6749 5.2 and 4.1.2.1: most clients here are OAuth's */

    if (kind == TG_ERROR_UNAVAILABLE)
        code = "temporarily_unavailable";
    else if (kind == TG_ERROR_INTERNAL)
        code = "server_error";
    call->reply.content_type = "application/json";
    call->reply.body = tg_text(tg_arena_format(&call->arena, "{\"error\":\"%s\",\"error_description\":\"%s\"}\n", code,
                                               tg_error_line(kind)));
}

/* An error of this file's own, in what the client says it reads. */
static void fill_error(struct run *run, enum tg_error_kind kind)
{
    struct tg_call *call = &run->call;
    struct tg_error_values values = {
        .host = call->host != NULL ? tg_text(call->host->authority) : (struct tg_text){NULL, 0},
        .path = call->path,
        .reference = tg_text(call->id),
        .retry_url = method_bit(call->method) == TG_GET ? call->path : (struct tg_text){NULL, 0},
    };

    call->reply = (struct tg_reply){0};
    if (run->templates != NULL && mentions(call->accept, "text/html")) {
        tg_error_page(run->templates, kind, &values, &call->arena, &call->reply);
        return;
    }
    tg_error_text(kind, &values, &call->arena, &call->reply);
    if (mentions(call->accept, "json"))
        fill_json(call, kind);
}

static void free_run(struct run *run)
{
    tg_string_done(&run->body);
    tg_arena_done(&run->call.arena);
    free(run);
}

static void on_visit_gone(void *data)
{
    struct run *run = data;

    run->visit = NULL;
    if (run->stage != WORKING)
        free_run(run);
}

/* The request may be disposed of, and the run with it, before this returns. */
static void answer(struct run *run)
{
    run->stage = ANSWERED;
    tg_reply_send(run->visit, &run->call.reply);
}

static void answer_error(struct run *run, enum tg_error_kind kind)
{
    fill_error(run, kind);
    answer(run);
}

static void on_worked(struct tg_message *message)
{
    struct run *run = H2O_STRUCT_FROM_MEMBER(struct run, message, message);

    if (run->visit == NULL)
        free_run(run);
    else
        answer(run);
}

static void log_failure(const struct run *run, const char *why)
{
    const struct tg_call *call = &run->call;
    bool busy = run->result == TG_BUSY;

    tg_log(busy ? TG_LOG_WARN : TG_LOG_ERROR, busy ? "endpoint-busy" : "endpoint-failed", "endpoint", call->endpoint->path, "host",
           call->host != NULL ? call->host->authority : NULL, "request", call->id, "why", busy ? NULL : why, NULL);
}

static void work(struct tg_job *job, void *worker)
{
    struct run *run = H2O_STRUCT_FROM_MEMBER(struct run, job, job);
    struct tg_call *call = &run->call;

    call->worker = worker;
    run->result = call->endpoint->run(call);
    if (run->result == 0 && call->reply.status != 0)
        return;
    log_failure(run, run->result < 0 ? tg_failure() : "the endpoint gave no answer");
    fill_error(run, run->result == TG_BUSY ? TG_ERROR_UNAVAILABLE : TG_ERROR_INTERNAL);
}

static void finish(struct tg_job *job)
{
    struct run *run = H2O_STRUCT_FROM_MEMBER(struct run, job, job);

    tg_loop_send(run->loop, &run->message);
}

static void submit(struct run *run)
{
    run->stage = WORKING;
    if (tg_pool_submit(run->pool, &run->job) != 0)
        answer_error(run, TG_ERROR_UNAVAILABLE);
}

static void refuse_body(struct run *run, h2o_body_event_t event)
{
    fill_error(run, event == H2O_BODY_TOO_LARGE ? TG_ERROR_TOO_LARGE : TG_ERROR_BAD_REQUEST);
    if (event == H2O_BODY_TIMEOUT)
        run->call.reply.status = 408;
    run->call.reply.close = event != H2O_BODY_TOO_LARGE; /* where the next request begins is not known */
    answer(run);
}

static void on_body(h2o_req_t *req, h2o_body_event_t event)
{
    struct run *run = req->body->data;
    h2o_buffer_t *received = req->body->buf;

    if (event != H2O_BODY_DATA && event != H2O_BODY_END) {
        refuse_body(run, event);
        return;
    }
    tg_string_add(&run->body, tg_text_n(received->bytes, received->size));
    h2o_buffer_consume(&req->body->buf, received->size);
    if (event == H2O_BODY_DATA) {
        h2o_body_ack(req, req->body->unacked);
        return;
    }
    run->call.body = tg_string_text(&run->body);
    submit(run);
}

static void start(struct run *run)
{
    h2o_req_t *req = run->visit->req;

    if (method_bit(run->call.method) != TG_POST || req->body == NULL)
        submit(run);
    else if (h2o_body_open(req, run->call.endpoint->body_limit, on_body, run) != 0)
        answer_error(run, TG_ERROR_TOO_LARGE);
}

int tg_call_start(struct tg_visit *visit, const struct tg_endpoint *table, const struct tg_pools *pools, const void *context)
{
    struct tg_text tail = {NULL, 0};
    unsigned allowed;
    const struct tg_endpoint *endpoint =
        find_endpoint(table, visit->path.raw, method_bit(tg_text_of(visit->req->input.method)), &tail, &allowed);
    struct run *run;

    if (allowed == 0)
        return TG_ENDPOINT_UNKNOWN;
    run = tg_alloc(sizeof(*run));
    run->job = (struct tg_job){.work = work, .finish = finish};
    run->message.run = on_worked;
    run->loop = visit->loop->loop;
    run->templates = pools->templates;
    run->visit = visit;
    copy_visit(&run->call, visit);
    tg_visit_on_gone(visit, on_visit_gone, run);

    if (endpoint == NULL) {
        fill_error(run, TG_ERROR_METHOD);
        tg_reply_header(&run->call.reply, TG_TEXT("allow"), tg_text(allow_value(allowed)));
        answer(run);
        return 0;
    }
    run->pool = pools->of[endpoint->pool];
    run->call.endpoint = endpoint;
    run->call.context = context;
    run->call.tail = tg_arena_text(&run->call.arena, tail);
    start(run);
    return 0;
}
