/*
 * tls_client.h - the client's end of a connection of TLS 1.3, which seals and opens records by its own hand, for fuzz targets
 *
 * OpenSSL shakes hands; from then on the keys are here (RFC 8446 7). AES-128-GCM, without tickets.
 */
#ifndef FUZZ_TLS_CLIENT_H
#define FUZZ_TLS_CLIENT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include "base/text.h"

enum { TLS_HEADER = 5, TLS_TAG = 16, TLS_PADDING_MAX = 255, TLS_ALERT = 21, TLS_HANDSHAKE = 22, TLS_DATA = 23 };

struct tls_keys {
    uint8_t secret[32], key[16], iv[12];
    uint64_t sequence;
};

struct tls_client {
    SSL *ssl;                /* of no more use when the handshake is over */
    struct tls_keys out, in; /* what it sends, and what it is sent */
};

void tls_must(bool holds); /* or the process ends */

/* The server's context, made once, whose connections h2o_tls13_take_over takes. */
SSL_CTX *tls_server_context(void);

void tls_client_init(struct tls_client *client); /* must stay where it is until the handshake is over */
void tls_client_done(struct tls_client *client);

/* After the handshake; after an update of keys. */
void tls_keys_begin(struct tls_keys *keys);
void tls_keys_update(struct tls_keys *keys);

/* Writes a record: header, what is sealed of `plain`, type and zeros, tag. Its size is theirs. */
size_t tls_seal(struct tls_keys *keys, uint8_t type, struct tg_text plain, size_t padding, uint8_t *out);

/* Opens a whole record in its place; the plain text, and its type. The process ends when it has not been sealed for this client. */
struct tg_text tls_open(struct tls_keys *keys, uint8_t *record, size_t size, uint8_t *type);

/* Zeros behind the type are padding, so what was meant may stand before them: the text in front of it. */
struct tg_text tls_meant(uint8_t *type, struct tg_text plain);

#endif
