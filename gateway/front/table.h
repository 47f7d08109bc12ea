/*
 * table.h - a bounded table in memory: 32 bytes of key to a value of fixed size
 *
 * Four places for each hash; when all are taken, the one that was not asked for longest gives way. One thread; nothing is allocated after
 * it was made. Keys are digests with a secret key, or random ids: nobody chooses his place.
 */
#ifndef TG_FRONT_TABLE_H
#define TG_FRONT_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum { TG_TABLE_KEY = 32 };

struct tg_table {
    uint8_t *slots;
    size_t sets;       /* a power of two */
    size_t value_size, slot_size;
    uint32_t clock;
    uint64_t used, evicted;
};

/* capacity is rounded up; values are aligned for anything. */
void tg_table_init(struct tg_table *table, size_t capacity, size_t value_size);
void tg_table_done(struct tg_table *table);

/* NULL: not there. The value is good until the next put, drop or clear. */
void *tg_table_find(struct tg_table *table, const uint8_t key[TG_TABLE_KEY]);
/* The place of the key, made if need be; a new one is zeroed. */
void *tg_table_put(struct tg_table *table, const uint8_t key[TG_TABLE_KEY]);
void tg_table_drop(struct tg_table *table, const uint8_t key[TG_TABLE_KEY]);
void tg_table_clear(struct tg_table *table);

#endif
