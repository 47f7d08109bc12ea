#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <h2o/tls13.h>
#include "base/result.h"
#include "http/tls_parts.h"

enum { KEY_NAME = 16, KEY_HMAC = 16, TICKET_LIFE_S = 12 * 3600 };

/* Forward secrecy and AEAD only (RFC 9325 4.2); TLS 1.3 has no others. */
static const char ciphers_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                 "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* In the same order: 128 bits are enough (RFC 8446 9.1 demands no more), and their handshake and records cost less. A client without AES in
   hardware has ChaCha20 first, and gets it. */
static const char ciphers_13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/* RFC 7301 3.2: a client that offers only protocols we do not speak is refused; one that offers none speaks HTTP/1.1.
   size: the parameters are OpenSSL's. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *unused)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";

    if (SSL_select_next_proto((unsigned char **)out, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

static bool use_key(const uint8_t key[TG_TICKET_KEY], const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
    uint8_t secret[KEY_HMAC];
    char digest[] = "sha256";

    memcpy(secret, key + KEY_NAME, sizeof(secret));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof(secret)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool done = EVP_MAC_CTX_set_params(mac, params) == 1 &&
                EVP_CipherInit_ex2(cipher, EVP_aes_128_cbc(), key + KEY_NAME + KEY_HMAC, iv, sealing, NULL) == 1;
    OPENSSL_cleanse(secret, sizeof(secret));
    return done;
}

/* 0: not one of our tickets, 1: done, 2: done, but it should be replaced by one of the newest key.
   size: the parameters are OpenSSL's. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
    struct tg_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    uint8_t key[TG_TICKET_KEY];
    size_t found = 0;

    pthread_rwlock_rdlock(&tls->lock);
    while (!sealing && found < tls->ticket_key_count && memcmp(tls->ticket_keys[found], name, KEY_NAME) != 0)
        found++;
    bool is_known = found < tls->ticket_key_count;
    if (is_known)
        memcpy(key, tls->ticket_keys[found], sizeof(key));
    pthread_rwlock_unlock(&tls->lock);
    if (!is_known)
        return 0;

    if (sealing) {
        memcpy(name, key, KEY_NAME);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_128_cbc())) != 1)
            return -1;
    }
    bool done = use_key(key, iv, cipher, mac, sealing);
    OPENSSL_cleanse(key, sizeof(key));
    return !done ? -1 : found > 0 ? 2 : 1;
}

SSL_CTX *tg_tls_context_new(struct tg_tls *tls)
{
    SSL_CTX *context = h2o_tls13_new_context(); /* OpenSSL does the handshakes, and TLS 1.2; see doc/h2o.md */

    if (context == NULL)
        abort();
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, ciphers_12);
    SSL_CTX_set_ciphersuites(context, ciphers_13);
    SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* idle connections hold no record buffers */
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets carry everything */
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_timeout(context, TICKET_LIFE_S);
    return context;
}
