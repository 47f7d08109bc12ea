/*
 * secret.h - randomness, digests, sealing and passwords (on libsodium)
 *
 * Any thread after tg_secret_init. Nothing here logs, and no function formats a key.
 */
#ifndef TG_BASE_SECRET_H
#define TG_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/text.h"

enum { TG_DIGEST = 32, TG_KEY = 32, TG_TOKEN = 44, TG_PASSWORD_HASH = 128 };

int tg_secret_init(void);

void tg_random(void *out, size_t len);
/* 256 random bits as 43 base64url characters, terminated: codes, tokens, session ids. */
void tg_random_token(char out[TG_TOKEN]);
/* An id of 26 lower-case characters (a-z2-7), 128 random bits, terminated: account ids, client ids, subs. */
enum { TG_ID = 27 };
void tg_random_id(char out[TG_ID]);

/* SHA-256; what the database keeps of tokens. */
void tg_digest(struct tg_text text, uint8_t out[TG_DIGEST]);
/* BLAKE2b keyed with a process key from tg_random: for tables in memory, so that nobody chooses his bucket. Fast. */
void tg_digest_keyed(const uint8_t key[TG_KEY], struct tg_text text, uint8_t out[TG_DIGEST]);
bool tg_same_secret(const void *a, const void *b, size_t len);            /* constant time */
bool tg_same_secret_text(struct tg_text a, struct tg_text b);             /* constant time but for the lengths */

/* base64url without padding (RFC 4648 5). Encoded size of n bytes: TG_BASE64(n), with its terminator. */
#define TG_BASE64(n) (((n) * 4 + 2) / 3 + 1)
void tg_base64url(const void *bytes, size_t len, char *out);
enum { TG_BASE64_MALFORMED = 1 };
int tg_base64url_decode(struct tg_text text, void *out, size_t capacity, size_t *len);
/* RFC 4648 4 with padding, as in Authorization: Basic. */
#define TG_BASE64_PADDED(n) (((n) + 2) / 3 * 4 + 1)
void tg_base64(const void *bytes, size_t len, char *out);
int tg_base64_decode(struct tg_text text, void *out, size_t capacity, size_t *len);

/*
 * A key ring: one key seals, all open. A sealed text names its key by a byte, is XChaCha20-Poly1305 with a random nonce, and binds
 * `purpose` (a constant of the caller), so that what was sealed for one purpose does not open for another.
 */
struct tg_keyring {
    struct {
        uint8_t id;
        uint8_t bytes[TG_KEY];
    } keys[4];
    size_t count; /* keys[0] seals */
};

/* Reads the ring from a file, or makes it (mode 0600, by rename) when there is none and make is set. */
int tg_keyring_load(struct tg_keyring *ring, const char *path, bool make);

#define TG_SEALED(n) (1 + 24 + (n) + 16) /* bytes of n bytes sealed */
void tg_seal(const struct tg_keyring *ring, const char *purpose, struct tg_text plain, uint8_t *out);
enum { TG_SEAL_BROKEN = 1 };
int tg_unseal(const struct tg_keyring *ring, const char *purpose, struct tg_text sealed, uint8_t *out, size_t *len);

/* argon2id (RFC 9106) in its encoded form. Takes tens of milliseconds and 64 MiB at the most: password pool only. */
struct tg_password_cost {
    int64_t memory_bytes;
    int64_t passes;
};
int tg_password_hash(struct tg_text password, const struct tg_password_cost *cost, char out[TG_PASSWORD_HASH]);
enum { TG_PASSWORD_WRONG = 1, TG_PASSWORD_OUTDATED = 2 /* right, but made with another cost */ };
int tg_password_verify(const char *hash, struct tg_text password, const struct tg_password_cost *cost);

#endif
