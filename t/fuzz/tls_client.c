/* tls_client.c - see tls_client.h */
#include "tls_client.h"
#include <h2o/tls13.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST = 32, KEY = 16, NONCE = 12 };

void tls_must(bool holds)
{
    if (!holds)
        abort();
}

SSL_CTX *tls_server_context(void)
{
    static SSL_CTX *ctx;

    if (ctx != NULL)
        return ctx;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    X509_set_pubkey(certificate, key);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    tls_must(X509_sign(certificate, key, EVP_sha256()) != 0);
    ctx = h2o_tls13_new_context();
    tls_must(SSL_CTX_use_certificate(ctx, certificate) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
    tls_must(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") == 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return ctx;
}

/* "LABEL CLIENT_RANDOM SECRET" */
static void on_keylog(const SSL *ssl, const char *line)
{
    struct tls_client *client = SSL_get_app_data(ssl);
    const char *hex = strrchr(line, ' ') + 1;
    struct tls_keys *keys = NULL;

    if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0)
        keys = &client->out;
    else if (strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0)
        keys = &client->in;
    for (size_t i = 0; keys != NULL && i < DIGEST; ++i)
        keys->secret[i] = (uint8_t)(tg_hex_value(hex[2 * i]) << 4 | tg_hex_value(hex[2 * i + 1]));
}

void tls_client_init(struct tls_client *client)
{
    static SSL_CTX *ctx;

    if (ctx == NULL) {
        ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_keylog_callback(ctx, on_keylog);
    }
    *client = (struct tls_client){.ssl = SSL_new(ctx)};
    SSL_set_app_data(client->ssl, client);
    SSL_set_connect_state(client->ssl);
}

void tls_client_done(struct tls_client *client)
{
    SSL_free(client->ssl);
}

/* HKDF-Expand-Label (RFC 8446 7.1) of one block. */
static void expand(const struct tls_keys *keys, const char *label, uint8_t *out, size_t len)
{
    uint8_t info[32] = {0, (uint8_t)len, (uint8_t)(6 + strlen(label))}, digest[EVP_MAX_MD_SIZE];
    size_t size = 9 + strlen(label);

    memcpy(info + 3, "tls13 ", 6);
    memcpy(info + 9, label, strlen(label));
    info[size++] = 0;
    info[size++] = 1;
    tls_must(HMAC(EVP_sha256(), keys->secret, DIGEST, info, size, digest, NULL) != NULL);
    memcpy(out, digest, len);
}

void tls_keys_begin(struct tls_keys *keys)
{
    expand(keys, "key", keys->key, KEY);
    expand(keys, "iv", keys->iv, NONCE);
    keys->sequence = 0;
}

void tls_keys_update(struct tls_keys *keys)
{
    expand(keys, "traffic upd", keys->secret, DIGEST);
    tls_keys_begin(keys);
}

static void take_nonce(struct tls_keys *keys, uint8_t *nonce)
{
    memcpy(nonce, keys->iv, NONCE);
    for (int i = 0; i < 8; ++i)
        nonce[NONCE - 1 - i] ^= (uint8_t)(keys->sequence >> (8 * i));
    keys->sequence++;
}

size_t tls_seal(struct tls_keys *keys, uint8_t type, struct tg_text plain, size_t padding, uint8_t *out)
{
    static const uint8_t zeros[TLS_PADDING_MAX];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    size_t len = plain.len, size = len + 1 + padding + TLS_TAG;
    uint8_t nonce[NONCE], *at = out + TLS_HEADER, *tag = at + size - TLS_TAG;
    int n;

    memcpy(out, (uint8_t[]){TLS_DATA, 3, 3, (uint8_t)(size >> 8), (uint8_t)size}, TLS_HEADER);
    take_nonce(keys, nonce);
    tls_must(EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, keys->key, nonce) == 1);
    tls_must(EVP_EncryptUpdate(cipher, NULL, &n, out, TLS_HEADER) == 1);
    tls_must(len == 0 || EVP_EncryptUpdate(cipher, at, &n, (const uint8_t *)plain.base, (int)len) == 1);
    tls_must(EVP_EncryptUpdate(cipher, at + len, &n, &type, 1) == 1);
    tls_must(padding == 0 || EVP_EncryptUpdate(cipher, at + len + 1, &n, zeros, (int)padding) == 1);
    tls_must(EVP_EncryptFinal_ex(cipher, tag, &n) == 1 && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TLS_TAG, tag) == 1);
    EVP_CIPHER_CTX_free(cipher);
    return TLS_HEADER + size;
}

struct tg_text tls_open(struct tls_keys *keys, uint8_t *record, size_t size, uint8_t *type)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    size_t len = size - TLS_HEADER - TLS_TAG;
    uint8_t nonce[NONCE], *plain = record + TLS_HEADER;
    int n;

    take_nonce(keys, nonce);
    tls_must(EVP_DecryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, keys->key, nonce) == 1);
    tls_must(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TLS_TAG, plain + len) == 1);
    tls_must(EVP_DecryptUpdate(cipher, NULL, &n, record, TLS_HEADER) == 1 && EVP_DecryptUpdate(cipher, plain, &n, plain, (int)len) == 1);
    tls_must(EVP_DecryptFinal_ex(cipher, plain + len, &n) == 1);
    EVP_CIPHER_CTX_free(cipher);
    *type = 0;
    return tls_meant(type, tg_text_n((const char *)plain, len));
}

struct tg_text tls_meant(uint8_t *type, struct tg_text plain)
{
    while (*type == 0 && plain.len > 0)
        *type = (uint8_t)plain.base[--plain.len];
    return plain;
}
