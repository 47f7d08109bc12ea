#include <inttypes.h>
#include <jansson.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "http/metrics.h"
#include "site_parts.h"

static json_t *pools_status(struct tg_site *site)
{
    json_t *pools = json_array();

    for (size_t i = 0; i != tg_count(site->pools.of); ++i) {
        struct tg_pool_stats stats;

        tg_pool_stats(site->pools.of[i], &stats);
        json_array_append_new(pools, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "name", stats.name, "threads",
                                               (json_int_t)stats.threads, "busy", (json_int_t)stats.busy, "queued",
                                               (json_int_t)stats.queued, "queue_limit", (json_int_t)stats.queue_limit, "done",
                                               (json_int_t)stats.done, "refused", (json_int_t)stats.refused));
    }
    return pools;
}

static json_t *loops_status(struct tg_site *site)
{
    json_t *loops = json_array();

    for (size_t i = 0; i != tg_server_loops(site->server); ++i) {
        struct tg_server_loop *loop = tg_server_loop_at(site->server, i);
        struct tg_loop_stats stats;

        tg_loop_stats(loop->loop, &stats);
        json_array_append_new(loops, json_pack("{s:I, s:I, s:I, s:I}", "turns", (json_int_t)stats.turns, "lag_us_max",
                                               (json_int_t)stats.lag_us_max, "connections",
                                               (json_int_t)atomic_load(&loop->metrics->connections_open), "upstream_connections",
                                               (json_int_t)atomic_load(&loop->metrics->upstream_open)));
    }
    return loops;
}

/* Of all loops. */
static json_int_t sum_of(struct tg_site *site, size_t offset)
{
    json_int_t total = 0;

    for (size_t i = 0; i != tg_server_loops(site->server); ++i) {
        const char *metrics = (const char *)tg_server_loop_at(site->server, i)->metrics;

        total += (json_int_t)atomic_load((_Atomic uint64_t *)(uintptr_t)(metrics + offset));
    }
    return total;
}

static json_t *states_status(struct tg_site *site)
{
    json_t *states = json_object();

    for (int i = 0; i != TG_STATES; ++i)
        json_object_set_new(states, tg_connection_state_name((enum tg_connection_state)i),
                            json_integer(sum_of(site, offsetof(struct tg_metrics, states) + (size_t)i * sizeof(uint64_t))));
    return states;
}

static json_t *attacks_status(struct tg_site *site)
{
    json_t *attacks = json_object();

    for (int i = 0; i != TG_ATTACK_KINDS; ++i)
        json_object_set_new(attacks, tg_attack_name((enum tg_attack)i),
                            json_integer(sum_of(site, offsetof(struct tg_metrics, attacks) + (size_t)i * sizeof(uint64_t))));
    return attacks;
}

static json_int_t dropped(struct tg_logfile *file)
{
    return file != NULL ? (json_int_t)tg_logfile_dropped(file) : 0;
}

void tg_site_status(struct tg_site *site, struct tg_string *out)
{
    TG_JSON *status = json_pack("{s:I, s:I, s:I, s:I, s:b, s:I, s:o, s:o}", "generation", (json_int_t)site->generation, "uptime_s",
                                (json_int_t)(tg_now_s() - site->started_s), "connections", (json_int_t)tg_server_connections(site->server),
                                "max_connections", (json_int_t)site->conf->http.limits.max_connections, "draining",
                                tg_server_is_draining(site->server), "held_bytes", sum_of(site, offsetof(struct tg_metrics, held)),
                                "states", states_status(site), "attacks", attacks_status(site));

    json_object_set_new(status, "loops", loops_status(site));
    json_object_set_new(status, "pools", pools_status(site));
    json_object_set_new(status, "access_log_dropped", json_integer(dropped(site->access_log)));
    json_object_set_new(status, "event_log_dropped", json_integer(dropped(site->event_log)));
    json_object_set_new(status, "certificate_expiry", json_integer((json_int_t)tg_tls_next_expiry_s(site->tls)));
    tg_json_add(out, status);
}

void tg_site_admin_status(struct tg_string *out, void *context)
{
    tg_string_add(out, TG_TEXT(",\"front\":"));
    tg_site_status(context, out);
}

static void pool_family(struct tg_site *site, struct tg_string *out, const char *const name_and_help[2],
                        uint64_t (*of)(const struct tg_pool_stats *))
{
    const char *name = name_and_help[0];

    tg_string_addf(out, "# HELP teagate_pool_%s %s\n# TYPE teagate_pool_%s gauge\n", name, name_and_help[1], name);
    for (size_t i = 0; i != tg_count(site->pools.of); ++i) {
        struct tg_pool_stats stats;

        tg_pool_stats(site->pools.of[i], &stats);
        tg_string_addf(out, "teagate_pool_%s{pool=\"%s\"} %" PRIu64 "\n", name, stats.name, of(&stats));
    }
}

static uint64_t busy_of(const struct tg_pool_stats *stats)
{
    return stats->busy;
}

static uint64_t queued_of(const struct tg_pool_stats *stats)
{
    return stats->queued;
}

static uint64_t refused_of(const struct tg_pool_stats *stats)
{
    return stats->refused;
}

static void gauge(struct tg_string *out, const char *name, const char *help, int64_t value)
{
    tg_string_addf(out, "# HELP teagate_%s %s\n# TYPE teagate_%s gauge\nteagate_%s %" PRId64 "\n", name, help, name, name, value);
}

void tg_site_metrics(struct tg_string *out, void *context)
{
    struct tg_site *site = context;

    pool_family(site, out, (const char *const[]){"busy", "Worker threads at work."}, busy_of);
    pool_family(site, out, (const char *const[]){"queued", "Jobs that wait for a worker thread."}, queued_of);
    pool_family(site, out, (const char *const[]){"refused", "Jobs refused since start because the queue was full."}, refused_of);
    gauge(out, "generation", "Number of this configuration generation.", site->generation);
    tg_metric_line(out, "teagate_event_log_dropped_total", "counter", "Lines of the event log that were dropped.",
                   (uint64_t)dropped(site->event_log));
    tg_site_cache_metrics(site, out);
    tg_front_metrics(site->front, out);
}
