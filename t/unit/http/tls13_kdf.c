/* The key schedule of TLS 1.3 is OpenSSL's, byte for byte; the traffic secrets that this thread derives are told to who listens. */
#include "../base/test.h"
#include <h2o/string_.h>
#include <h2o/tls13.h>
#include <h2o/tls13_kdf.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 255 * 48 };

struct ask {
    int mode;
    const char *digest, *prefix, *label;
    size_t key, salt, data; /* lengths; 0: not given */
    size_t out;
};

static uint8_t bytes[256];

static OSSL_PARAM octets(const char *name, const void *base, size_t len)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)base, len);
}

/* 1: done, 0: refused */
static int derive(const char *query, const struct ask *ask, uint8_t *out)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, query);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    int mode = ask->mode;
    OSSL_PARAM params[8], *end = params;

    assert_non_null(context);
    *end++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    *end++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)ask->digest, 0);
    if (ask->key != 0)
        *end++ = octets(OSSL_KDF_PARAM_KEY, bytes, ask->key);
    if (ask->salt != 0)
        *end++ = octets(OSSL_KDF_PARAM_SALT, bytes + 100, ask->salt);
    *end++ = octets(OSSL_KDF_PARAM_PREFIX, ask->prefix, strlen(ask->prefix));
    *end++ = octets(OSSL_KDF_PARAM_LABEL, ask->label, strlen(ask->label));
    if (ask->data != 0)
        *end++ = octets(OSSL_KDF_PARAM_DATA, bytes + 50, ask->data);
    *end = OSSL_PARAM_construct_end();
    int done = EVP_KDF_derive(context, out, ask->out, params);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return done == 1;
}

static void is_the_same(const struct ask *ask)
{
    static uint8_t ours[OUT_MAX], theirs[OUT_MAX];

    memset(ours, 0, sizeof(ours));
    memset(theirs, 1, sizeof(theirs));
    assert_int_equal(derive("provider=default", ask, theirs), 1);
    assert_int_equal(derive(H2O_TLS13_KDF_QUERY, ask, ours), 1);
    assert_memory_equal(ours, theirs, ask->out);
}

static void what_openssl_derives(void **state)
{
    static const struct {
        const char *name;
        size_t size;
    } digests[] = {{"SHA2-256", 32}, {"SHA256", 32}, {"SHA2-384", 48}, {"sha384", 48}};

    for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); ++i) {
        const size_t size = digests[i].size;
        const struct ask asks[] = {
            {EVP_KDF_HKDF_MODE_EXPAND_ONLY, digests[i].name, "tls13 ", "c hs traffic", size, 0, size, size},
            {EVP_KDF_HKDF_MODE_EXPAND_ONLY, digests[i].name, "tls13 ", "key", size, 0, 0, 16},
            {EVP_KDF_HKDF_MODE_EXPAND_ONLY, digests[i].name, "tls13 ", "", 1, 0, 1, 1},
            {EVP_KDF_HKDF_MODE_EXPAND_ONLY, digests[i].name, "tls13 ", "exporter", size, 0, 200, size + 1},
            {EVP_KDF_HKDF_MODE_EXPAND_ONLY, digests[i].name, "tls13 ", "exporter", size, 0, size, 255 * size},
            {EVP_KDF_HKDF_MODE_EXTRACT_ONLY, digests[i].name, "tls13 ", "derived", 0, 0, 0, size},
            {EVP_KDF_HKDF_MODE_EXTRACT_ONLY, digests[i].name, "tls13 ", "derived", 66, size, 0, size},
            {EVP_KDF_HKDF_MODE_EXTRACT_ONLY, digests[i].name, "tls13 ", "derived", 0, size, 0, size},
            {EVP_KDF_HKDF_MODE_EXTRACT_ONLY, digests[i].name, "tls13 ", "derived", 32, 0, 0, size},
        };
        for (size_t j = 0; j < sizeof(asks) / sizeof(asks[0]); ++j)
            is_the_same(&asks[j]);
    }
}

static void what_is_no_key_schedule_is_refused(void **state)
{
    static const struct ask asks[] = {
        {EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, "SHA256", "tls13 ", "key", 32, 0, 0, 16},
        {EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA512", "tls13 ", "key", 32, 0, 0, 16},
        {EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", "dtls13", "key", 32, 0, 0, 16},
        {EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", "tls13 ", "key", 0, 0, 0, 16},
        {EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", "tls13 ", "key", 65, 0, 0, 16},
        {EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", "tls13 ", "key", 32, 0, 0, 255 * 32 + 1},
        {EVP_KDF_HKDF_MODE_EXTRACT_ONLY, "SHA256", "tls13 ", "derived", 32, 32, 0, 48},
    };
    uint8_t out[OUT_MAX];

    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); ++i)
        assert_int_equal(derive(H2O_TLS13_KDF_QUERY, &asks[i], out), 0);
}

struct heard {
    unsigned count[2];
    uint8_t secret[2][48];
};

static void on_secret(void *heard_ptr, int is_server, h2o_iovec_t secret)
{
    struct heard *heard = heard_ptr;

    heard->count[is_server]++;
    memcpy(heard->secret[is_server], secret.base, secret.len);
}

static void traffic_secrets_are_told(void **state)
{
    static const struct ask client = {EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", "tls13 ", "c ap traffic", 32, 0, 32, 32};
    static const struct ask server = {EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", "tls13 ", "s ap traffic", 32, 0, 32, 32};
    static const struct ask other = {EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", "tls13 ", "c hs traffic", 32, 0, 32, 32};
    struct heard heard = {{0}};
    uint8_t out[32];

    h2o_tls13_kdf_listen(on_secret, &heard);
    derive(H2O_TLS13_KDF_QUERY, &other, out);
    assert_int_equal(heard.count[0] + heard.count[1], 0);
    derive(H2O_TLS13_KDF_QUERY, &client, out);
    assert_int_equal(heard.count[0], 1);
    assert_memory_equal(heard.secret[0], out, sizeof(out));
    derive(H2O_TLS13_KDF_QUERY, &server, out);
    assert_int_equal(heard.count[1], 1);
    assert_memory_equal(heard.secret[1], out, sizeof(out));
    h2o_tls13_kdf_listen(NULL, NULL);
    derive(H2O_TLS13_KDF_QUERY, &server, out);
    assert_int_equal(heard.count[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_openssl_derives),
        cmocka_unit_test(what_is_no_key_schedule_is_refused),
        cmocka_unit_test(traffic_secrets_are_told),
    };

    SSL_CTX_free(h2o_tls13_new_context()); /* loads it */
    RAND_bytes(bytes, sizeof(bytes));
    return RUN_TESTS(tests);
}
