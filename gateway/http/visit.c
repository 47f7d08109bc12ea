#include "http/visit.h"
#include <time.h>
#include "http/reply.h"
#include "http/server_parts.h"

uint64_t tg_monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Digits of 5 bits, the last ones first, so that ids sort by time. */
static char *put_digits(char *end, uint64_t value, size_t count)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

    while (count-- > 0) {
        *--end = digits[value & 31];
        value >>= 5;
    }
    return end;
}

/* 8 characters of time, 7 of this loop in this process, 5 counted. */
static void make_id(struct tg_visit *visit)
{
    const struct timeval *at = &visit->req->processed_at.at;
    struct tg_loop_own *own = visit->loop->own;

    put_digits(visit->id + 8, (uint64_t)at->tv_sec * 1000 + (uint64_t)at->tv_usec / 1000, 8);
    memcpy(visit->id + 8, own->id_prefix, 7);
    put_digits(visit->id + 20, own->ids++, 5);
    visit->id[20] = '\0';
}

static void count_visit(struct tg_visit *visit, uint64_t duration_us)
{
    struct tg_metrics *metrics = visit->loop->metrics;
    const h2o_req_t *req = visit->req;
    size_t host = visit->host != NULL && visit->host->kind < TG_METRIC_HOSTS - 1 ? visit->host->kind : TG_METRIC_HOSTS - 1;
    int class = req->res.status / 100;

    tg_metric_add(&metrics->requests[host][visit->is_gone || class < 1 || class > 5 ? 0 : class], 1);
    tg_metric_add(&metrics->latency[host][tg_metric_bucket(duration_us)], 1);
    tg_metric_add(&metrics->latency_us[host], duration_us);
    tg_metric_add(&metrics->bytes_out, req->bytes_sent);
    if (req->body != NULL)
        tg_metric_add(&metrics->bytes_in, req->body->received);
    if (visit->door >= 0 && visit->door < TG_METRIC_DOORS)
        tg_metric_add(&metrics->judged[visit->door][tg_metric_verdict(visit->loop->server->options.names, visit->verdict.name)], 1);
}

/* Bodies that were refused while they came, or did not come. */
static void report_body(struct tg_visit *visit)
{
    const h2o_body_t *body = visit->req->body;

    if (visit->req->res.status == 408 && body->failed)
        tg_guard_report_visit(visit, TG_ATTACK_SLOW_BODY);
    else if (visit->req->res.status == 413 && !body->ended)
        tg_guard_report_visit(visit, TG_ATTACK_LARGE_BODY);
}

/* Before the request's memory goes, and after everything that was allocated in it later has been disposed of. */
static void on_visit_over(void *holder)
{
    struct tg_visit *visit = *(struct tg_visit **)holder;
    uint64_t duration_us = tg_monotonic_us() - visit->started_us;

    if (h2o_linklist_is_linked(&visit->watched))
        h2o_linklist_unlink(&visit->watched);
    tg_visit_hold_nothing(visit);
    visit->connection->visits--;
    visit->connection->idle_since_ms = h2o_now(visit->loop->context.loop);
    if (visit->req->timestamps.response_end_at.tv_sec == 0 && visit->req->upgrade.base == NULL)
        visit->is_gone = true;
    if (visit->req->body != NULL)
        report_body(visit);
    count_visit(visit, duration_us);
    if (visit->loop->access_log != NULL)
        tg_visit_log(visit, duration_us);
    tg_spares_give(&visit->loop->own->visits, visit);
}

static struct tg_visit *make_visit(h2o_req_t *req)
{
    struct tg_connection *connection = tg_connection_of(req);
    struct tg_visit **holder = h2o_mem_alloc_shared(&req->pool, sizeof(*holder), on_visit_over);
    struct tg_visit *visit = *holder = tg_spares_take(&connection->loop->own->visits);

    memset(visit, 0, offsetof(struct tg_visit, path.segments));
    visit->req = req;
    visit->loop = connection->loop;
    visit->connection = connection;
    visit->started_us = tg_monotonic_us();
    visit->door = -1;
    visit->path.raw = tg_text_of(req->path);
    visit->path.query = visit->path.raw;
    visit->path.raw = tg_text_cut(&visit->path.query, '?');
    memcpy(visit->address, connection->address, sizeof(visit->address));
    if (connection->is_forwarded)
        tg_visit_find_client(visit);
    make_id(visit);
    connection->visits++;
    connection->requests++;
    tg_visit_hold(visit, 0);
    if (connection->protocol == TG_PROTOCOL_HTTP1) {
        h2o_linklist_insert(&visit->loop->own->watched, &visit->watched);
        if (tg_connection_is_last(connection))
            req->http1_is_persistent = 0;
    } else {
        h2o_linklist_insert(&visit->loop->own->streams, &visit->watched);
    }
    return visit;
}

static void run_steps(struct tg_visit *visit)
{
    for (; visit->step->name != NULL; visit->step++) {
        if (visit->step->run(visit) != TG_STEP_NEXT)
            return; /* a visit that was answered may be gone */
    }
    tg_reply_text(visit, 404, "Nothing is here.");
}

void tg_visit_resume(struct tg_visit *visit)
{
    visit->step++;
    run_steps(visit);
}

static const struct tg_step *steps_of(const struct tg_connection *connection)
{
    static const struct tg_step none[] = {{NULL, NULL}};
    const struct tg_server_options *options = &connection->loop->server->options;
    const struct tg_step *by_kind[] = {
        [TG_LISTEN_HTTPS] = options->steps,
        [TG_LISTEN_HTTP] = tg_plain_steps,
        [TG_LISTEN_BACKCHANNEL] = options->backchannel_steps,
        [TG_LISTEN_ADMIN] = options->admin_steps,
    };

    return by_kind[connection->listener->kind] != NULL ? by_kind[connection->listener->kind] : none;
}

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    struct tg_visit *visit = make_visit(req);

    if (visit->connection->is_cut) { /* what it had sent before it was */
        tg_reply_text(visit, 503, "");
        return 0;
    }
    visit->step = steps_of(visit->connection);
    run_steps(visit);
    return 0;
}

void tg_visit_add_handler(h2o_pathconf_t *path)
{
    h2o_handler_t *handler = h2o_create_handler(path, sizeof(*handler));

    handler->on_req = on_request;
    handler->streams_body = 1;
}

struct gone_hook {
    void (*on_gone)(void *data);
    void *data;
};

static void on_hook_disposed(void *data)
{
    struct gone_hook *hook = data;

    hook->on_gone(hook->data);
}

void tg_visit_on_gone(struct tg_visit *visit, void (*on_gone)(void *data), void *data)
{
    struct gone_hook *hook = h2o_mem_alloc_shared(&visit->req->pool, sizeof(*hook), on_hook_disposed);

    *hook = (struct gone_hook){on_gone, data};
}

static bool is_named(const h2o_header_t *header, const char *name, size_t len)
{
    return header->name->len == len && memcmp(header->name->base, name, len) == 0;
}

struct tg_text tg_visit_header(const struct tg_visit *visit, const char *name)
{
    const h2o_headers_t *headers = &visit->req->headers;
    size_t len = strlen(name);

    for (size_t i = 0; i < headers->size; i++) {
        if (is_named(&headers->entries[i], name, len))
            return tg_text_of(headers->entries[i].value);
    }
    return (struct tg_text){NULL, 0};
}

size_t tg_visit_header_count(const struct tg_visit *visit, const char *name)
{
    const h2o_headers_t *headers = &visit->req->headers;
    size_t len = strlen(name), count = 0;

    for (size_t i = 0; i < headers->size; i++)
        count += is_named(&headers->entries[i], name, len);
    return count;
}
