/* Straight on OpenSSL: libjwt 1.10 writes the type "JWT" over every other and refuses tokens that have another, such as
   "at+jwt" (RFC 9068 2.1). */
#include "base/jose.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"

enum { KEY_BITS = 2048, LARGEST_KEY = 1024 /* bytes of a modulus */, LONGEST_TOKEN = 16384 };

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void free_bio(BIO **bio)
{
    BIO_free_all(*bio);
}

static void free_digest(EVP_MD_CTX **digest)
{
    EVP_MD_CTX_free(*digest);
}

#define OWNED_KEY __attribute__((cleanup(free_key))) EVP_PKEY
#define OWNED_BIO __attribute__((cleanup(free_bio))) BIO
#define OWNED_DIGEST __attribute__((cleanup(free_digest))) EVP_MD_CTX

/* OpenSSL keeps a queue of errors for each thread; ours must not surprise the next TLS connection on it. */
static int fail_openssl(const char *what)
{
    char reason[128] = "no reason given";
    unsigned long code = ERR_peek_last_error();

    if (code != 0)
        ERR_error_string_n(code, reason, sizeof(reason));
    ERR_clear_error();
    return tg_fail("%s: %s", what, reason);
}

static char *take_text(BIO *bio)
{
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    char *text = tg_alloc((size_t)len + 1);

    memcpy(text, bytes, (size_t)len);
    return text;
}

int tg_jose_make_key(char **pem)
{
    OWNED_KEY *key = EVP_RSA_gen(KEY_BITS);
    OWNED_BIO *bio = BIO_new(BIO_s_secmem());

    if (key == NULL || bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return fail_openssl("cannot make a signing key");
    *pem = take_text(bio);
    return 0;
}

static int read_key(const char *pem, EVP_PKEY **out)
{
    OWNED_BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

    if (key == NULL)
        return fail_openssl("cannot read the signing key");
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < KEY_BITS) {
        EVP_PKEY_free(key);
        return tg_fail("the signing key is not RSA of at least %d bits", KEY_BITS);
    }
    *out = key;
    return 0;
}

/* A number of the key as base64url of its big-endian bytes (RFC 7518 2, 6.3.1). */
static int key_number(const EVP_PKEY *key, const char *name, char out[static TG_BASE64(LARGEST_KEY)])
{
    BIGNUM *number = NULL;
    uint8_t bytes[LARGEST_KEY];

    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        return fail_openssl("cannot read the signing key's numbers");
    int len = BN_num_bytes(number);
    if (len > LARGEST_KEY) {
        BN_free(number);
        return tg_fail("the signing key has more than %d bits", LARGEST_KEY * 8);
    }
    BN_bn2bin(number, bytes);
    BN_free(number);
    tg_base64url(bytes, (size_t)len, out);
    return 0;
}

struct public_key {
    char n[TG_BASE64(LARGEST_KEY)], e[TG_BASE64(LARGEST_KEY)];
};

static int read_public(const char *pem, struct public_key *out)
{
    OWNED_KEY *key = NULL;

    tg_try(read_key(pem, &key));
    tg_try(key_number(key, OSSL_PKEY_PARAM_RSA_N, out->n));
    return key_number(key, OSSL_PKEY_PARAM_RSA_E, out->e);
}

int tg_jose_jwk(const char *pem, const char *kid, json_t **jwk)
{
    struct public_key key;

    tg_try(read_public(pem, &key));
    *jwk = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "RSA", "use", "sig", "alg", "RS256", "kid", kid, "n", key.n, "e",
                     key.e);
    return *jwk != NULL ? 0 : tg_fail("a key id is not UTF-8");
}

int tg_jose_thumbprint(const char *pem, char *out)
{
    struct public_key key;
    uint8_t digest[TG_DIGEST];

    tg_try(read_public(pem, &key));
    TG_FREED char *members = tg_format("{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", key.e, key.n);
    tg_digest(tg_text(members), digest);
    tg_base64url(digest, sizeof(digest), out);
    return 0;
}

static void add_encoded(struct tg_string *out, struct tg_text bytes)
{
    TG_FREED char *encoded = tg_alloc(TG_BASE64(bytes.len));

    tg_base64url(bytes.base, bytes.len, encoded);
    tg_string_add(out, tg_text(encoded));
}

static void add_encoded_json(struct tg_string *out, const json_t *value)
{
    TG_STRING text = {NULL, 0, 0};

    tg_json_add(&text, value);
    add_encoded(out, tg_string_text(&text));
}

int tg_jose_sign(const char *pem, const char *kid, const char *typ, const json_t *claims, char **token)
{
    OWNED_KEY *key = NULL;
    OWNED_DIGEST *digest = EVP_MD_CTX_new();
    TG_JSON *header = json_pack("{s:s, s:s, s:s}", "alg", "RS256", "kid", kid, "typ", typ);
    TG_STRING text = {NULL, 0, 0};
    unsigned char signature[LARGEST_KEY];
    size_t len = sizeof(signature);

    tg_try(read_key(pem, &key));
    if (header == NULL)
        return tg_fail("a key id or token type is not UTF-8");
    add_encoded_json(&text, header);
    tg_string_add(&text, TG_TEXT("."));
    add_encoded_json(&text, claims);
    if (digest == NULL || EVP_DigestSignInit(digest, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(digest, signature, &len, (const unsigned char *)text.base, text.len) != 1)
        return fail_openssl("cannot sign a token");
    tg_string_add(&text, TG_TEXT("."));
    add_encoded(&text, tg_text_n((const char *)signature, len));
    *token = tg_keep(text.base);
    return 0;
}

/* The algorithm is ours to say, not the token's (RFC 8725 3.1), and we know no "crit" (RFC 7515 4.1.11). */
static bool has_our_algorithm(struct tg_text encoded)
{
    char header[1024];
    size_t len;
    TG_JSON *json = NULL;

    if (tg_base64url_decode(encoded, header, sizeof(header), &len) != 0 || tg_json_parse(tg_text_n(header, len), &json) != 0)
        return false;
    const char *algorithm = json_string_value(json_object_get(json, "alg"));
    return algorithm != NULL && strcmp(algorithm, "RS256") == 0 && json_object_get(json, "crit") == NULL;
}

static bool is_signature(EVP_PKEY *key, struct tg_text encoded, struct tg_text text)
{
    OWNED_DIGEST *digest = EVP_MD_CTX_new();
    unsigned char signature[LARGEST_KEY];
    size_t len;

    if (tg_base64url_decode(encoded, signature, sizeof(signature), &len) != 0)
        return false;
    bool good = digest != NULL && EVP_DigestVerifyInit(digest, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestVerify(digest, signature, len, (const unsigned char *)text.base, text.len) == 1;
    ERR_clear_error();
    return good;
}

int tg_jose_verify(const char *pem, struct tg_text token, json_t **claims)
{
    OWNED_KEY *key = NULL;
    struct tg_text rest = token;
    size_t len;

    tg_try(read_key(pem, &key));
    if (token.len > LONGEST_TOKEN)
        return TG_JOSE_INVALID;
    struct tg_text header = tg_text_cut(&rest, '.');
    struct tg_text payload = tg_text_cut(&rest, '.');
    if (rest.base == NULL || !has_our_algorithm(header) ||
        !is_signature(key, rest, tg_text_n(token.base, header.len + 1 + payload.len)))
        return TG_JOSE_INVALID;

    TG_FREED char *json = tg_alloc(payload.len + 1);
    if (tg_base64url_decode(payload, json, payload.len, &len) != 0)
        return TG_JOSE_INVALID;
    return tg_json_parse(tg_text_n(json, len), claims) == 0 ? 0 : TG_JOSE_INVALID;
}

void tg_wipe(char *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}
