/*
 * signing_key.h - the provider's signing keys, sealed
 *
 * States: next (published, not used), current (signs), retired (published until what it signed has expired). Blocking.
 */
#ifndef TG_STORE_SIGNING_KEY_H
#define TG_STORE_SIGNING_KEY_H

#include "base/secret.h"
#include "store/store.h"

enum tg_signing_state { TG_SIGNING_NEXT, TG_SIGNING_CURRENT, TG_SIGNING_RETIRED };

struct tg_signing_key {
    char kid[TG_TOKEN];
    enum tg_signing_state state;
    int64_t created_s;
    char *pem; /* opened; owned by the reader (tg_wipe) */
};

/* Up to capacity keys, newest first. */
int tg_signing_key_list(struct tg_store *store, const struct tg_keyring *ring, struct tg_signing_key *out, size_t capacity, size_t *count);
enum { TG_SIGNING_KEY_EXISTS = 1 };
/* Adds a key; EXISTS when state is CURRENT and there is a current one already (somebody else was first: list again). */
int tg_signing_key_add(struct tg_store *store, const struct tg_keyring *ring, const struct tg_signing_key *key);

#endif
