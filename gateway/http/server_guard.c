#include <arpa/inet.h>
#include <netinet/in.h>
#include "base/log.h"
#include "base/result.h"
#include "http/server_parts.h"
/* does not stand alone */
#include <h2o/http2.h>

/* What is counted by address, for all loops: connections, and when an attack was last written down. An address is a /32, or the /64 that
   one subscriber has of IPv6. */

enum { BUCKETS = 4096, LOG_INTERVAL_MS = 60000, SWEEP_AT = 16384 };

struct tg_peer {
    struct tg_peer *next;             /* in its bucket */
    uint8_t key[8];
    size_t connections;
    uint64_t logged_ms;               /* 0: never */
    uint64_t unlogged;                /* attacks since then */
};

struct tg_guard {
    pthread_mutex_t lock;
    size_t count;
    uint64_t seed;
    struct tg_peer *buckets[BUCKETS];
};

struct tg_guard *tg_guard_new(void)
{
    struct tg_guard *guard = tg_alloc(sizeof(*guard));

    pthread_mutex_init(&guard->lock, NULL);
    guard->seed = (uint64_t)(uintptr_t)guard ^ tg_monotonic_us();
    return guard;
}

void tg_guard_free(struct tg_guard *guard)
{
    if (guard == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (guard->buckets[i] != NULL) {
            struct tg_peer *peer = guard->buckets[i];

            guard->buckets[i] = peer->next;
            free(peer);
        }
    }
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}

/* false: not an address of the Internet. */
static bool make_key(const struct sockaddr_storage *address, uint8_t key[8])
{
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;

    memset(key, 0xff, 8); /* no /64 that is in use */
    if (address->ss_family == AF_INET)
        memcpy(key, &((const struct sockaddr_in *)address)->sin_addr, 4);
    else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six))
        memcpy(key, six->s6_addr + 12, 4);
    else if (address->ss_family == AF_INET6)
        memcpy(key, six->s6_addr, 8);
    else
        return false;
    return true;
}

static struct tg_peer **bucket_of(struct tg_guard *guard, const uint8_t key[8])
{
    uint64_t hash;

    memcpy(&hash, key, sizeof(hash));
    hash = (hash ^ guard->seed) * 0x9e3779b97f4a7c15;
    return &guard->buckets[(hash >> 32) % BUCKETS];
}

static bool is_forgettable(const struct tg_peer *peer, uint64_t now_ms)
{
    return peer->connections == 0 && (peer->logged_ms == 0 || now_ms - peer->logged_ms >= LOG_INTERVAL_MS);
}

/* Those whose last line has to be remembered are let go when there are many. */
static void sweep(struct tg_guard *guard, uint64_t now_ms)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct tg_peer **at = &guard->buckets[i]; *at != NULL;) {
            struct tg_peer *peer = *at;

            if (!is_forgettable(peer, now_ms)) {
                at = &peer->next;
                continue;
            }
            *at = peer->next;
            free(peer);
            guard->count--;
        }
    }
}

static struct tg_peer *find_peer(struct tg_guard *guard, const uint8_t key[8])
{
    struct tg_peer **bucket = bucket_of(guard, key);

    for (struct tg_peer *peer = *bucket; peer != NULL; peer = peer->next) {
        if (memcmp(peer->key, key, 8) == 0)
            return peer;
    }
    struct tg_peer *peer = tg_alloc(sizeof(*peer));
    memcpy(peer->key, key, 8);
    peer->next = *bucket;
    *bucket = peer;
    guard->count++;
    return peer;
}

bool tg_guard_enter(struct tg_guard *guard, const struct sockaddr_storage *address, int64_t limit)
{
    uint8_t key[8];
    bool is_welcome;

    if (!make_key(address, key))
        return true;
    pthread_mutex_lock(&guard->lock);
    if (guard->count >= SWEEP_AT && guard->count % 1024 == 0)
        sweep(guard, tg_monotonic_us() / 1000);
    struct tg_peer *peer = find_peer(guard, key);
    is_welcome = limit == 0 || peer->connections < (size_t)limit;
    peer->connections += is_welcome;
    pthread_mutex_unlock(&guard->lock);
    return is_welcome;
}

void tg_guard_leave(struct tg_guard *guard, const struct sockaddr_storage *address)
{
    uint8_t key[8];

    if (!make_key(address, key))
        return;
    pthread_mutex_lock(&guard->lock);
    struct tg_peer **at = bucket_of(guard, key);
    while (*at != NULL && memcmp((*at)->key, key, 8) != 0)
        at = &(*at)->next;
    struct tg_peer *peer = *at;
    if (peer != NULL && peer->connections > 0)
        peer->connections--;
    if (peer != NULL && is_forgettable(peer, tg_monotonic_us() / 1000)) {
        *at = peer->next;
        free(peer);
        guard->count--;
    }
    pthread_mutex_unlock(&guard->lock);
}

/* How many attacks a line stands for that is to be written now; 0: none is. */
static uint64_t take_line(struct tg_guard *guard, const uint8_t key[8])
{
    uint64_t now_ms = tg_monotonic_us() / 1000, count = 0;

    pthread_mutex_lock(&guard->lock);
    struct tg_peer *peer = find_peer(guard, key);
    peer->unlogged++;
    if (peer->logged_ms == 0 || now_ms - peer->logged_ms >= LOG_INTERVAL_MS) {
        count = peer->unlogged;
        peer->unlogged = 0;
        peer->logged_ms = now_ms;
    }
    pthread_mutex_unlock(&guard->lock);
    return count;
}

/* The top of a loop's call, so it logs. */
void tg_guard_report(struct tg_server_loop *loop, const struct sockaddr_storage *address, enum tg_attack attack)
{
    uint8_t key[8];
    char client[TG_ADDRESS_TEXT], count[24];

    tg_metric_add(&loop->metrics->attacks[attack], 1);
    if (!make_key(address, key))
        return;
    uint64_t attacks = take_line(loop->server->guard, key);
    if (attacks == 0)
        return;
    tg_address_text(address, client);
    snprintf(count, sizeof(count), "%llu", (unsigned long long)attacks);
    tg_log(TG_LOG_WARN, "attack", "kind", tg_attack_name(attack), "client", client, "count", count, "do",
           "nothing: the connection was ended; block the address if this goes on", NULL);
}

void tg_guard_report_visit(const struct tg_visit *visit, enum tg_attack attack)
{
    struct sockaddr_storage address = visit->connection->peer;
    struct tg_ip ip;

    if (tg_ip_read(tg_text(visit->address), &ip))
        tg_ip_sockaddr(&ip, &address);
    tg_guard_report(visit->loop, &address, attack);
}

static enum tg_attack attack_of(int errnum, const char *why)
{
    if (errnum != H2O_HTTP2_ERROR_ENHANCE_YOUR_CALM)
        return TG_ATTACK_PROTOCOL;
    if (why != NULL && strcmp(why, "too many aborted streams") == 0)
        return TG_ATTACK_RESETS;
    if (why != NULL && strcmp(why, "too many frames without effect") == 0)
        return TG_ATTACK_FRAMES;
    return TG_ATTACK_HEADERS;
}

void tg_guard_on_http2_error(h2o_conn_t *conn, int errnum, const char *why)
{
    struct tg_connection *connection = conn->callbacks->get_socket(conn)->on_close.data;

    tg_guard_report(connection->loop, &connection->peer, attack_of(errnum, why));
}
