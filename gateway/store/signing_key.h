/*
 * signing_key.h - the provider's signing keys, sealed
 *
 * States: next (published, not used), current (signs), retired (published until what it signed has expired). There is one current
 * key, and one next key at the most. Blocking.
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
    int64_t since_s; /* when it came to its state */
    char *pem; /* opened; owned by the reader (tg_wipe) */
};

/* For how long a key is known to clients before it signs, and for how long after: no token is good for longer than a day, and
   clocks differ. */
enum { TG_SIGNING_PUBLISH_S = 86400, TG_SIGNING_LONGEST_TOKEN_S = 86400, TG_SIGNING_KEEP_S = TG_SIGNING_LONGEST_TOKEN_S + 3600 };

/* Up to capacity keys, newest first. */
enum { TG_SIGNING_KEYS = 32 };
int tg_signing_key_list(struct tg_store *store, const struct tg_keyring *ring, struct tg_signing_key *out, size_t capacity,
                        size_t *count);
enum { TG_SIGNING_KEY_EXISTS = 1, TG_SIGNING_KEY_NONE = 2 };
/* Adds a key; EXISTS when there is a current or next one already (somebody else was first: list again). */
int tg_signing_key_add(struct tg_store *store, const struct tg_keyring *ring, const struct tg_signing_key *key);

/* The next key signs from now on, the current one retires. NONE: there is no next key. */
int tg_signing_key_promote(struct tg_store *store, int64_t now_s);

/* The steps that time makes: promotes a next key that has been published for long enough, forgets retired keys that nothing needs
   any more. 0 whether or not there was something to do. */
int tg_signing_key_advance(struct tg_store *store, int64_t now_s);

#endif
