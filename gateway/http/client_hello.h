/*
 * client_hello.h - the first message of a TLS client (RFC 8446 4.1.2), read before the handshake starts
 *
 * So that the certificate can be chosen, and later fetched, before OpenSSL sees a byte. Reads nothing but the server name; what it lets
 * pass is still checked by OpenSSL. Any thread.
 */
#ifndef TG_HTTP_CLIENT_HELLO_H
#define TG_HTTP_CLIENT_HELLO_H

#include "base/text.h"

enum { TG_HELLO_NAME = 254, TG_HELLO_LIMIT = 20 * 1024 /* bytes that are read at the most */ };

struct tg_client_hello {
    char name[TG_HELLO_NAME]; /* lower case, terminated, without a dot at its end; empty: the client names none (RFC 6066 3) */
};

enum {
    TG_HELLO_INCOMPLETE = 1, /* more bytes are needed */
    TG_HELLO_MALFORMED = 2,  /* or larger than TG_HELLO_LIMIT */
    TG_HELLO_NOT_TLS = 3,    /* something else is spoken */
};
int tg_client_hello_read(struct tg_text bytes, struct tg_client_hello *out);

#endif
