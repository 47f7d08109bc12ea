#include "command/status_front.h"
#include "base/clock.h"

static long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

/* "3 idle, 1 writing", of the members that are not zero. */
static void add_counts(struct tg_string *out, json_t *counts, const char *none)
{
    const char *name, *before = "";
    json_t *value;

    json_object_foreach(counts, name, value) {
        if (json_integer_value(value) == 0)
            continue;
        tg_string_addf(out, "%s%lld %s", before, (long long)json_integer_value(value), name);
        before = ", ";
    }
    if (before[0] == '\0')
        tg_string_add(out, tg_text(none));
    tg_string_add(out, TG_TEXT("\n"));
}

static void add_connections(struct tg_string *out, const json_t *front)
{
    json_t *states = json_object_get(front, "states");

    tg_string_addf(out, "%-12s %lld of %lld: ", "connections", number_of(front, "connections"), number_of(front, "max_connections"));
    add_counts(out, states, "none");
    tg_string_addf(out, "%-12s %lld KiB wait for clients\n", "memory", number_of(front, "held_bytes") / 1024);
    tg_string_addf(out, "%-12s ", "attacks");
    add_counts(out, json_object_get(front, "attacks"), "none since its start");
}

static void add_loops(struct tg_string *out, json_t *loops)
{
    json_t *loop;
    size_t i;

    json_array_foreach(loops, i, loop)
        tg_string_addf(out, "%-12s %lld connections, %lld to Gitea, at most %.1f ms late\n", i == 0 ? "loops" : "",
                       number_of(loop, "connections"), number_of(loop, "upstream_connections"), (double)number_of(loop, "lag_us_max") / 1e3);
}

static void add_pools(struct tg_string *out, json_t *pools)
{
    json_t *pool;
    size_t i;

    json_array_foreach(pools, i, pool) {
        const char *name = json_string_value(json_object_get(pool, "name"));

        tg_string_addf(out, "%-12s %s: %lld of %lld busy, %lld of %lld wait, %lld done, %lld refused\n", i == 0 ? "workers" : "",
                       name != NULL ? name : "-", number_of(pool, "busy"), number_of(pool, "threads"), number_of(pool, "queued"),
                       number_of(pool, "queue_limit"), number_of(pool, "done"), number_of(pool, "refused"));
    }
}

static void add_rest(struct tg_string *out, const json_t *front)
{
    long long dropped = number_of(front, "access_log_dropped") + number_of(front, "event_log_dropped");
    char until[TG_TIME_ISO];

    if (number_of(front, "certificate_expiry") > 0) {
        tg_time_iso(number_of(front, "certificate_expiry"), until);
        tg_string_addf(out, "%-12s the first ends at %s\n", "certificates", until);
    }
    if (dropped > 0)
        tg_string_addf(out, "%-12s %lld lines were lost\n", "logs", dropped);
}

void tg_status_front(struct tg_string *out, const json_t *front)
{
    add_connections(out, front);
    add_loops(out, json_object_get(front, "loops"));
    add_pools(out, json_object_get(front, "pools"));
    add_rest(out, front);
}
