#include "store/cache_table.h"
#include <pthread.h>
#include "base/pages.h"
#include "base/result.h"

enum { SHARDS = 16, WAYS = 4, FLOOR_SETS = 64 };

struct floor {
    char account[TG_ID]; /* "": an empty place */
    int64_t change;
};

struct place {
    struct tg_cache_entry entry;
    uint32_t used; /* the shard's clock when it was asked for last */
};

struct shard {
    pthread_mutex_t lock;
    struct place *places;
    uint32_t clock;
    struct floor floors[FLOOR_SETS][WAYS];
    int64_t floor; /* of every account here */
};

struct tg_cache_table {
    size_t sets; /* in each shard, a power of two */
    struct shard shards[SHARDS];
};

static size_t size_of_places(const struct tg_cache_table *table)
{
    return table->sets * WAYS * sizeof(struct place);
}

struct tg_cache_table *tg_cache_table_new(size_t capacity)
{
    struct tg_cache_table *table = tg_alloc(sizeof(*table));

    for (table->sets = 1; table->sets * WAYS * SHARDS < capacity; table->sets *= 2)
        ;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&table->shards[i].lock, NULL);
        table->shards[i].places = tg_pages_new(size_of_places(table));
    }
    return table;
}

void tg_cache_table_free(struct tg_cache_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_destroy(&table->shards[i].lock);
        tg_pages_free(table->shards[i].places, size_of_places(table));
    }
    free(table);
}

/* ---- floors */

/* FNV-1a: ids are random, and ours. */
static uint32_t hash_account(const char *account)
{
    uint32_t hash = 2166136261u;

    for (; *account != '\0'; account++)
        hash = (hash ^ (uint8_t)*account) * 16777619u;
    return hash ^ hash >> 15;
}

static void raise_shard(struct shard *shard, int64_t change)
{
    if (shard->floor < change)
        shard->floor = change;
}

/* The place of the account's floor: its own, an empty one, or that of the oldest change, which the whole shard then stands for. */
static struct floor *place_floor(struct shard *shard, uint32_t hash, const char *account)
{
    struct floor *set = shard->floors[hash / SHARDS % FLOOR_SETS], *oldest = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (strncmp(set[i].account, account, TG_ID) == 0)
            return &set[i];
        if (set[i].change < oldest->change)
            oldest = &set[i];
    }
    raise_shard(shard, oldest->change);
    *oldest = (struct floor){.change = 0};
    memcpy(oldest->account, account, strnlen(account, TG_ID - 1));
    return oldest;
}

void tg_cache_table_raise(struct tg_cache_table *table, const char *account, int64_t change)
{
    uint32_t hash = hash_account(account);

    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];

        if (*account != '\0' && i != hash % SHARDS)
            continue;
        pthread_mutex_lock(&shard->lock);
        if (*account == '\0') {
            raise_shard(shard, change);
        } else {
            struct floor *floor = place_floor(shard, hash, account);

            if (floor->change < change)
                floor->change = change;
        }
        pthread_mutex_unlock(&shard->lock);
    }
}

int64_t tg_cache_table_floor(struct tg_cache_table *table, const char *account)
{
    uint32_t hash = hash_account(account);
    struct shard *shard = &table->shards[hash % SHARDS];
    const struct floor *set = shard->floors[hash / SHARDS % FLOOR_SETS];

    pthread_mutex_lock(&shard->lock);
    int64_t change = shard->floor;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].change > change && strncmp(set[i].account, account, TG_ID) == 0)
            change = set[i].change;
    }
    pthread_mutex_unlock(&shard->lock);
    return change;
}

/* ---- entries */

static struct shard *shard_of(struct tg_cache_table *table, const uint8_t name[TG_CACHE_NAME])
{
    return &table->shards[name[0] % SHARDS];
}

static struct place *set_of(struct tg_cache_table *table, struct shard *shard, const uint8_t name[TG_CACHE_NAME])
{
    uint32_t hash;

    memcpy(&hash, name + 4, sizeof(hash));
    return &shard->places[(hash & (table->sets - 1)) * WAYS];
}

static struct place *find_place(struct place *set, const uint8_t name[TG_CACHE_NAME])
{
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].entry.until_ms != 0 && memcmp(set[i].entry.name, name, TG_CACHE_NAME) == 0)
            return &set[i];
    }
    return NULL;
}

/* The floor is looked up behind the entry's lock, so that a change that became known while an entry was on its way in still counts. */
int tg_cache_table_find(struct tg_cache_table *table, const uint8_t name[TG_CACHE_NAME], int64_t now_ms, struct tg_cache_entry *out)
{
    struct shard *shard = shard_of(table, name);

    pthread_mutex_lock(&shard->lock);
    struct place *place = find_place(set_of(table, shard, name), name);
    if (place != NULL) {
        place->used = ++shard->clock;
        *out = place->entry;
    }
    pthread_mutex_unlock(&shard->lock);
    if (place == NULL || out->until_ms <= now_ms || out->change < tg_cache_table_floor(table, out->account))
        return TG_CACHE_ABSENT;
    return 0;
}

static struct place *choose_place(struct shard *shard, struct place *set)
{
    struct place *chosen = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].entry.until_ms == 0)
            return &set[i];
        if (shard->clock - set[i].used > shard->clock - chosen->used)
            chosen = &set[i];
    }
    return chosen;
}

void tg_cache_table_put(struct tg_cache_table *table, const struct tg_cache_entry *entry)
{
    struct shard *shard = shard_of(table, entry->name);

    pthread_mutex_lock(&shard->lock);
    struct place *set = set_of(table, shard, entry->name), *place = find_place(set, entry->name);
    bool is_older = place != NULL && place->entry.change > entry->change;
    if (!is_older) {
        if (place == NULL)
            place = choose_place(shard, set);
        *place = (struct place){*entry, ++shard->clock};
    }
    pthread_mutex_unlock(&shard->lock);
}

void tg_cache_table_clear(struct tg_cache_table *table, int64_t change)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];

        pthread_mutex_lock(&shard->lock);
        tg_pages_clear(shard->places, size_of_places(table));
        memset(shard->floors, 0, sizeof(shard->floors));
        shard->floor = change;
        pthread_mutex_unlock(&shard->lock);
    }
}
