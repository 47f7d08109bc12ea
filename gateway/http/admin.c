#include "http/admin.h"
#include <unistd.h>
#include "base/result.h"
#include "http/reply.h"
#include "http/server_parts.h"

static const struct tg_admin nothing_more;

static const struct tg_admin *admin_of(struct tg_visit *visit)
{
    const struct tg_admin *admin = visit->loop->server->options.admin;

    return admin != NULL ? admin : &nothing_more;
}

static void answer(struct tg_visit *visit, int status, const char *type, struct tg_string *text)
{
    h2o_iovec_t copy = h2o_strdup(&visit->req->pool, text->base != NULL ? text->base : "", text->len);

    tg_reply_send(visit, &(struct tg_reply){.status = status, .content_type = type, .body = tg_text_of(copy)});
}

static void write_loops(struct tg_string *out, struct tg_server *server)
{
    static const char lag[] = "teagate_loop_lag_seconds", turns[] = "teagate_loop_turns_total";
    struct tg_loop_stats stats;

    tg_string_addf(out, "# HELP %s How late a loop was lately, at the most.\n# TYPE %s gauge\n", lag, lag);
    for (size_t i = 0; i < server->loop_count; i++) {
        tg_loop_stats(server->loops[i].loop, &stats);
        tg_string_addf(out, "%s{loop=\"%zu\"} %.6f\n", lag, i, (double)stats.lag_us_max / 1e6);
    }
    tg_string_addf(out, "# HELP %s Turns of a loop.\n# TYPE %s counter\n", turns, turns);
    for (size_t i = 0; i < server->loop_count; i++) {
        tg_loop_stats(server->loops[i].loop, &stats);
        tg_string_addf(out, "%s{loop=\"%zu\"} %llu\n", turns, i, (unsigned long long)stats.turns);
    }
}

static void answer_metrics(struct tg_visit *visit)
{
    struct tg_server *server = visit->loop->server;
    TG_FREED struct tg_metrics **metrics = tg_alloc(server->loop_count * sizeof(*metrics));
    TG_STRING out = {0};

    for (size_t i = 0; i < server->loop_count; i++)
        metrics[i] = server->loops[i].metrics;
    tg_metrics_write(&out, metrics, server->loop_count, server->options.names);
    write_loops(&out, server);
    if (server->options.tls != NULL)
        tg_metric_line(&out, "teagate_certificate_end_seconds", "gauge", "Earliest end of any certificate in use, since 1970.",
                       (uint64_t)tg_tls_next_expiry_s(server->options.tls));
    if (server->options.access_log != NULL)
        tg_metric_line(&out, "teagate_access_log_dropped_total", "counter", "Lines of the access log that were dropped.",
                       tg_logfile_dropped(server->options.access_log));
    tg_metric_line(&out, "teagate_upload_credit_bytes", "gauge", "What clients may have under way of request bodies, of upload-memory.",
                   __atomic_load_n(&server->h2o._body_charged, __ATOMIC_RELAXED));
    if (admin_of(visit)->metrics != NULL)
        admin_of(visit)->metrics(&out, admin_of(visit)->context);
    answer(visit, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

static void answer_health(struct tg_visit *visit)
{
    tg_reply_text(visit, 200, "ok");
}

static void answer_readiness(struct tg_visit *visit)
{
    const struct tg_admin *admin = admin_of(visit);
    const char *why = tg_server_is_draining(visit->loop->server) ? "draining" :
                      admin->not_ready != NULL                   ? admin->not_ready(admin->context) :
                                                                   NULL;

    tg_reply_text(visit, why == NULL ? 200 : 503, why == NULL ? "ready" : why);
}

static void answer_status(struct tg_visit *visit)
{
    struct tg_server *server = visit->loop->server;
    const struct tg_admin *admin = admin_of(visit);
    TG_STRING out = {0};

    tg_string_addf(&out, "{\"pid\":%ld,\"loops\":%zu,\"connections\":%zu,\"draining\":%s", (long)getpid(), server->loop_count,
                   tg_server_connections(server), tg_server_is_draining(server) ? "true" : "false");
    if (admin->status != NULL)
        admin->status(&out, admin->context);
    tg_string_add(&out, TG_TEXT("}\n"));
    answer(visit, 200, "application/json", &out);
}

static const struct {
    const char *path;
    void (*answer)(struct tg_visit *visit);
} pages[] = {
    {"/metrics", answer_metrics},
    {"/healthz", answer_health},
    {"/readyz", answer_readiness},
    {"/status", answer_status},
};

static enum tg_step_answer step_admin(struct tg_visit *visit)
{
    struct tg_text method = tg_text_of(visit->req->input.method);

    for (size_t i = 0; i < tg_count(pages); i++) {
        if (!tg_text_is(visit->path.raw, pages[i].path))
            continue;
        if (tg_text_is(method, "GET") || tg_text_is(method, "HEAD"))
            pages[i].answer(visit);
        else
            tg_reply_text(visit, 405, "Only GET and HEAD.");
        return TG_STEP_DONE;
    }
    return TG_STEP_NEXT;
}

const struct tg_step tg_admin_steps[] = {
    {"admin", step_admin},
    {NULL, NULL},
};
