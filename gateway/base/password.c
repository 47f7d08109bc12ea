/* Passwords of secret.h: argon2id. */
#include "base/secret.h"

#include <errno.h>
#include <sodium.h>
#include "base/result.h"

_Static_assert(TG_PASSWORD_HASH >= crypto_pwhash_STRBYTES, "room for an encoded hash");

int tg_password_hash(struct tg_text password, const struct tg_password_cost *cost, char out[TG_PASSWORD_HASH])
{
    if (crypto_pwhash_str_alg(out, password.base != NULL ? password.base : "", password.len, (unsigned long long)cost->passes,
                              (size_t)cost->memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return tg_fail_errno("cannot hash a password with %lld bytes of memory and %lld passes", (long long)cost->memory_bytes,
                             (long long)cost->passes);
    return 0;
}

int tg_password_verify(const char *hash, struct tg_text password, const struct tg_password_cost *cost)
{
    char padded[crypto_pwhash_STRBYTES] = {0}; /* libsodium reads all of it */
    size_t len = strlen(hash);

    if (len >= sizeof(padded) || strncmp(hash, crypto_pwhash_STRPREFIX, strlen(crypto_pwhash_STRPREFIX)) != 0)
        return tg_fail("a stored password hash is not argon2id");
    memcpy(padded, hash, len);

    errno = 0;
    if (crypto_pwhash_str_verify(padded, password.base != NULL ? password.base : "", password.len) != 0) {
        if (errno == ENOMEM)
            return tg_fail_errno("cannot check a password");
        return TG_PASSWORD_WRONG;
    }
    if (crypto_pwhash_str_needs_rehash(padded, (unsigned long long)cost->passes, (size_t)cost->memory_bytes) != 0)
        return TG_PASSWORD_OUTDATED;
    return 0;
}
