#include "store/cache.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include "base/clock.h"
#include "store/instance.h"
#include "store/record.h"

enum {
    KEPT_MS = 60 * 1000, /* in memory as in Redis */
    READ_AGAIN = 3,      /* times, when changes overtake a fill; then the reader's own check decides */
    REDIS_KEY = 128,
};

#define PURPOSE "teagate cache 1"

/* What is sealed. As it lies in memory: the name it is bound to depends on how it lies there, so that no other program reads it. */
struct plain {
    struct tg_cache_entry entry;
};

enum { SEALED = TG_SEALED(sizeof(struct plain)), NUMBER = 24, VALUE = NUMBER + SEALED };

/*
 * Compares before it writes: a value that was read earlier and comes later loses. A script, since reading, comparing and writing must be
 * one step, and WATCH with MULTI would be three round trips of 30 ms each. The number in the clear is for this comparison alone.
 */
static const char keep_script[] =
    "local kept = redis.call('GET', KEYS[1])"
    " if kept then"
    " local number = tonumber(string.match(kept, '^(%d+) '))"
    " if number and number > tonumber(string.match(ARGV[1], '^(%d+) ')) then return 0 end"
    " end"
    " redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])"
    " return 1";

struct tg_cache {
    struct tg_cache_options options;
    struct tg_cache_table *table;
    struct tg_redis_script keep;
    uint8_t name_key[TG_KEY];
    long fault_delay_ms;
    _Atomic int64_t trusted_until_ms, last; /* the last change known here */
    _Atomic uint64_t facts[TG_CACHE_SOURCES], credentials[TG_CACHE_SOURCES], stale, refused;
};

/* The names' key comes from the ring, so that all nodes and generations have the same. */
static void make_name_key(struct tg_cache *cache)
{
    char space[64] = "";
    char text[256];

    if (cache->options.space != NULL)
        memcpy(space, cache->options.space->name, sizeof(space));
    int len = snprintf(text, sizeof(text), PURPOSE " %s %s %zu %zu %zu %d", space, TG_VERSION, sizeof(struct plain), sizeof(struct tg_facts),
                       offsetof(struct tg_facts, hold_since_s), __BYTE_ORDER__);
    tg_digest_keyed(cache->options.ring->keys[0].bytes, tg_text_n(text, (size_t)len), cache->name_key);
}

struct tg_cache *tg_cache_new(const struct tg_cache_options *options)
{
    struct tg_cache *cache = tg_alloc(sizeof(*cache));
    const char *delay = getenv("TG_FAULT_DELAY_FILL");

    cache->options = *options;
    cache->table = tg_cache_table_new(options->capacity);
    cache->fault_delay_ms = delay != NULL ? strtol(delay, NULL, 10) : 0;
    tg_redis_script_init(&cache->keep, keep_script);
    make_name_key(cache);
    return cache;
}

void tg_cache_free(struct tg_cache *cache)
{
    if (cache == NULL)
        return;
    tg_cache_table_free(cache->table);
    explicit_bzero(cache->name_key, sizeof(cache->name_key));
    free(cache);
}

const struct tg_space *tg_cache_space(const struct tg_cache *cache)
{
    return cache->options.space;
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void fault_delay(const struct tg_cache *cache)
{
    long ms = cache->fault_delay_ms;

    if (ms > 0)
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- what is looked for */

struct search {
    struct tg_worker *worker;
    struct tg_cache *cache;             /* NULL: the database only */
    _Atomic uint64_t *counts;           /* by source */
    uint8_t name[TG_CACHE_NAME];
    char key[REDIS_KEY];                /* "": Redis is not to be asked, or has failed in this search already */
    /* the database: fills value, account and change; positive: nothing that could be remembered */
    int (*read)(struct search *search, struct tg_store *store, struct tg_cache_entry *out);
    const char *account, *host;
    const uint8_t *digest;
    struct tg_cache_entry found;
};

/* Two texts cannot run into one: the first ends with a zero, which neither holds. */
static void name_search(struct search *search, const char *kind, const char *first, struct tg_text second)
{
    struct tg_cache *cache = search->cache;
    char text[512];
    int len;

    if (cache == NULL)
        return;
    len = snprintf(text, sizeof(text) - TG_DIGEST, "%s %s", kind, first);
    if (len >= (int)sizeof(text) - TG_DIGEST || second.len > TG_DIGEST)
        abort(); /* longer than any host or id that the configuration and the database take */
    if (second.len != 0)
        memcpy(text + len + 1, second.base, second.len);
    tg_digest_keyed(cache->name_key, tg_text_n(text, (size_t)len + 1 + second.len), search->name);
    if (cache->options.space != NULL && search->worker->link != NULL) {
        char digest[TG_TOKEN];

        tg_base64url(search->name, TG_CACHE_NAME, digest);
        snprintf(search->key, sizeof(search->key), "%s:%s", cache->options.space->name, digest);
    }
}

static bool is_trusted(struct tg_cache *cache)
{
    return atomic_load(&cache->trusted_until_ms) > tg_monotonic_ms();
}

static bool is_stale(struct tg_cache *cache, const struct tg_cache_entry *entry)
{
    return entry->change < tg_cache_table_floor(cache->table, entry->account);
}

/* ---- Redis */

/*
 * A number that this node has not seen yet may be right, and is not taken all the same: it could come from a database that was since
 * replaced by an older copy. The node will have seen it in a moment.
 */
static bool is_acceptable(struct search *search, struct tg_text value, struct tg_cache_entry *out)
{
    struct tg_cache *cache = search->cache;
    struct tg_text sealed = value;
    struct plain plain;
    uint8_t bytes[SEALED];
    size_t len;

    tg_text_cut(&sealed, ' ');
    if (sealed.base == NULL || sealed.len != SEALED || tg_unseal(cache->options.ring, PURPOSE, sealed, bytes, &len) != 0 ||
        len != sizeof(plain))
        return false;
    memcpy(&plain, bytes, sizeof(plain));
    *out = plain.entry;
    return memcmp(out->name, search->name, TG_CACHE_NAME) == 0 && out->change <= atomic_load(&cache->last) && !is_stale(cache, out);
}

static bool find_in_redis(struct search *search)
{
    struct tg_redis_reply reply;

    if (search->key[0] == '\0')
        return false;
    if (tg_redis_call(search->worker->link, TG_REDIS_COMMAND(TG_TEXT("GET"), tg_text(search->key)), &reply) != 0) {
        search->key[0] = '\0';
        return false;
    }
    if (reply.kind != TG_REDIS_TEXT)
        return false;
    if (!is_acceptable(search, reply.text, &search->found)) {
        count(&search->cache->refused);
        return false;
    }
    return true;
}

static void keep_in_redis(struct search *search)
{
    struct plain plain = {.entry = search->found};
    char value[VALUE], ttl[NUMBER];
    struct tg_redis_reply reply;
    int len;

    if (search->key[0] == '\0')
        return;
    len = snprintf(value, NUMBER, "%" PRId64 " ", plain.entry.change);
    tg_seal(search->cache->options.ring, PURPOSE, tg_text_n((const char *)&plain, sizeof(plain)), (uint8_t *)value + len);
    snprintf(ttl, sizeof(ttl), "%d", KEPT_MS);
    tg_redis_run(search->worker->link, &search->cache->keep,
                 TG_REDIS_COMMAND(TG_TEXT("1"), tg_text(search->key), tg_text_n(value, (size_t)len + SEALED), tg_text(ttl)), &reply);
}

/* ---- memory, Redis, database */

static void keep_in_memory(struct search *search)
{
    search->found.until_ms = tg_monotonic_ms() + KEPT_MS;
    tg_cache_table_put(search->cache->table, &search->found);
}

/* Reads until no change has overtaken it. Memory and Redis check again whenever they are asked. */
static int fill(struct search *search)
{
    struct tg_store *store;

    tg_try(tg_worker_store(search->worker, &store));
    for (int i = 0;; i++) {
        search->found = (struct tg_cache_entry){.change = 0};
        int result = tg_try(search->read(search, store, &search->found));

        if (search->cache == NULL || result > 0)
            return result;
        fault_delay(search->cache);
        if (!is_stale(search->cache, &search->found) || i == READ_AGAIN) {
            count(&search->counts[TG_CACHE_DATABASE]);
            return result;
        }
        count(&search->cache->stale);
    }
}

/* What is nobody's is not kept: a change that makes it somebody's names an account that it does not belong to yet. */
static int read_and_keep(struct search *search)
{
    int result = tg_try(fill(search));

    if (result > 0 || search->cache == NULL || search->found.account[0] == '\0')
        return result;
    memcpy(search->found.name, search->name, sizeof(search->name));
    keep_in_memory(search);
    keep_in_redis(search);
    return 0;
}

static int look(struct search *search)
{
    struct tg_cache *cache = search->cache;

    if (cache == NULL || !is_trusted(cache))
        return read_and_keep(search);
    if (tg_cache_table_find(cache->table, search->name, tg_monotonic_ms(), &search->found) == 0) {
        count(&search->counts[TG_CACHE_MEMORY]);
        return 0;
    }
    if (find_in_redis(search)) {
        count(&search->counts[TG_CACHE_REDIS]);
        keep_in_memory(search);
        return 0;
    }
    return read_and_keep(search);
}

/* ---- facts */

static int read_facts(struct search *search, struct tg_store *store, struct tg_cache_entry *out)
{
    int result = tg_try(tg_facts_read(store, search->account, &out->value.facts));

    memcpy(out->account, search->account, strnlen(search->account, TG_ID - 1));
    out->change = out->value.facts.change;
    return result;
}

int tg_cache_facts(struct tg_worker *worker, const char *account, struct tg_facts *out)
{
    struct search search = {.worker = worker, .cache = worker->cache, .read = read_facts, .account = account};

    if (search.cache != NULL)
        search.counts = search.cache->facts;
    name_search(&search, "facts", account, TG_TEXT(""));
    int result = tg_try(look(&search));
    *out = search.found.value.facts;
    return result;
}

/* ---- credentials */

/* The number first, in the same snapshot. */
static int find_owner(struct tg_store *store, const char *host, struct tg_cache_entry *out)
{
    struct tg_credential *credential = &out->value.credential;
    TG_TRANSACTION *transaction = store->truth;

    tg_try(tg_db_begin_read(transaction));
    tg_try(tg_change_last(store, &credential->change));
    if (tg_try(tg_member_account(store, host, credential->gitea_user, credential->account)) > 0)
        credential->account[0] = '\0';
    memcpy(out->account, credential->account, sizeof(out->account));
    out->change = credential->change;
    return tg_db_commit(transaction);
}

static int read_credential(struct search *search, struct tg_store *store, struct tg_cache_entry *out)
{
    if (tg_try(tg_credential_find(store, search->host, search->digest, &out->value.credential.gitea_user)) > 0)
        return TG_CREDENTIAL_UNKNOWN;
    return find_owner(store, search->host, out);
}

static void search_credential(struct search *search, struct tg_worker *worker, const char *host, const uint8_t digest[TG_DIGEST])
{
    *search = (struct search){.worker = worker, .cache = worker->cache, .read = read_credential, .host = host, .digest = digest};
    if (search->cache != NULL)
        search->counts = search->cache->credentials;
    name_search(search, "credential", host, tg_text_n((const char *)digest, TG_DIGEST));
}

int tg_cache_credential(struct tg_worker *worker, const char *host, const uint8_t digest[TG_DIGEST], struct tg_credential *out)
{
    struct search search;

    search_credential(&search, worker, host, digest);
    int result = tg_try(look(&search));
    *out = search.found.value.credential;
    return result;
}

int tg_cache_credential_keep(struct tg_worker *worker, const char *host, const uint8_t digest[TG_DIGEST], int64_t gitea_user,
                             struct tg_credential *out)
{
    struct search search;
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    tg_try(tg_credential_put(store, host, digest, gitea_user));
    search_credential(&search, worker, host, digest);
    if (tg_try(read_and_keep(&search)) > 0)
        return tg_fail("a credential was forgotten while it was kept");
    *out = search.found.value.credential;
    return 0;
}

/* ---- changes */

void tg_cache_news(struct tg_cache *cache, const struct tg_change *changes, size_t change_count, int64_t last)
{
    for (size_t i = 0; i < change_count; i++) {
        const struct tg_change *change = &changes[i];

        switch (change->kind) {
        case TG_CHANGE_CLIENT:
        case TG_CHANGE_KEYS:
        case TG_CHANGE_CLOCK:
            break;
        case TG_CHANGE_ACCOUNT:
        case TG_CHANGE_SUBSCRIPTION:
        case TG_CHANGE_HOLD:
            tg_cache_table_raise(cache->table, change->subject, change->number);
            break;
        default: /* an instance, or what a later release has invented */
            tg_cache_table_raise(cache->table, "", change->number);
            break;
        }
    }
    atomic_store(&cache->last, last);
}

void tg_cache_forget(struct tg_cache *cache, int64_t last)
{
    atomic_store(&cache->trusted_until_ms, 0);
    tg_cache_table_clear(cache->table, last);
    atomic_store(&cache->last, last);
}

void tg_cache_trust(struct tg_cache *cache, int64_t until_ms)
{
    atomic_store(&cache->trusted_until_ms, until_ms);
}

void tg_cache_stats(struct tg_cache *cache, struct tg_cache_stats *out)
{
    for (size_t i = 0; i < TG_CACHE_SOURCES; i++) {
        out->facts[i] = atomic_load_explicit(&cache->facts[i], memory_order_relaxed);
        out->credentials[i] = atomic_load_explicit(&cache->credentials[i], memory_order_relaxed);
    }
    out->stale = atomic_load_explicit(&cache->stale, memory_order_relaxed);
    out->refused = atomic_load_explicit(&cache->refused, memory_order_relaxed);
}
