/*
 * tls13_kdf.h - the key schedule of TLS 1.3 (RFC 8446 7.1), as a provider for OpenSSL
 *
 * A handshake asks for TLS13-KDF two dozen times, and OpenSSL 3.0 looks up HMAC, digest and parameters by name each time. Contexts
 * that want it get it from here: HKDF (RFC 5869) on OpenSSL's digests, at less than half the price. And who makes a context of it can
 * be told of the traffic secrets as they are derived, which h2o/tls13.h needs. See EVP_KDF-TLS13_KDF(7) and provider-kdf(7).
 *
 * Every thread may use it.
 */
#ifndef h2o__tls13_kdf_h
#define h2o__tls13_kdf_h

#include <stddef.h>
#include <stdint.h>
#include <openssl/evp.h>
#include "h2o/memory.h"

/* The property query of a context that wants it. */
#define H2O_TLS13_KDF_QUERY "?provider=h2o"

/* Loads it, which has to be done once for the process. -1: OpenSSL does not take it. */
int h2o_tls13_kdf_load(void);

/* What this thread derives for "c ap traffic" (is_server: 0) and "s ap traffic" (1) is shown to `tell` from now on; NULL: to nobody. */
typedef void (*h2o_tls13_kdf_tell_cb)(void *arg, int is_server, h2o_iovec_t secret);
void h2o_tls13_kdf_listen(h2o_tls13_kdf_tell_cb tell, void *arg);

/* HKDF-Expand-Label of a label without its "tls13 " and an empty context; fills dst. -1: it does not work. */
int h2o_tls13_expand_label(const EVP_MD *digest, h2o_iovec_t secret, const char *label, h2o_iovec_t dst);

#endif
