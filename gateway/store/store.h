/*
 * store.h - the two database files, their schema and their transactions
 *
 * truth:      accounts, subscriptions, holds, clients, instances, signing keys, changes. A commit waits for the disk.
 * transient:  provider sessions, codes, tokens, credential digests. A crash of the machine may lose the last of them.
 *
 * store/ holds the only SQL. A tg_store belongs to one thread at a time; each worker has its own. Blocking. Only `serve` migrates
 * (tg_store_migrate, after a copy); everybody else refuses a schema that is not his.
 */
#ifndef TG_STORE_STORE_H
#define TG_STORE_STORE_H

#include "io/db.h"

struct tg_button; /* doorbell.h */

struct tg_store {
    struct tg_db *truth;
    struct tg_db *transient;
    struct tg_button *button; /* rings when changes are committed; NULL: nobody listens */
};

enum { TG_STORE_ABSENT = 1, TG_STORE_OLDER = 2, TG_STORE_NEWER = 3 };
/* Opens DIRECTORY/truth.db and DIRECTORY/transient.db. ABSENT: no files yet; OLDER/NEWER: another schema (tg_failure() names both). */
int tg_store_open(const char *directory, struct tg_store *store);
void tg_store_close(struct tg_store *store);

/* Makes the files or brings them to this program's schema; what was there is copied to truth.db.VERSION first. */
int tg_store_migrate(const char *directory);

/*
 * Changes are numbered. Whoever writes what a cache may hold writes a change row in the same transaction. Everything read for a cache
 * carries the number of its snapshot: read tg_change_last first, in the same read transaction.
 */
enum tg_change_kind { TG_CHANGE_ACCOUNT = 1, TG_CHANGE_SUBSCRIPTION, TG_CHANGE_HOLD, TG_CHANGE_INSTANCE, TG_CHANGE_CLIENT, TG_CHANGE_KEYS,
                      TG_CHANGE_CLOCK };
int tg_change_add(struct tg_store *store, enum tg_change_kind kind, const char *subject); /* inside a write transaction on truth */
int tg_change_last(struct tg_store *store, int64_t *number);

struct tg_change {
    int64_t number;
    enum tg_change_kind kind;
    char subject[64]; /* account id, instance host, client id; "" for all */
};
enum { TG_CHANGE_GAP = 1 };
/* Up to capacity changes after number, oldest first. TG_CHANGE_GAP: rows in between are gone; drop everything cached. */
int tg_change_after(struct tg_store *store, int64_t number, struct tg_change *out, size_t capacity, size_t *count);
/* Deletes rows older than a day. */
int tg_change_prune(struct tg_store *store, int64_t now_s);

#endif
