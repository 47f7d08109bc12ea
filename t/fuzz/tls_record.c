/* Records of TLS 1.3 behind a handshake, sealed by a client of any manners: what is opened is what was sealed, in its order, or nothing. */
#include <h2o/tls13.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record of the input: how it is made, what it says it is (the inner type), its length in two bytes, its bytes. */
enum { RECORD = 4, RAW = 1, FLIPPED = 2, PADDED = 4, HEADER = 5, TAG = 16, NONCE = 12, KEY = 16, DIGEST = 32, PLAIN_MAX = 20000 };
enum { ALERT = 21, HANDSHAKE = 22, DATA = 23 };

static SSL_CTX *server_ctx, *client_ctx;

/* The client's side of the keys, from its own log of secrets. */
static struct {
    uint8_t secret[DIGEST], key[KEY], iv[NONCE];
    uint64_t sequence;
} client;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void on_keylog(const SSL *ssl, const char *line)
{
    static const char label[] = "CLIENT_TRAFFIC_SECRET_0 ";
    const char *hex = strrchr(line, ' ') + 1;

    if (strncmp(line, label, sizeof(label) - 1) != 0)
        return;
    for (size_t i = 0; i < DIGEST; ++i)
        client.secret[i] = (uint8_t)(tg_hex_value(hex[2 * i]) << 4 | tg_hex_value(hex[2 * i + 1]));
}

static void make_contexts(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    X509_set_pubkey(certificate, key);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    must(X509_sign(certificate, key, EVP_sha256()) != 0);
    server_ctx = h2o_tls13_new_context();
    client_ctx = SSL_CTX_new(TLS_client_method());
    must(SSL_CTX_use_certificate(server_ctx, certificate) == 1 && SSL_CTX_use_PrivateKey(server_ctx, key) == 1);
    must(SSL_CTX_set_ciphersuites(server_ctx, "TLS_AES_128_GCM_SHA256") == 1);
    SSL_CTX_set_session_cache_mode(server_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(server_ctx, 0);
    SSL_CTX_set_keylog_callback(client_ctx, on_keylog);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* HKDF-Expand-Label (RFC 8446 7.1) of one block. */
static void expand(const char *label, uint8_t *out, size_t len)
{
    uint8_t info[32] = {0, (uint8_t)len, (uint8_t)(6 + strlen(label))}, digest[EVP_MAX_MD_SIZE];
    size_t size = 9 + strlen(label);

    memcpy(info + 3, "tls13 ", 6);
    memcpy(info + 9, label, strlen(label));
    info[size++] = 0;
    info[size++] = 1;
    must(HMAC(EVP_sha256(), client.secret, DIGEST, info, size, digest, NULL) != NULL);
    memcpy(out, digest, len);
}

static void take_keys(void)
{
    expand("key", client.key, KEY);
    expand("iv", client.iv, NONCE);
    client.sequence = 0;
}

/* All in memory. The server's end is handed over; the client is of no more use. */
static h2o_tls13_t *shake_hands(SSL **server)
{
    SSL *other = SSL_new(client_ctx);
    BIO *ours, *theirs;
    h2o_tls13_t *tls;

    *server = SSL_new(server_ctx);
    must(BIO_new_bio_pair(&ours, 0, &theirs, 0) == 1);
    SSL_set_bio(*server, ours, ours);
    SSL_set_bio(other, theirs, theirs);
    SSL_set_accept_state(*server);
    SSL_set_connect_state(other);
    for (int i = 0; i < 10 && !(SSL_is_init_finished(*server) && SSL_is_init_finished(other)); ++i) {
        SSL_do_handshake(other);
        SSL_do_handshake(*server);
    }
    must(SSL_is_init_finished(*server) == 1);
    tls = h2o_tls13_take_over(*server);
    must(tls != NULL);
    SSL_free(other);
    take_keys();
    return tls;
}

static size_t seal(uint8_t type, const uint8_t *plain, size_t len, size_t padding, uint8_t *out)
{
    static const uint8_t zeros[256];
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    size_t size = len + 1 + padding + TAG;
    uint8_t nonce[NONCE], *at = out + HEADER;
    int n;

    memcpy(out, (uint8_t[]){DATA, 3, 3, (uint8_t)(size >> 8), (uint8_t)size}, HEADER);
    memcpy(nonce, client.iv, NONCE);
    for (int i = 0; i < 8; ++i)
        nonce[NONCE - 1 - i] ^= (uint8_t)(client.sequence >> (8 * i));
    client.sequence++;
    must(EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, client.key, nonce) == 1 && EVP_EncryptUpdate(cipher, NULL, &n, out, HEADER) == 1);
    must(len == 0 || EVP_EncryptUpdate(cipher, at, &n, plain, (int)len) == 1);
    must(EVP_EncryptUpdate(cipher, at + len, &n, &type, 1) == 1);
    must(padding == 0 || EVP_EncryptUpdate(cipher, at + len + 1, &n, zeros, (int)padding) == 1);
    must(EVP_EncryptFinal_ex(cipher, at + size - TAG, &n) == 1 && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG, at + size - TAG) == 1);
    EVP_CIPHER_CTX_free(cipher);
    return HEADER + size;
}

/* Zeros behind the type are padding, so what was meant may stand before them. */
static size_t find_meant(uint8_t *type, const uint8_t *bytes, size_t len)
{
    while (*type == 0 && len > 0)
        *type = bytes[--len];
    return len;
}

/* Whether the connection goes on. */
static bool give_record(h2o_tls13_t *tls, uint8_t how, uint8_t type, const uint8_t *bytes, size_t len)
{
    uint8_t wire[HEADER + PLAIN_MAX + 1 + 256 + TAG], *exact;
    char *plain;
    size_t size = len < sizeof(wire) ? len : sizeof(wire);
    bool is_sealed = (how & (RAW | FLIPPED)) == 0;
    int is_closed = 0;
    long whole, opened;

    if ((how & RAW) != 0)
        memcpy(wire, bytes, size);
    else
        size = seal(type, bytes, len, (how & PADDED) != 0 ? how : 0, wire);
    if ((how & FLIPPED) != 0 && size > HEADER)
        wire[HEADER + (type | how << 8) % (size - HEADER)] ^= 1;
    must(h2o_tls13_record_size(tls, (char *)wire, size < 4 ? size : 4) == 0);
    whole = h2o_tls13_record_size(tls, (char *)wire, size);
    must(whole <= (long)size);
    if (whole <= 0) {
        must(!is_sealed || size > H2O_TLS13_MAX_RECORD);
        return false;
    }
    len = find_meant(&type, bytes, len);
    exact = malloc((size_t)whole); /* so that a byte too far is seen */
    plain = malloc((size_t)whole);
    memcpy(exact, wire, (size_t)whole);
    opened = h2o_tls13_open(tls, (char *)exact, (size_t)whole, plain, &is_closed);
    must(opened <= H2O_TLS13_MAX_PLAIN && (opened <= 0 || (is_sealed && type == DATA && (size_t)opened == len && memcmp(plain, bytes, len) == 0)));
    must(opened >= 0 || !is_sealed || type != DATA || len == 0 || len > H2O_TLS13_MAX_PLAIN);
    must(!is_closed || (is_sealed && type == ALERT));
    if (opened == 0 && is_sealed && type == HANDSHAKE) { /* only an update of keys is taken */
        expand("traffic upd", client.secret, DIGEST);
        take_keys();
    }
    free(exact);
    free(plain);
    return opened >= 0 && !is_closed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    h2o_tls13_t *tls;
    SSL *server;

    if (size < RECORD)
        return 0;
    if (server_ctx == NULL)
        make_contexts();
    tls = shake_hands(&server);
    while (size >= RECORD) {
        size_t len = (size_t)data[2] << 8 | data[3], left = size - RECORD;

        len = len < left ? len : left;
        len = len < PLAIN_MAX ? len : PLAIN_MAX;
        if (!give_record(tls, data[0], data[1], data + RECORD, len))
            break;
        data += RECORD + len;
        size -= RECORD + len;
    }
    h2o_tls13_free(tls);
    SSL_free(server);
    return 0;
}
