/*
 * cache_table.h - what a process remembers of facts and credentials, and from which change on a memory is too old
 *
 * Bounded, for many threads: shards with a lock each, so none for loops. An entry belongs to an account and carries the change number of
 * the snapshot it was read in. For each account there is a floor, the number of its last change known here; what is older than its floor
 * is not found, whenever it was put in. Floors are bounded too: one that is forgotten raises the floor of its whole shard, so that a
 * memory can only be held for too old, never for good enough. Inside store/ only.
 */
#ifndef TG_STORE_CACHE_TABLE_H
#define TG_STORE_CACHE_TABLE_H

#include "store/subscription.h"

enum { TG_CACHE_NAME = 32 };

/* What Gitea once said of a credential, and whose user that is. */
struct tg_credential {
    int64_t gitea_user;
    char account[TG_ID];  /* "": nobody's of ours */
    int64_t change;       /* number of the snapshot in which the account was looked up */
};

struct tg_cache_entry {
    uint8_t name[TG_CACHE_NAME]; /* a keyed digest: nobody chooses his place */
    char account[TG_ID];
    int64_t change;
    int64_t until_ms;            /* monotonic; 0: an empty place */
    union {
        struct tg_facts facts;
        struct tg_credential credential;
    } value;
};

struct tg_cache_table;

struct tg_cache_table *tg_cache_table_new(size_t capacity);
void tg_cache_table_free(struct tg_cache_table *table);

enum { TG_CACHE_ABSENT = 1 };
int tg_cache_table_find(struct tg_cache_table *table, const uint8_t name[TG_CACHE_NAME], int64_t now_ms, struct tg_cache_entry *out);
void tg_cache_table_put(struct tg_cache_table *table, const struct tg_cache_entry *entry); /* what is there stays when it is newer */
/* Forgets entries and floors; a change before `change` is too old from now on. */
void tg_cache_table_clear(struct tg_cache_table *table, int64_t change);

/* account "": of all. */
void tg_cache_table_raise(struct tg_cache_table *table, const char *account, int64_t change);
int64_t tg_cache_table_floor(struct tg_cache_table *table, const char *account);

#endif
