/* tls13.c - see tls13.h */
#include <pthread.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "h2o/memory.h"
#include "h2o/tls13.h"
#include "h2o/tls13_kdf.h"

enum { TAG = 16, NONCE = 12, TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_DATA = 23, MSG_KEY_UPDATE = 24, READ = 0, WRITE = 1 };

#define MAX_IDLE_RECORDS 32                 /* in a row that bring nothing, each of which costs us an opening, or new keys */

uint64_t h2o_tls13_max_key_records = (uint64_t)1 << 24; /* AES-GCM: 2^24.5 records of full size */

struct suite {
    uint16_t id;
    const char *cipher_name, *digest_name;
    size_t key_len;
    EVP_CIPHER *cipher;
    EVP_MD *digest;
};

static struct suite suites[] = {
    {0x1301, "AES-128-GCM", "SHA2-256", 16},
    {0x1302, "AES-256-GCM", "SHA2-384", 32},
    {0x1303, "ChaCha20-Poly1305", "SHA2-256", 32},
};

struct direction {
    EVP_CIPHER_CTX *cipher;
    uint64_t sequence;
    uint8_t iv[NONCE];
    uint8_t secret[EVP_MAX_MD_SIZE];
    size_t secret_len; /* 0: not known */
};

struct st_h2o_tls13_t {
    const struct suite *suite;
    struct direction dir[2];
    unsigned idle_records;
    unsigned must_update : 1;
    uint8_t alert; /* what the client is told in the end (RFC 8446 6) */
};

/* --- what OpenSSL tells: kept with the connection until it is taken over --- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int told_index, has_kdf;

static void free_told(void *parent, void *told, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
    h2o_tls13_free(told);
}

static void init_once(void)
{
    size_t i;

    told_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_told);
    for (i = 0; i != sizeof(suites) / sizeof(suites[0]); ++i) {
        suites[i].cipher = EVP_CIPHER_fetch(NULL, suites[i].cipher_name, NULL);
        suites[i].digest = EVP_MD_fetch(NULL, suites[i].digest_name, NULL);
    }
    has_kdf = h2o_tls13_kdf_load() == 0;
}

/* the secret of a direction is derived when its keys are put to use */
static void on_secret(void *ssl, int is_server, h2o_iovec_t secret)
{
    h2o_tls13_t *told = SSL_get_ex_data(ssl, told_index);
    struct direction *dir;

    if (told == NULL) {
        told = h2o_mem_alloc(sizeof(*told));
        memset(told, 0, sizeof(*told));
        SSL_set_ex_data(ssl, told_index, told);
    }
    dir = &told->dir[is_server ? WRITE : READ];
    dir->secret_len = 0;
    dir->sequence = 0;
    if (secret.len <= sizeof(dir->secret)) {
        memcpy(dir->secret, secret.base, secret.len);
        dir->secret_len = secret.len;
    }
}

/* what a thread derives between a step of a handshake and the end of the call is of this connection */
static void on_step(const SSL *ssl, int where, int value)
{
    if (!(where & (SSL_CB_LOOP | SSL_CB_EXIT | SSL_CB_HANDSHAKE_START)))
        return;
    if (where & SSL_CB_EXIT)
        h2o_tls13_kdf_listen(NULL, NULL);
    else
        h2o_tls13_kdf_listen(on_secret, (SSL *)ssl);
}

/* counts the records that OpenSSL seals and opens with the keys of the application data: tickets go out with them */
static void on_message(int is_write, int version, int type, const void *buf, size_t len, SSL *ssl, void *arg)
{
    h2o_tls13_t *told;

    if (type == SSL3_RT_INNER_CONTENT_TYPE && (told = SSL_get_ex_data(ssl, told_index)) != NULL)
        ++told->dir[is_write ? WRITE : READ].sequence;
}

SSL_CTX *h2o_tls13_new_context(void)
{
    SSL_CTX *ctx;

    pthread_once(&once, init_once);
    if (!has_kdf)
        return SSL_CTX_new(TLS_server_method());
    if ((ctx = SSL_CTX_new_ex(NULL, H2O_TLS13_KDF_QUERY, TLS_server_method())) == NULL)
        return NULL;
    SSL_CTX_set_info_callback(ctx, on_step);
    SSL_CTX_set_msg_callback(ctx, on_message);
    return ctx;
}

/* --- keys --- */

static int expand_label(const struct suite *suite, const struct direction *dir, const char *label, void *dst, size_t len)
{
    h2o_iovec_t secret = {(char *)dir->secret, dir->secret_len};

    return h2o_tls13_expand_label(suite->digest, secret, label, h2o_iovec_init(dst, len));
}

static int use_secret(h2o_tls13_t *tls, int which)
{
    struct direction *dir = &tls->dir[which];
    uint8_t key[32];
    int done;

    if (expand_label(tls->suite, dir, "key", key, tls->suite->key_len) != 0 ||
        expand_label(tls->suite, dir, "iv", dir->iv, sizeof(dir->iv)) != 0)
        return -1;
    done = EVP_CipherInit_ex(dir->cipher, tls->suite->cipher, NULL, key, NULL, which == WRITE) == 1;
    OPENSSL_cleanse(key, sizeof(key));
    return done ? 0 : -1;
}

static int update_secret(h2o_tls13_t *tls, int which)
{
    struct direction *dir = &tls->dir[which];

    if (expand_label(tls->suite, dir, "traffic upd", dir->secret, dir->secret_len) != 0)
        return -1;
    dir->sequence = 0;
    return use_secret(tls, which);
}

static const struct suite *suite_of(SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    size_t i;

    for (i = 0; cipher != NULL && i != sizeof(suites) / sizeof(suites[0]); ++i)
        if (SSL_CIPHER_get_protocol_id(cipher) == suites[i].id && suites[i].cipher != NULL && suites[i].digest != NULL)
            return &suites[i];
    return NULL;
}

h2o_tls13_t *h2o_tls13_take_over(SSL *ssl)
{
    h2o_tls13_t *tls;
    int i;

    pthread_once(&once, init_once);
    if ((tls = SSL_get_ex_data(ssl, told_index)) == NULL)
        return NULL;
    if (SSL_version(ssl) != TLS1_3_VERSION || !SSL_is_init_finished(ssl) || SSL_has_pending(ssl) || (tls->suite = suite_of(ssl)) == NULL)
        return NULL;
    for (i = READ; i <= WRITE; ++i) {
        if (tls->dir[i].secret_len != (size_t)EVP_MD_get_size(tls->suite->digest) || (tls->dir[i].cipher = EVP_CIPHER_CTX_new()) == NULL ||
            use_secret(tls, i) != 0)
            return NULL;
    }
    SSL_set_ex_data(ssl, told_index, NULL);
    SSL_free_buffers(ssl);
    /* the session stays good when the connection is freed */
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    return tls;
}

void h2o_tls13_free(h2o_tls13_t *tls)
{
    if (tls == NULL)
        return;
    EVP_CIPHER_CTX_free(tls->dir[READ].cipher);
    EVP_CIPHER_CTX_free(tls->dir[WRITE].cipher);
    OPENSSL_cleanse(tls, sizeof(*tls));
    free(tls);
}

/* --- records --- */

static void make_nonce(const struct direction *dir, uint8_t nonce[NONCE])
{
    uint64_t tail;

    memcpy(nonce, dir->iv, NONCE);
    memcpy(&tail, nonce + 4, sizeof(tail));
    tail ^= __builtin_bswap64(dir->sequence);
    memcpy(nonce + 4, &tail, sizeof(tail));
}

static int seal(h2o_tls13_t *tls, uint8_t type, const char *src, size_t len, char *dst)
{
    struct direction *dir = &tls->dir[WRITE];
    uint8_t nonce[NONCE], *out = (uint8_t *)dst;
    size_t size = len + 1 + TAG;
    int n;

    out[0] = TYPE_DATA;
    out[1] = out[2] = 3;
    out[3] = (uint8_t)(size >> 8);
    out[4] = (uint8_t)size;
    make_nonce(dir, nonce);
    ++dir->sequence;
    if (EVP_EncryptInit_ex(dir->cipher, NULL, NULL, NULL, nonce) != 1 ||
        EVP_EncryptUpdate(dir->cipher, NULL, &n, out, H2O_TLS13_HEADER) != 1 ||
        (len != 0 && EVP_EncryptUpdate(dir->cipher, out + H2O_TLS13_HEADER, &n, (const uint8_t *)src, (int)len) != 1) ||
        EVP_EncryptUpdate(dir->cipher, out + H2O_TLS13_HEADER + len, &n, &type, 1) != 1 ||
        EVP_EncryptFinal_ex(dir->cipher, out + H2O_TLS13_HEADER + len + 1, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(dir->cipher, EVP_CTRL_AEAD_GET_TAG, TAG, out + H2O_TLS13_HEADER + len + 1) != 1)
        return -1;
    return 0;
}

int h2o_tls13_seal(h2o_tls13_t *tls, const char *src, size_t len, char *dst)
{
    return seal(tls, TYPE_DATA, src, len, dst);
}

int h2o_tls13_seal_update(h2o_tls13_t *tls, char *dst)
{
    static const char update[] = {MSG_KEY_UPDATE, 0, 0, 1, 0 /* not requested */};

    if (!tls->must_update && tls->dir[WRITE].sequence < h2o_tls13_max_key_records)
        return 0;
    tls->must_update = 0;
    if (seal(tls, TYPE_HANDSHAKE, update, sizeof(update), dst) != 0 || update_secret(tls, WRITE) != 0)
        return -1;
    return H2O_TLS13_UPDATE;
}

int h2o_tls13_seal_close(h2o_tls13_t *tls, char *dst)
{
    const char alert[] = {tls->alert == SSL3_AD_CLOSE_NOTIFY ? SSL3_AL_WARNING : SSL3_AL_FATAL, (char)tls->alert};

    return seal(tls, TYPE_ALERT, alert, sizeof(alert), dst) != 0 ? -1 : H2O_TLS13_CLOSE;
}

/* the connection is broken, and this is why */
static int fail(h2o_tls13_t *tls, uint8_t alert)
{
    tls->alert = alert;
    return -1;
}

long h2o_tls13_record_size(h2o_tls13_t *tls, const char *src, size_t len)
{
    const uint8_t *in = (const uint8_t *)src;
    size_t size;

    if (len < H2O_TLS13_HEADER)
        return 0;
    if (in[0] != TYPE_DATA)
        return fail(tls, SSL3_AD_UNEXPECTED_MESSAGE);
    size = H2O_TLS13_HEADER + ((size_t)in[3] << 8 | in[4]);
    if (size > H2O_TLS13_MAX_RECORD)
        return fail(tls, TLS1_AD_RECORD_OVERFLOW);
    if (size < H2O_TLS13_OVERHEAD)
        return fail(tls, SSL3_AD_BAD_RECORD_MAC);
    return len < size ? 0 : (long)size;
}

/* the plain text, whose last byte is the type; -1: it has not been sealed by the client */
static int decrypt(struct direction *dir, const char *record, size_t size, char *dst)
{
    const uint8_t *in = (const uint8_t *)record;
    size_t len = size - H2O_TLS13_HEADER - TAG;
    uint8_t nonce[NONCE];
    int n;

    make_nonce(dir, nonce);
    ++dir->sequence;
    if (EVP_DecryptInit_ex(dir->cipher, NULL, NULL, NULL, nonce) != 1 ||
        EVP_CIPHER_CTX_ctrl(dir->cipher, EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(in + H2O_TLS13_HEADER + len)) != 1 ||
        EVP_DecryptUpdate(dir->cipher, NULL, &n, in, H2O_TLS13_HEADER) != 1 ||
        EVP_DecryptUpdate(dir->cipher, (uint8_t *)dst, &n, in + H2O_TLS13_HEADER, (int)len) != 1 ||
        EVP_DecryptFinal_ex(dir->cipher, (uint8_t *)dst + len, &n) != 1)
        return -1;
    return 0;
}

static int on_alert(h2o_tls13_t *tls, const char *alert, size_t len, int *is_closed)
{
    if (len != 2)
        return fail(tls, TLS1_AD_DECODE_ERROR);
    if (alert[1] == SSL3_AD_CLOSE_NOTIFY)
        *is_closed = 1;
    else if (alert[1] != SSL_AD_USER_CANCELLED)
        return -1;
    return 0;
}

/* the whole of a record, since keys change behind it (RFC 8446 5.1) */
static int on_handshake(h2o_tls13_t *tls, const char *message, size_t len)
{
    static const char update[] = {MSG_KEY_UPDATE, 0, 0, 1};

    if (len != sizeof(update) + 1 || memcmp(message, update, sizeof(update)) != 0)
        return fail(tls, SSL3_AD_UNEXPECTED_MESSAGE);
    if ((uint8_t)message[4] > 1)
        return fail(tls, SSL3_AD_ILLEGAL_PARAMETER);
    if (message[4] == 1)
        tls->must_update = 1;
    return update_secret(tls, READ);
}

long h2o_tls13_open(h2o_tls13_t *tls, const char *record, size_t size, char *dst, int *is_closed)
{
    size_t len = size - H2O_TLS13_HEADER - TAG;
    uint8_t type;
    int ret;

    if (decrypt(&tls->dir[READ], record, size, dst) != 0)
        return fail(tls, SSL3_AD_BAD_RECORD_MAC);
    while (len != 0 && dst[len - 1] == 0) /* padding */
        --len;
    if (len == 0)
        return fail(tls, SSL3_AD_UNEXPECTED_MESSAGE);
    if (len - 1 > H2O_TLS13_MAX_PLAIN)
        return fail(tls, TLS1_AD_RECORD_OVERFLOW);
    type = (uint8_t)dst[--len];
    if (type == TYPE_DATA && len != 0) {
        tls->idle_records = 0;
        return (long)len;
    }
    if (++tls->idle_records > MAX_IDLE_RECORDS)
        return fail(tls, SSL3_AD_UNEXPECTED_MESSAGE);
    switch (type) {
    case TYPE_DATA:
        return 0;
    case TYPE_ALERT:
        ret = on_alert(tls, dst, len, is_closed);
        break;
    case TYPE_HANDSHAKE:
        ret = on_handshake(tls, dst, len);
        break;
    default:
        ret = fail(tls, SSL3_AD_UNEXPECTED_MESSAGE);
        break;
    }
    return ret;
}
