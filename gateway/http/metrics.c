#include "http/metrics.h"

enum { ABORTED = 0 };

static const struct {
    uint64_t us;
    const char *seconds;
} bounds[TG_METRIC_BUCKETS] = {
    {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},   {10000, "0.01"},   {25000, "0.025"},    {50000, "0.05"},
    {100000, "0.1"},  {250000, "0.25"}, {1000000, "1"},    {5000000, "5"},    {30000000, "30"},    {UINT64_MAX, "+Inf"},
};

static const char *const hosts[TG_METRIC_HOSTS] = {"gitea", "auth", "backchannel", "admin", NULL, NULL, NULL, "none"};
static const char *const classes[] = {"aborted", "1xx", "2xx", "3xx", "4xx", "5xx"};

const char *tg_attack_name(enum tg_attack attack)
{
    static const char *const names[TG_ATTACK_KINDS] = {
        [TG_ATTACK_CONNECTIONS] = "connections", [TG_ATTACK_RESETS] = "resets",       [TG_ATTACK_HEADERS] = "header-block",
        [TG_ATTACK_FRAMES] = "frames",           [TG_ATTACK_PROTOCOL] = "protocol",   [TG_ATTACK_HANDSHAKE] = "slow-handshake",
        [TG_ATTACK_SLOW_HEAD] = "slow-head",     [TG_ATTACK_SLOW_BODY] = "slow-body",   [TG_ATTACK_SLOW_READ] = "slow-read",
        [TG_ATTACK_HOARDING] = "hoarding",       [TG_ATTACK_LARGE_BODY] = "large-body", [TG_ATTACK_CROWD] = "crowd",
        [TG_ATTACK_UNTRUSTED_PROXY] = "untrusted-proxy", [TG_ATTACK_PROXY_HEADER] = "proxy-header",
    };

    return names[attack];
}

const char *tg_connection_state_name(enum tg_connection_state state)
{
    static const char *const names[TG_STATES] = {
        [TG_STATE_HANDSHAKE] = "handshake", [TG_STATE_IDLE] = "idle",         [TG_STATE_HEAD] = "reading-head",
        [TG_STATE_BODY] = "reading-body",   [TG_STATE_UPSTREAM] = "upstream", [TG_STATE_WRITING] = "writing",
    };

    return names[state];
}

size_t tg_metric_bucket(uint64_t us)
{
    size_t bucket = 0;

    while (us > bounds[bucket].us)
        bucket++;
    return bucket;
}

size_t tg_metric_verdict(const struct tg_metric_names *names, const char *verdict)
{
    if (names == NULL || names->verdicts == NULL || verdict == NULL)
        return 0;
    for (size_t i = 0; names->verdicts[i] != NULL && i + 1 < TG_METRIC_VERDICTS; i++) {
        if (names->verdicts[i] == verdict || strcmp(names->verdicts[i], verdict) == 0)
            return i + 1;
    }
    return 0;
}

static void family(struct tg_string *out, const char *name, const char *type, const char *help)
{
    tg_string_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void tg_metric_line(struct tg_string *out, const char *name, const char *type, const char *help, uint64_t value)
{
    family(out, name, type, help);
    tg_string_addf(out, "%s %llu\n", name, (unsigned long long)value);
}

/* The sum over all loops of the counter that stands at the same place in each. */
static uint64_t sum(struct tg_metrics *const *loops, size_t count, size_t offset)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += atomic_load_explicit((_Atomic uint64_t *)((char *)loops[i] + offset), memory_order_relaxed);
    return total;
}

#define OFFSET(field) ((size_t)((char *)&loops[0]->field - (char *)loops[0]))

static void write_requests(struct tg_string *out, struct tg_metrics *const *loops, size_t count)
{
    family(out, "teagate_requests_total", "counter", "Requests by what the host stands for and class of status.");
    for (size_t host = 0; host < TG_METRIC_HOSTS; host++) {
        for (size_t class = ABORTED; hosts[host] != NULL && class < sizeof(classes) / sizeof(classes[0]); class++) {
            uint64_t n = sum(loops, count, OFFSET(requests[host][class]));

            tg_string_addf(out, "teagate_requests_total{host=\"%s\",status=\"%s\"} %llu\n", hosts[host], classes[class],
                           (unsigned long long)n);
        }
    }
}

static void write_latency_of(struct tg_string *out, struct tg_metrics *const *loops, size_t count, size_t host)
{
    uint64_t total = 0;

    for (size_t bucket = 0; bucket < TG_METRIC_BUCKETS; bucket++) {
        total += sum(loops, count, OFFSET(latency[host][bucket]));
        tg_string_addf(out, "teagate_request_seconds_bucket{host=\"%s\",le=\"%s\"} %llu\n", hosts[host], bounds[bucket].seconds,
                       (unsigned long long)total);
    }
    tg_string_addf(out, "teagate_request_seconds_sum{host=\"%s\"} %.6f\nteagate_request_seconds_count{host=\"%s\"} %llu\n", hosts[host],
                   (double)sum(loops, count, OFFSET(latency_us[host])) / 1e6, hosts[host], (unsigned long long)total);
}

static void write_latency(struct tg_string *out, struct tg_metrics *const *loops, size_t count)
{
    family(out, "teagate_request_seconds", "histogram", "From the head of a request to the last byte of its answer.");
    for (size_t host = 0; host < TG_METRIC_HOSTS; host++) {
        if (hosts[host] != NULL)
            write_latency_of(out, loops, count, host);
    }
}

static void write_judged(struct tg_string *out, struct tg_metrics *const *loops, size_t count, const struct tg_metric_names *names)
{
    if (names == NULL || names->door == NULL)
        return;
    family(out, "teagate_judged_total", "counter", "Requests by door and verdict.");
    for (int door = 0; door < TG_METRIC_DOORS; door++) {
        for (size_t verdict = 0; verdict < TG_METRIC_VERDICTS; verdict++) {
            uint64_t n = sum(loops, count, OFFSET(judged[door][verdict]));
            const char *door_name = n > 0 ? names->door(door) : NULL;

            if (n > 0)
                tg_string_addf(out, "teagate_judged_total{door=\"%s\",verdict=\"%s\"} %llu\n", door_name != NULL ? door_name : "other",
                               verdict > 0 ? names->verdicts[verdict - 1] : "other", (unsigned long long)n);
        }
    }
}

static void write_attacks(struct tg_string *out, struct tg_metrics *const *loops, size_t count)
{
    family(out, "teagate_attacks_total", "counter", "Connections that were ended, or not taken, as an attack.");
    for (int attack = 0; attack < TG_ATTACK_KINDS; attack++)
        tg_string_addf(out, "teagate_attacks_total{kind=\"%s\"} %llu\n", tg_attack_name((enum tg_attack)attack),
                       (unsigned long long)sum(loops, count, OFFSET(attacks[attack])));
}

static void write_states(struct tg_string *out, struct tg_metrics *const *loops, size_t count)
{
    family(out, "teagate_connections", "gauge", "Connections of clients by what they are busy with.");
    for (int state = 0; state < TG_STATES; state++)
        tg_string_addf(out, "teagate_connections{state=\"%s\"} %llu\n", tg_connection_state_name((enum tg_connection_state)state),
                       (unsigned long long)sum(loops, count, OFFSET(states[state])));
}

void tg_metrics_write(struct tg_string *out, struct tg_metrics *const *loops, size_t count, const struct tg_metric_names *names)
{
    const struct {
        const char *name, *type, *help;
        size_t offset;
    } plain[] = {
        {"teagate_connections_total", "counter", "Connections that were accepted.", OFFSET(connections)},
        {"teagate_connections_open", "gauge", "Connections of clients.", OFFSET(connections_open)},
        {"teagate_connections_refused_total", "counter", "Connections closed at once: max-connections, max-connections-per-address.",
         OFFSET(refused_connections)},
        {"teagate_handshakes_total", "counter", "TLS handshakes that were completed.", OFFSET(handshakes)},
        {"teagate_handshakes_failed_total", "counter", "TLS handshakes that failed, timed out or named an unknown host.",
         OFFSET(handshakes_failed)},
        {"teagate_upstream_connects_total", "counter", "New connections to upstreams.", OFFSET(upstream_connects)},
        {"teagate_upstream_reuses_total", "counter", "Requests on kept connections to upstreams.", OFFSET(upstream_reuses)},
        {"teagate_upstream_retries_total", "counter", "Requests repeated on a fresh connection.", OFFSET(upstream_retries)},
        {"teagate_upstream_failures_total", "counter", "Requests that an upstream failed.", OFFSET(upstream_failures)},
        {"teagate_upstream_timeouts_total", "counter", "Requests that an upstream did not answer in time.", OFFSET(upstream_timeouts)},
        {"teagate_upstream_open", "gauge", "Connections to upstreams.", OFFSET(upstream_open)},
        {"teagate_received_bytes_total", "counter", "Bytes of request bodies.", OFFSET(bytes_in)},
        {"teagate_held_bytes", "gauge", "Requests and answers under way, waiting for clients: max-held.", OFFSET(held)},
        {"teagate_connection_bytes", "gauge", "Memory that connections take beside those: idle-memory.", OFFSET(weight)},
        {"teagate_sent_bytes_total", "counter", "Bytes of answers' bodies.", OFFSET(bytes_out)},
    };

    write_requests(out, loops, count);
    write_latency(out, loops, count);
    write_judged(out, loops, count, names);
    write_attacks(out, loops, count);
    write_states(out, loops, count);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        tg_metric_line(out, plain[i].name, plain[i].type, plain[i].help, sum(loops, count, plain[i].offset));
}
