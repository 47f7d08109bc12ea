/*
 * metrics.h - counters of one loop, and their sum as Prometheus text
 *
 * Each loop counts in its own struct; the admin listener reads all of them (relaxed loads, no locks).
 */
#ifndef TG_HTTP_METRICS_H
#define TG_HTTP_METRICS_H

#include <stdatomic.h>
#include <stdint.h>
#include "base/text.h"

enum { TG_METRIC_DOORS = 32, TG_METRIC_VERDICTS = 16, TG_METRIC_HOSTS = 8, TG_METRIC_BUCKETS = 12 };

/* Why a connection was ended, or not taken. */
enum tg_attack {
    TG_ATTACK_CONNECTIONS, /* too many at a time, of one address */
    TG_ATTACK_RESETS,      /* HTTP/2: aborted streams */
    TG_ATTACK_HEADERS,     /* HTTP/2: a header block beyond all measure */
    TG_ATTACK_FRAMES,      /* HTTP/2: frames without effect */
    TG_ATTACK_PROTOCOL,    /* HTTP/2: bytes that are none, or against its rules */
    TG_ATTACK_HANDSHAKE,   /* no TLS handshake in time */
    TG_ATTACK_SLOW_HEAD,   /* no request head in time */
    TG_ATTACK_SLOW_BODY,   /* a request body that stops, or hardly moves */
    TG_ATTACK_SLOW_READ,   /* an answer that is not taken in time */
    TG_ATTACK_HOARDING,    /* answers that are not taken, when what they use up is short */
    TG_ATTACK_LARGE_BODY,  /* a request body beyond its limit */
    TG_ATTACK_CROWD,       /* idle connections, when there are so many that others find no room */
    TG_ATTACK_UNTRUSTED_PROXY, /* a connection that should come from a proxy comes from elsewhere */
    TG_ATTACK_PROXY_HEADER, /* a proxy's header that is none */
    TG_ATTACK_KINDS
};
const char *tg_attack_name(enum tg_attack attack);

/* What a connection is busy with; TG_STATE_WRITING: its client takes what is sent, or keeps its windows shut. */
enum tg_connection_state {
    TG_STATE_HANDSHAKE, TG_STATE_IDLE, TG_STATE_HEAD, TG_STATE_BODY, TG_STATE_UPSTREAM, TG_STATE_WRITING, TG_STATES
};
const char *tg_connection_state_name(enum tg_connection_state state);

struct tg_metrics {
    _Atomic uint64_t requests[TG_METRIC_HOSTS][6];                     /* host kind (the last: none) x status class (0: aborted) */
    _Atomic uint64_t judged[TG_METRIC_DOORS][TG_METRIC_VERDICTS];      /* door x verdict */
    _Atomic uint64_t latency[TG_METRIC_HOSTS][TG_METRIC_BUCKETS];      /* histogram, to the last byte */
    _Atomic uint64_t latency_us[TG_METRIC_HOSTS];
    _Atomic uint64_t connections, connections_open, handshakes, handshakes_failed, refused_connections;
    _Atomic uint64_t upstream_connects, upstream_reuses, upstream_retries, upstream_failures, upstream_timeouts, upstream_open;
    _Atomic uint64_t bytes_in, bytes_out, held, weight;
    _Atomic uint64_t attacks[TG_ATTACK_KINDS];
    _Atomic uint64_t states[TG_STATES];                                /* connections, half a second ago */
};

static inline void tg_metric_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void tg_metric_set(_Atomic uint64_t *gauge, uint64_t n)
{
    atomic_store_explicit(gauge, n, memory_order_relaxed);
}

/* What the indexes of `judged` are called; the server gets it with its options. */
struct tg_metric_names {
    const char *(*door)(int door);   /* 0..TG_METRIC_DOORS-1; NULL where there is none */
    const char *const *verdicts;     /* ends with NULL; the index 0 is for names that are not in it, so the first name has 1 */
};

/* The index of a verdict's name in `judged`. */
size_t tg_metric_verdict(const struct tg_metric_names *names, const char *verdict);
/* The class of the latency histogram for a duration. */
size_t tg_metric_bucket(uint64_t us);

/* The sums of all loops. names may be NULL. */
void tg_metrics_write(struct tg_string *out, struct tg_metrics *const *loops, size_t count, const struct tg_metric_names *names);

/* For writers of further families: "# HELP", "# TYPE" and one sample without labels. */
void tg_metric_line(struct tg_string *out, const char *name, const char *type, const char *help, uint64_t value);

#endif
