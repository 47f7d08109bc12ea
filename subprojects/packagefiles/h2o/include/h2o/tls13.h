/*
 * tls13.h - the records of TLS 1.3 (RFC 8446 5), once OpenSSL has done the handshake
 *
 * OpenSSL 3.0 spends 5,000 instructions on each record besides the cryptography, looking up parameters by name. After a handshake
 * with one of the three usual ciphers it is left with the session, and records are sealed and opened here, by its own EVP
 * interface: the same keys, the same sequence. TLS 1.2, and whatever is out of the ordinary, stays with OpenSSL.
 *
 * What a client may send after the handshake: application data, alerts and KeyUpdate. Anything else is an error. Keys are updated
 * before they are worn out (5.5). Not for clients: only a server's connections are taken over. 0-RTT has to be off, as it is by default.
 */
#ifndef h2o__tls13_h
#define h2o__tls13_h

#include <stddef.h>
#include <stdint.h>
#include <openssl/ssl.h>

#define H2O_TLS13_HEADER 5
#define H2O_TLS13_OVERHEAD (H2O_TLS13_HEADER + 1 /* inner type */ + 16 /* tag */)
#define H2O_TLS13_MAX_PLAIN 16384
#define H2O_TLS13_MAX_RECORD (H2O_TLS13_HEADER + H2O_TLS13_MAX_PLAIN + 256)

typedef struct st_h2o_tls13_t h2o_tls13_t;

/* A context for a server whose connections can be taken over; its info and message callbacks are in use, and its key schedule is
 * h2o/tls13_kdf.h. If OpenSSL does not take that, it is a usual context, whose connections stay with OpenSSL. NULL: as SSL_CTX_new. */
SSL_CTX *h2o_tls13_new_context(void);

/* After the handshake, when nothing has been read or written by SSL_read and SSL_write. NULL: OpenSSL has to go on. Otherwise it must
 * not be asked to read, write or shut down any more; it may be freed. */
h2o_tls13_t *h2o_tls13_take_over(SSL *ssl);
void h2o_tls13_free(h2o_tls13_t *tls);

/* Writes records of application data: `len` bytes, at most H2O_TLS13_MAX_PLAIN, become `len` + H2O_TLS13_OVERHEAD at dst, which must
 * not overlap. -1: it does not work, and the connection is of no use any more. */
int h2o_tls13_seal(h2o_tls13_t *tls, const char *src, size_t len, char *dst);

/* After so many records the keys are worn out. */
extern uint64_t h2o_tls13_max_key_records;

/* The record that has to be sent before the next application data, or 0; dst has room for H2O_TLS13_UPDATE. -1 as above. */
#define H2O_TLS13_UPDATE (5 + H2O_TLS13_OVERHEAD)
int h2o_tls13_seal_update(h2o_tls13_t *tls, char *dst);

/* The last record of all: close_notify, or the alert that says what was wrong (RFC 8446 6.2) if the client has broken the connection;
 * dst has room for H2O_TLS13_CLOSE. */
#define H2O_TLS13_CLOSE (2 + H2O_TLS13_OVERHEAD)
int h2o_tls13_seal_close(h2o_tls13_t *tls, char *dst);

/* The size of the record at src, 0 if it has not come whole, -1: it is none, and the connection is broken. */
long h2o_tls13_record_size(h2o_tls13_t *tls, const char *src, size_t len);

/* Opens a whole record. Answers the number of bytes of application data at dst, which has room for its size; -1: the connection is broken.
 * Nothing follows a close_notify: is_closed is set. */
long h2o_tls13_open(h2o_tls13_t *tls, const char *record, size_t size, char *dst, int *is_closed);

#endif
