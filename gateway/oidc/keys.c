/*
 * keys.c - the signing keys, kept in the process for a few seconds
 *
 * Read again by time instead of by change rows: a key is published long before it signs, so seconds do not count, and worker
 * threads hear no doorbell. A set in use stays until its last user lets it go.
 */
#include <pthread.h>
#include "base/clock.h"
#include "base/jose.h"
#include "base/json.h"
#include "base/result.h"
#include "oidc/provider.h"

enum { FRESH_MS = 5000 };

struct tg_key_cache {
    pthread_mutex_t lock;
    struct tg_key_set *set; /* holds one reference */
};

struct tg_key_cache *tg_key_cache_new(void)
{
    struct tg_key_cache *cache = tg_alloc(sizeof(*cache));

    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void free_set(struct tg_key_set *set)
{
    if (set == NULL)
        return;
    tg_wipe(set->pem);
    for (size_t i = 0; i < set->other_count; ++i)
        tg_wipe(set->others[i]);
    free(set->jwks);
    free(set);
}

void tg_key_cache_free(struct tg_key_cache *cache)
{
    if (cache == NULL)
        return;
    free_set(cache->set);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

void tg_key_set_release(struct tg_key_cache *cache, struct tg_key_set *set)
{
    pthread_mutex_lock(&cache->lock);
    bool last = set != NULL && --set->references == 0;
    pthread_mutex_unlock(&cache->lock);
    if (last)
        free_set(set);
}

static int fill(struct tg_key_set *set, struct tg_signing_key *keys, size_t count)
{
    TG_JSON *list = json_array();
    TG_JSON *document = json_object();
    TG_STRING text = {0};
    json_t *jwk;

    for (size_t i = 0; i < count; ++i) {
        tg_try(tg_jose_jwk(keys[i].pem, keys[i].kid, &jwk));
        json_array_append_new(list, jwk);
        if (keys[i].state == TG_SIGNING_CURRENT && set->pem == NULL) {
            memcpy(set->kid, keys[i].kid, sizeof(set->kid));
            set->pem = tg_keep(keys[i].pem);
        } else {
            set->others[set->other_count++] = tg_keep(keys[i].pem);
        }
    }
    if (set->pem == NULL)
        return tg_fail("there is no signing key");
    json_object_set(document, "keys", list);
    tg_json_add(&text, document);
    set->jwks = tg_strdup(text.base);
    return 0;
}

static int read_set(struct tg_store *store, const struct tg_keyring *ring, struct tg_key_set **out)
{
    struct tg_signing_key keys[TG_SIGNING_KEYS];
    struct tg_key_set *set;
    size_t count = 0;

    tg_try(tg_signing_key_list(store, ring, keys, TG_SIGNING_KEYS, &count));
    set = tg_alloc(sizeof(*set));
    set->read_ms = tg_monotonic_ms();
    int result = fill(set, keys, count);
    for (size_t i = 0; i < count; ++i)
        tg_wipe(keys[i].pem);
    if (result < 0) {
        free_set(set);
        return result;
    }
    *out = set;
    return 0;
}

/* The set in the cache, if it is fresh; with a reference for the caller. */
static struct tg_key_set *hold_fresh(struct tg_key_cache *cache)
{
    struct tg_key_set *set = NULL;

    pthread_mutex_lock(&cache->lock);
    if (cache->set != NULL && tg_monotonic_ms() - cache->set->read_ms < FRESH_MS) {
        set = cache->set;
        ++set->references;
    }
    pthread_mutex_unlock(&cache->lock);
    return set;
}

int tg_key_cache_hold(struct tg_key_cache *cache, struct tg_store *store, const struct tg_keyring *ring, struct tg_key_set **set)
{
    struct tg_key_set *made, *before;

    *set = hold_fresh(cache);
    if (*set != NULL)
        return 0;
    tg_try(read_set(store, ring, &made)); /* without the lock: several may read at once, the last one stays */

    made->references = 2;
    pthread_mutex_lock(&cache->lock);
    before = cache->set;
    cache->set = made;
    pthread_mutex_unlock(&cache->lock);
    tg_key_set_release(cache, before);
    *set = made;
    return 0;
}
