#include "test.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include "base/jose.h"
#include "base/result.h"
#include "base/secret.h"

static char *pem, *other_pem;

static int make_keys(void **state)
{
    return tg_secret_init() != 0 || tg_jose_make_key(&pem) != 0 || tg_jose_make_key(&other_pem) != 0 ? -1 : 0;
}

static int wipe_keys(void **state)
{
    tg_wipe(pem);
    tg_wipe(other_pem);
    tg_wipe(NULL);
    return 0;
}

static void a_key_is_pkcs8_and_its_jwk_public(void **state)
{
    json_t *jwk = NULL;
    char thumbprint[TG_TOKEN], again[TG_TOKEN];

    assert_memory_equal(pem, "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_int_equal(tg_jose_thumbprint(pem, thumbprint), 0);
    assert_int_equal(tg_jose_thumbprint(other_pem, again), 0);
    assert_int_equal(strlen(thumbprint), 43);
    assert_string_not_equal(thumbprint, again);
    assert_int_equal(tg_jose_jwk(pem, thumbprint, &jwk), 0);
    assert_int_equal(json_object_size(jwk), 6);
    assert_string_equal(json_string_value(json_object_get(jwk, "kty")), "RSA");
    assert_string_equal(json_string_value(json_object_get(jwk, "use")), "sig");
    assert_string_equal(json_string_value(json_object_get(jwk, "alg")), "RS256");
    assert_string_equal(json_string_value(json_object_get(jwk, "kid")), thumbprint);
    assert_string_equal(json_string_value(json_object_get(jwk, "e")), "AQAB");
    assert_int_equal(json_string_length(json_object_get(jwk, "n")), 342);
    json_decref(jwk);
}

/* The key and the thumbprint of RFC 7638 3.1, without its private part: only the way from n and e to the digest is looked at. */
static void a_thumbprint_is_made_of_the_required_members(void **state)
{
    static const struct tg_text members = TG_TEXT(
        "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7"
        "aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q"
        "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XP"
        "ksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}");
    uint8_t digest[TG_DIGEST];
    char thumbprint[TG_TOKEN], ours[TG_TOKEN];
    json_t *jwk = NULL;

    tg_digest(members, digest);
    tg_base64url(digest, sizeof(digest), thumbprint);
    assert_string_equal(thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_int_equal(tg_jose_jwk(pem, "k", &jwk), 0);
    TG_FREED char *text = tg_format("{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"%s\"}",
                                    json_string_value(json_object_get(jwk, "n")));
    tg_digest(tg_text(text), digest);
    tg_base64url(digest, sizeof(digest), thumbprint);
    assert_int_equal(tg_jose_thumbprint(pem, ours), 0);
    assert_string_equal(ours, thumbprint);
    json_decref(jwk);
}

static char *sign(const char *key, const char *typ)
{
    json_t *claims = json_pack("{s:s, s:I, s:[s, s]}", "iss", "https://auth.example", "exp", (json_int_t)4102444800, "groups",
                               "a", "b");
    char *token = NULL;

    assert_int_equal(tg_jose_sign(key, "kid-1", typ, claims, &token), 0);
    json_decref(claims);
    return token;
}

static void a_signed_token_is_verified(void **state)
{
    static const char *const types[] = {"JWT", "at+jwt", "logout+jwt"};

    for (size_t i = 0; i < tg_count(types); i++) {
        TG_FREED char *token = sign(pem, types[i]);
        TG_FREED char *expected = tg_format("{\"alg\":\"RS256\",\"kid\":\"kid-1\",\"typ\":\"%s\"}", types[i]);
        char header[256];
        size_t len;
        json_t *claims = NULL;

        assert_int_equal(tg_base64url_decode(tg_text_n(token, strcspn(token, ".")), header, sizeof(header), &len), 0);
        assert_true(tg_text_is(tg_text_n(header, len), expected));
        assert_int_equal(tg_jose_verify(pem, tg_text(token), &claims), 0);
        assert_int_equal(json_integer_value(json_object_get(claims, "exp")), 4102444800);
        assert_int_equal(json_array_size(json_object_get(claims, "groups")), 2);
        json_decref(claims);
    }
}

static void expect_invalid(const char *token)
{
    json_t *claims = NULL;

    assert_int_equal(tg_jose_verify(pem, tg_text(token), &claims), TG_JOSE_INVALID);
    assert_null(claims);
}

static void a_token_that_was_touched_is_invalid(void **state)
{
    TG_FREED char *token = sign(pem, "JWT"), *foreign = sign(other_pem, "JWT"), *longer = tg_format("%s.", token);
    size_t len = strlen(token);

    expect_invalid(foreign);
    expect_invalid(longer);
    for (size_t i = 0; i < len; i += 7) {
        char before = token[i];

        token[i] = before == 'A' ? 'B' : 'A';
        expect_invalid(token);
        token[i] = before;
    }
    for (size_t i = 0; i < len; i += 5) {
        char before = token[i];

        token[i] = '\0';
        expect_invalid(token);
        token[i] = before;
    }
}

static char *with_header(const char *header, const char *rest)
{
    size_t len = strlen(header);
    TG_FREED char *encoded = tg_alloc(TG_BASE64(len));

    tg_base64url(header, len, encoded);
    return tg_format("%s%s", encoded, rest);
}

static void the_token_does_not_choose_the_algorithm(void **state)
{
    static const char *const headers[] = {"{\"alg\":\"none\"}", "{\"alg\":\"HS256\"}", "{\"alg\":\"RS512\"}", "{}", "[]",
                                          "{\"alg\":5}", "{\"alg\":\"RS256\",\"alg\":\"none\"}"};
    TG_FREED char *token = sign(pem, "JWT");

    for (size_t i = 0; i < tg_count(headers); i++) {
        TG_FREED char *same_rest = with_header(headers[i], strchr(token, '.'));
        TG_FREED char *unsigned_token = with_header(headers[i], ".e30.");

        expect_invalid(same_rest);
        expect_invalid(unsigned_token);
    }
    expect_invalid("");
    expect_invalid("..");
    expect_invalid("a.b.c");
    TG_FREED char *huge = tg_alloc(20001);
    memset(huge, 'A', 20000);
    expect_invalid(huge);
}

/* A token that our key signed as RS256, whatever its header says. */
static char *sign_under(const char *header)
{
    TG_FREED char *text = with_header(header, ".e30");
    unsigned char signature[256];
    char encoded[TG_BASE64(sizeof(signature))];
    size_t len = sizeof(signature);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestSignInit(digest, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(digest, signature, &len, (unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(digest);
    EVP_PKEY_free(key);
    BIO_free(bio);
    tg_base64url(signature, len, encoded);
    return tg_format("%s.%s", text, encoded);
}

static void a_header_must_say_what_the_signature_is(void **state)
{
    static const char *const headers[] = {"{\"alg\":\"RS512\"}", "{\"alg\":\"none\"}", "{\"typ\":\"JWT\"}",
                                          "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}"};
    TG_FREED char *good = sign_under("{\"alg\":\"RS256\"}");
    json_t *claims = NULL;

    assert_int_equal(tg_jose_verify(pem, tg_text(good), &claims), 0);
    json_decref(claims);
    for (size_t i = 0; i < tg_count(headers); i++) {
        TG_FREED char *token = sign_under(headers[i]);

        expect_invalid(token);
    }
}

/* Without a terminator behind it, so that reading on is seen by the address sanitizer. */
static void half_a_token_is_invalid(void **state)
{
    TG_FREED char *token = sign(pem, "JWT");
    size_t header = strcspn(token, "."), payload = header + 1 + strcspn(token + header + 1, ".");
    size_t lengths[] = {header, header + 1, payload, payload + 1};

    for (size_t i = 0; i < tg_count(lengths); i++) {
        TG_FREED char *half = tg_alloc(lengths[i]);
        json_t *claims = NULL;

        memcpy(half, token, lengths[i]);
        assert_int_equal(tg_jose_verify(pem, tg_text_n(half, lengths[i]), &claims), TG_JOSE_INVALID);
    }
}

static void what_is_no_key_does_not_work(void **state)
{
    char thumbprint[TG_TOKEN];
    json_t *json = NULL;

    assert_int_equal(tg_jose_thumbprint("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", thumbprint), TG_FAILED);
    assert_int_equal(tg_jose_verify("", TG_TEXT("a.b.c"), &json), TG_FAILED);
    assert_int_equal(tg_jose_jwk(pem, "\xff", &json), TG_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_pkcs8_and_its_jwk_public),
        cmocka_unit_test(a_thumbprint_is_made_of_the_required_members),
        cmocka_unit_test(a_signed_token_is_verified),
        cmocka_unit_test(a_token_that_was_touched_is_invalid),
        cmocka_unit_test(the_token_does_not_choose_the_algorithm),
        cmocka_unit_test(a_header_must_say_what_the_signature_is),
        cmocka_unit_test(half_a_token_is_invalid),
        cmocka_unit_test(what_is_no_key_does_not_work),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_keys, wipe_keys);
}
