/* ask_rate.c - see ask_rate.h */
#include "front/ask_rate.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/result.h"
#include "front/table.h"

enum { ADDRESSES = 8192, SHARE = 4, THOUSAND = 1000 };

/* Thousandths of a question, so that a millisecond is worth something. */
struct bucket {
    int64_t filled_ms; /* when `left` was right; 0: never used, so it is full */
    int64_t left;
};

struct tg_ask_rate {
    pthread_mutex_t lock;
    uint8_t key[TG_KEY];
    struct bucket *instances;
    struct tg_table addresses;
};

struct tg_ask_rate *tg_ask_rate_new(size_t instances, const uint8_t key[TG_KEY])
{
    struct tg_ask_rate *rate = tg_alloc(sizeof(*rate));

    pthread_mutex_init(&rate->lock, NULL);
    memcpy(rate->key, key, TG_KEY);
    rate->instances = tg_alloc((instances + 1) * sizeof(*rate->instances));
    tg_table_init(&rate->addresses, ADDRESSES, sizeof(struct bucket));
    return rate;
}

void tg_ask_rate_free(struct tg_ask_rate *rate)
{
    if (rate == NULL)
        return;
    tg_table_done(&rate->addresses);
    pthread_mutex_destroy(&rate->lock);
    free(rate->instances);
    free(rate);
}

/* per_ms: thousandths that come in a millisecond, for each of `share` who have one such bucket. It holds what comes in a second for all. */
static void fill(struct bucket *bucket, int64_t per_ms, int64_t share, int64_t now_ms)
{
    int64_t most = per_ms * THOUSAND, come_ms = (now_ms - bucket->filled_ms) / share;

    if (bucket->filled_ms == 0 || come_ms >= THOUSAND) {
        *bucket = (struct bucket){.filled_ms = now_ms, .left = most};
        return;
    }
    bucket->left += come_ms * per_ms;
    if (bucket->left > most)
        bucket->left = most;
    bucket->filled_ms += come_ms * share;
}

/* Everybody of one network shares a bucket, as far as we can know networks. */
static void network_key(const struct tg_ask_rate *rate, size_t instance, const char *address, uint8_t key[TG_TABLE_KEY])
{
    struct {
        uint64_t instance;
        uint8_t network[48];
    } text = {.instance = instance};

    if (inet_pton(AF_INET6, address, text.network) == 1)
        memset(text.network + 8, 0, 8);
    else
        memcpy(text.network, address, strnlen(address, sizeof(text.network)));
    tg_digest_keyed(rate->key, tg_text_n((const char *)&text, sizeof(text)), key);
}

bool tg_ask_rate_take(struct tg_ask_rate *rate, size_t instance, int64_t per_s, const char *address)
{
    int64_t now_ms = tg_monotonic_ms();
    uint8_t key[TG_TABLE_KEY];
    struct bucket *all = &rate->instances[instance], *own;
    bool may;

    network_key(rate, instance, address, key);
    pthread_mutex_lock(&rate->lock);
    if ((own = tg_table_find(&rate->addresses, key)) == NULL)
        own = tg_table_put(&rate->addresses, key);
    fill(all, per_s, 1, now_ms);
    fill(own, per_s, SHARE, now_ms);
    may = all->left >= THOUSAND && own->left >= THOUSAND;
    if (may) {
        all->left -= THOUSAND;
        own->left -= THOUSAND;
    }
    pthread_mutex_unlock(&rate->lock);
    return may;
}
