#include <inttypes.h>
#include "base/log.h"
#include "base/result.h"
#include "http/metrics.h"
#include "site_parts.h"

enum { CACHED = 16384, CALM_TICKS = 3 };

int tg_site_make_cache(struct tg_site *site, struct tg_store *store)
{
    struct tg_cache_options options = {.ring = &site->ring, .capacity = CACHED};

    tg_try(tg_space_new(&site->conf->redis, store, &site->space));
    options.space = site->space;
    site->cache = tg_cache_new(&options);
    site->workers = (struct tg_worker_options){.directory = site->conf->state, .cache = site->cache};
    return 0;
}

/* One line when it goes and one when it has been back for a while: a Redis that comes and goes is away. */
void tg_site_watch_redis(struct tg_site *site)
{
    struct tg_site_redis *told = &site->redis;
    struct tg_breaker_stats stats;

    if (site->space == NULL)
        return;
    tg_redis_stats(site->space->redis, &stats);
    if (stats.open || stats.openings != told->openings) {
        told->calm_ticks = 0;
        told->openings = stats.openings;
        if (!told->away)
            tg_log(TG_LOG_WARN, "redis-away", "address", site->conf->redis.address.text, "why", stats.why, "do",
                   "look at Redis; the database answers meanwhile, a little slower", NULL);
        told->away = true;
    } else if (told->away && ++told->calm_ticks >= CALM_TICKS) {
        told->away = false;
        tg_log(TG_LOG_INFO, "redis-back", "address", site->conf->redis.address.text, NULL);
    }
}

static void sources(struct tg_string *out, const char *kind, const uint64_t counts[TG_CACHE_SOURCES])
{
    static const char *const names[] = {[TG_CACHE_MEMORY] = "memory", [TG_CACHE_REDIS] = "redis", [TG_CACHE_DATABASE] = "database"};

    for (size_t i = 0; i < TG_CACHE_SOURCES; i++)
        tg_string_addf(out, "teagate_cache_answers_total{kind=\"%s\",from=\"%s\"} %" PRIu64 "\n", kind, names[i], counts[i]);
}

static void redis_metrics(struct tg_redis *redis, struct tg_string *out)
{
    struct tg_breaker_stats stats;

    tg_redis_stats(redis, &stats);
    tg_metric_line(out, "teagate_redis_up", "gauge", "Whether Redis is being asked; 0 while its breaker is open.", !stats.open);
    tg_metric_line(out, "teagate_redis_calls_total", "counter", "Calls that Redis answered.", stats.successes);
    tg_metric_line(out, "teagate_redis_failures_total", "counter", "Calls that Redis did not answer in time, or with an error.",
                   stats.failures);
    tg_metric_line(out, "teagate_redis_skipped_total", "counter", "Calls that were not made because the breaker was open.", stats.skipped);
    tg_metric_line(out, "teagate_redis_openings_total", "counter", "How often the breaker has opened.", stats.openings);
}

void tg_site_cache_metrics(struct tg_site *site, struct tg_string *out)
{
    struct tg_cache_stats stats;

    tg_cache_stats(site->cache, &stats);
    tg_string_addf(out, "# HELP teagate_cache_answers_total Where workers found what loops did not know.\n"
                        "# TYPE teagate_cache_answers_total counter\n");
    sources(out, "facts", stats.facts);
    sources(out, "credential", stats.credentials);
    tg_metric_line(out, "teagate_cache_stale_total", "counter", "Values that a change overtook before they were used.", stats.stale);
    tg_metric_line(out, "teagate_cache_refused_total", "counter", "Values of Redis that were too old, too new or not ours.", stats.refused);
    if (site->space != NULL)
        redis_metrics(site->space->redis, out);
}
