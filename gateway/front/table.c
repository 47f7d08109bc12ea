/* table.c - see table.h */
#include "front/table.h"
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include "base/pages.h"

enum { WAYS = 4 };

/* Ids are letters and digits, of which few bits differ: all bits of a key have to have their say in where it lies (2^64 / the golden
   ratio). Sets are fewer than 2^32. */
static const uint64_t MIXER = 0x9e3779b97f4a7c15;

struct slot {
    uint8_t key[TG_TABLE_KEY];
    uint32_t asked; /* the table's clock; 0: free */
    alignas(max_align_t) uint8_t value[];
};

static size_t size_of(const struct tg_table *table)
{
    return table->sets * WAYS * table->slot_size;
}

void tg_table_init(struct tg_table *table, size_t capacity, size_t value_size)
{
    size_t align = alignof(max_align_t);

    *table = (struct tg_table){.sets = 1, .value_size = value_size};
    table->slot_size = (offsetof(struct slot, value) + value_size + align - 1) / align * align;
    while (table->sets * WAYS < capacity)
        table->sets *= 2;
    table->slots = tg_pages_new(size_of(table));
}

void tg_table_done(struct tg_table *table)
{
    tg_pages_free(table->slots, size_of(table));
    *table = (struct tg_table){NULL};
}

static struct slot *way(struct tg_table *table, const uint8_t *key, size_t n)
{
    uint64_t hash;

    memcpy(&hash, key, sizeof(hash));
    hash = (hash ^ hash >> 32) * MIXER >> 32;
    return (struct slot *)(table->slots + ((hash & (table->sets - 1)) * WAYS + n) * table->slot_size);
}

static struct slot *find_slot(struct tg_table *table, const uint8_t *key)
{
    for (size_t n = 0; n < WAYS; ++n) {
        struct slot *slot = way(table, key, n);

        if (slot->asked != 0 && memcmp(slot->key, key, TG_TABLE_KEY) == 0)
            return slot;
    }
    return NULL;
}

/* After 2^32 questions ages start again; then some newer entries give way before older ones, once. */
static uint32_t next_tick(struct tg_table *table)
{
    if (++table->clock == 0)
        table->clock = 1;
    return table->clock;
}

void *tg_table_find(struct tg_table *table, const uint8_t key[TG_TABLE_KEY])
{
    struct slot *slot = find_slot(table, key);

    if (slot == NULL)
        return NULL;
    slot->asked = next_tick(table);
    return slot->value;
}

void *tg_table_put(struct tg_table *table, const uint8_t key[TG_TABLE_KEY])
{
    struct slot *slot = find_slot(table, key), *oldest;

    if (slot == NULL) {
        oldest = way(table, key, 0);
        for (size_t n = 1; n < WAYS && oldest->asked != 0; ++n)
            if (way(table, key, n)->asked < oldest->asked)
                oldest = way(table, key, n);
        if (oldest->asked != 0)
            ++table->evicted;
        else
            ++table->used;
        slot = oldest;
        memcpy(slot->key, key, TG_TABLE_KEY);
        memset(slot->value, 0, table->value_size);
    }
    slot->asked = next_tick(table);
    return slot->value;
}

void tg_table_drop(struct tg_table *table, const uint8_t key[TG_TABLE_KEY])
{
    struct slot *slot = find_slot(table, key);

    if (slot != NULL) {
        slot->asked = 0;
        --table->used;
    }
}

void tg_table_clear(struct tg_table *table)
{
    if (table->used != 0)
        tg_pages_clear(table->slots, size_of(table));
    table->used = 0;
}
