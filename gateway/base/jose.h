/*
 * jose.h - signing keys and signed tokens: RS256 (RFC 7515, 7517, 7518) on OpenSSL
 *
 * Blocking (key generation takes a second); worker threads and commands only.
 */
#ifndef TG_BASE_JOSE_H
#define TG_BASE_JOSE_H

#include <jansson.h>
#include "base/text.h"

/* Makes an RSA key of 2048 bits. pem: PKCS#8, owned by the caller (free after wiping it with tg_wipe). */
int tg_jose_make_key(char **pem);

/* Public members of the key as a JWK with kid, use "sig" and alg "RS256" (RFC 7517 4). New reference in *jwk. */
int tg_jose_jwk(const char *pem, const char *kid, json_t **jwk);

/* RFC 7638 thumbprint of the public key, base64url: the kid. Terminated, TG_TOKEN bytes. */
int tg_jose_thumbprint(const char *pem, char *out);

/* Signs the claims (an object): a compact JWS with header {alg, kid, typ}. *token is owned by the caller. */
int tg_jose_sign(const char *pem, const char *kid, const char *typ, const json_t *claims, char **token);

enum { TG_JOSE_INVALID = 1 };
/* Verifies a compact RS256 JWS against a key; *claims is a new reference. Does not look at times. */
int tg_jose_verify(const char *pem, struct tg_text token, json_t **claims);

void tg_wipe(char *secret); /* overwrites a terminated text and frees it; NULL is fine */

#endif
