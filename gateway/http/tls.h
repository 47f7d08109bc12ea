/*
 * tls.h - certificates by name
 *
 * Certificates are pairs NAME.crt (chain, PEM) and NAME.key in a directory; which names they serve is read from their subject alternative
 * names. Files that change are picked up without a restart (the server looks every other second, and at once on tg_tls_rescan); a pair
 * that cannot be read keeps the old one and is reported once. Wanted names that no file serves and that the internal CA may certify get
 * a leaf of it (http/ca.h), renewed in time. A name nobody has: the handshake is refused with unrecognized_name.
 * The way in for ACME: tg_tls_put.
 */
#ifndef TG_HTTP_TLS_H
#define TG_HTTP_TLS_H

#include <openssl/ssl.h>
#include <stdint.h>
#include "base/text.h"

struct tg_tls;

struct tg_tls_options {
    const char *directory;          /* may be NULL */
    const char *const *names;       /* which need a certificate: for tg_tls_missing; NULL-terminated; may be NULL */
    const char *ca_directory;       /* of the internal CA; NULL: none */
};

/* Strings must live as long as the tg_tls. Unreadable pairs are no failure: the first tg_tls_rescan reports them. */
int tg_tls_new(const struct tg_tls_options *options, struct tg_tls **tls);
void tg_tls_free(struct tg_tls *tls);

/* The context for a name (lower case, without port); the caller gets a reference. NULL: nobody has that name. Any thread. */
SSL_CTX *tg_tls_find(struct tg_tls *tls, struct tg_text name);
/* Puts a pair in by hand (ACME later); it replaces the one put before for the same names. */
int tg_tls_put(struct tg_tls *tls, struct tg_text chain_pem, struct tg_text key_pem);
/* Looks at the directory again; *changed pairs were read. Errors are written to `errors` one a line, each once. Not on a loop. */
int tg_tls_rescan(struct tg_tls *tls, size_t *changed, struct tg_string *errors);
/* Those of options.names that have no certificate, one a line. */
void tg_tls_missing(struct tg_tls *tls, struct tg_string *out);

/* Session ticket keys (RFC 5077), shared by loops and generations: newest first, 48 bytes each (16 name, 16 HMAC, 16 AES). Random ones
   of this process until set. */
enum { TG_TICKET_KEY = 48, TG_TICKET_KEYS = 3 };
void tg_tls_set_ticket_keys(struct tg_tls *tls, const uint8_t (*keys)[TG_TICKET_KEY], size_t count);

/* Earliest end of any certificate in use; 0: there is none. For metrics. */
int64_t tg_tls_next_expiry_s(struct tg_tls *tls);

#endif
