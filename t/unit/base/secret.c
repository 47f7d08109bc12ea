#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/result.h"
#include "base/secret.h"

static void to_hex(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        sprintf(out + i * 2, "%02x", bytes[i]);
}

static void tokens_and_ids_have_their_alphabet(void **state)
{
    char token[TG_TOKEN], other[TG_TOKEN], id[TG_ID];
    int seen[128] = {0};

    tg_random_token(token);
    tg_random_token(other);
    assert_int_equal(strlen(token), 43);
    assert_string_not_equal(token, other);
    for (int i = 0; i < 2000; i++) {
        tg_random_id(id);
        assert_int_equal(strlen(id), 26);
        for (const char *c = id; *c != '\0'; c++)
            seen[(int)*c]++;
    }
    for (int c = 0; c < 128; c++)
        assert_int_equal(seen[c] > 0, (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'));
}

static void digests_are_the_standard_ones(void **state)
{
    uint8_t digest[TG_DIGEST], key[TG_KEY] = {1}, other[TG_DIGEST];
    char hex[65];

    tg_digest(TG_TEXT("abc"), digest);
    to_hex(digest, sizeof(digest), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-2 B.1 */
    tg_digest_keyed(key, TG_TEXT("abc"), digest);
    key[0] = 2;
    tg_digest_keyed(key, TG_TEXT("abc"), other);
    assert_memory_not_equal(digest, other, sizeof(digest));
}

static void secrets_are_compared(void **state)
{
    assert_true(tg_same_secret("abcd", "abcx", 3));
    assert_false(tg_same_secret("abcd", "abcx", 4));
    for (size_t len = 0; len < 40; len++) {
        char a[40], b[40];

        memset(a, 'a', sizeof(a));
        memset(b, 'a', sizeof(b));
        assert_true(tg_same_secret(a, b, len));
        for (size_t i = 0; i < len; i++) {
            b[i] = 'b';
            assert_false(tg_same_secret(a, b, len));
            b[i] = 'a';
        }
    }
    assert_true(tg_same_secret_text(TG_TEXT("a"), TG_TEXT("a")));
    assert_false(tg_same_secret_text(TG_TEXT("a"), TG_TEXT("ab")));
    assert_false(tg_same_secret_text(tg_text(NULL), tg_text(NULL)));
}

static void base64_goes_both_ways(void **state)
{
    static const struct {
        const char *plain, *url;
    } cases[] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"\xfb\xff\xfe", "-__-"}};

    for (size_t i = 0; i < tg_count(cases); i++) {
        size_t plain_len = strlen(cases[i].plain), len;
        TG_FREED char *encoded = tg_alloc(TG_BASE64(plain_len));
        char decoded[8];

        tg_base64url(cases[i].plain, plain_len, encoded);
        assert_string_equal(encoded, cases[i].url);
        assert_int_equal(tg_base64url_decode(tg_text(encoded), decoded, sizeof(decoded), &len), 0);
        assert_int_equal(len, plain_len);
        assert_memory_equal(decoded, cases[i].plain, len);
    }
}

static void base64_that_is_none_is_refused(void **state)
{
    static const char *const none[] = {"Zg==", "Z", "Zh", "Zm9v\n", "Zm 9v", "+/+/", "Zm9v."};
    char out[8];
    size_t len;

    for (size_t i = 0; i < tg_count(none); i++)
        assert_int_equal(tg_base64url_decode(tg_text(none[i]), out, sizeof(out), &len), TG_BASE64_MALFORMED);
    assert_int_equal(tg_base64url_decode(TG_TEXT("Zm9v"), out, 2, &len), TG_BASE64_MALFORMED);
    assert_int_equal(tg_base64_decode(TG_TEXT("dTpw+w=="), out, sizeof(out), &len), 0);
    assert_int_equal(len, 4);
    assert_int_equal(tg_base64_decode(TG_TEXT("dTpw+w"), out, sizeof(out), &len), TG_BASE64_MALFORMED);
}

static char directory[] = "/tmp/teagate-unit-XXXXXX";
static char ring_path[64];

static int make_directory(void **state)
{
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(ring_path, sizeof(ring_path), "%s/seal.key", directory);
    return 0;
}

static int remove_directory(void **state)
{
    unlink(ring_path);
    return rmdir(directory);
}

static void a_ring_is_made_once_and_kept(void **state)
{
    struct tg_keyring ring, again;
    struct stat info;

    assert_int_equal(tg_keyring_load(&ring, ring_path, false), TG_FAILED);
    assert_int_equal(tg_keyring_load(&ring, ring_path, true), 0);
    assert_int_equal(ring.count, 1);
    assert_int_equal(stat(ring_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(tg_keyring_load(&again, ring_path, true), 0);
    assert_memory_equal(ring.keys[0].bytes, again.keys[0].bytes, TG_KEY);
}

static void a_ring_that_others_can_read_is_refused(void **state)
{
    struct tg_keyring ring;

    assert_int_equal(chmod(ring_path, 0640), 0);
    assert_int_equal(tg_keyring_load(&ring, ring_path, true), TG_FAILED);
    assert_non_null(strstr(tg_failure(), "chmod 600"));
    assert_int_equal(chmod(ring_path, 0600), 0);
}

static void a_damaged_ring_is_refused(void **state)
{
#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    static const char *const damaged[] = {"", "# none\n", "0 abc\n", "0 " HEX "00\n", "0 " HEX "\n0 " HEX "\n", "256 " HEX "\n",
                                          HEX "\n", "0 " HEX "\n1 " HEX "\n2 " HEX "\n3 " HEX "\n4 " HEX "\n", "x " HEX "\n"};
    struct tg_keyring ring;

    for (size_t i = 0; i < tg_count(damaged); i++) {
        assert_int_equal(tg_file_write_atomically(ring_path, 0600, tg_text(damaged[i])), 0);
        assert_int_equal(tg_keyring_load(&ring, ring_path, true), TG_FAILED);
    }
    assert_int_equal(tg_file_write_atomically(ring_path, 0600, TG_TEXT("7 " HEX "\n\n# old\n3 " HEX)), 0);
    assert_int_equal(tg_keyring_load(&ring, ring_path, true), 0);
    assert_int_equal(ring.count, 2);
    assert_int_equal(ring.keys[0].id, 7);
    assert_int_equal(ring.keys[1].bytes[31], 0x1f);
}

static struct tg_keyring test_ring(void)
{
    struct tg_keyring ring = {.count = 2};

    ring.keys[0].id = 2;
    ring.keys[1].id = 1;
    tg_random(ring.keys[0].bytes, TG_KEY);
    tg_random(ring.keys[1].bytes, TG_KEY);
    return ring;
}

static void what_was_sealed_opens_for_its_purpose(void **state)
{
    struct tg_keyring ring = test_ring(), older = {.count = 1, .keys = {ring.keys[1]}};
    struct tg_text plain = TG_TEXT("a session");
    uint8_t sealed[TG_SEALED(9)], again[TG_SEALED(9)], out[9];
    size_t len;

    tg_seal(&ring, "cookie", plain, sealed);
    tg_seal(&ring, "cookie", plain, again);
    assert_memory_not_equal(sealed, again, sizeof(sealed));
    assert_int_equal(tg_unseal(&ring, "cookie", tg_text_n((char *)sealed, sizeof(sealed)), out, &len), 0);
    assert_true(tg_text_same(tg_text_n((char *)out, len), plain));
    assert_int_equal(tg_unseal(&ring, "ticket", tg_text_n((char *)sealed, sizeof(sealed)), out, &len), TG_SEAL_BROKEN);
    assert_int_equal(tg_unseal(&older, "cookie", tg_text_n((char *)sealed, sizeof(sealed)), out, &len), TG_SEAL_BROKEN);
    tg_seal(&older, "cookie", plain, sealed);
    assert_int_equal(tg_unseal(&ring, "cookie", tg_text_n((char *)sealed, sizeof(sealed)), out, &len), 0); /* an old key opens */
    tg_seal(&ring, "cookie", tg_text(NULL), sealed);
    assert_int_equal(tg_unseal(&ring, "cookie", tg_text_n((char *)sealed, TG_SEALED(0)), out, &len), 0);
    assert_int_equal(len, 0);
}

static void a_seal_with_any_bit_changed_is_broken(void **state)
{
    struct tg_keyring ring = test_ring();
    uint8_t sealed[TG_SEALED(4)], out[4];
    size_t len;

    tg_seal(&ring, "cookie", TG_TEXT("abcd"), sealed);
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(tg_unseal(&ring, "cookie", tg_text_n((char *)sealed, sizeof(sealed)), out, &len), TG_SEAL_BROKEN);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < sizeof(sealed); cut++)
        assert_int_equal(tg_unseal(&ring, "cookie", tg_text_n((char *)sealed, cut), out, &len), TG_SEAL_BROKEN);
}

static void passwords_are_verified(void **state)
{
    struct tg_password_cost cost = {.memory_bytes = 1 << 20, .passes = 1}, dearer = {.memory_bytes = 2 << 20, .passes = 1};
    char hash[TG_PASSWORD_HASH];

    assert_int_equal(tg_password_hash(TG_TEXT("hunter2"), &cost, hash), 0);
    assert_memory_equal(hash, "$argon2id$v=19$m=1024,t=1,p=1$", 30);
    assert_int_equal(tg_password_verify(hash, TG_TEXT("hunter2"), &cost), 0);
    assert_int_equal(tg_password_verify(hash, TG_TEXT("hunter3"), &cost), TG_PASSWORD_WRONG);
    assert_int_equal(tg_password_verify(hash, tg_text(NULL), &cost), TG_PASSWORD_WRONG);
    assert_int_equal(tg_password_verify(hash, TG_TEXT("hunter2"), &dearer), TG_PASSWORD_OUTDATED);
    assert_int_equal(tg_password_verify(hash, TG_TEXT("hunter3"), &dearer), TG_PASSWORD_WRONG);
}

static void what_is_no_hash_does_not_work(void **state)
{
    struct tg_password_cost cost = {.memory_bytes = 1 << 20, .passes = 1}, none = {.memory_bytes = 1, .passes = 0};
    char hash[TG_PASSWORD_HASH], longer[300];

    memset(longer, 'x', sizeof(longer));
    memcpy(longer, "$argon2id$", 10);
    longer[299] = '\0';
    assert_int_equal(tg_password_verify("", TG_TEXT(""), &cost), TG_FAILED);
    assert_int_equal(tg_password_verify("$2y$10$abc", TG_TEXT(""), &cost), TG_FAILED);
    assert_int_equal(tg_password_verify(longer, TG_TEXT(""), &cost), TG_FAILED);
    assert_int_equal(tg_password_hash(TG_TEXT("x"), &none, hash), TG_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_and_ids_have_their_alphabet),
        cmocka_unit_test(digests_are_the_standard_ones),
        cmocka_unit_test(secrets_are_compared),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(base64_that_is_none_is_refused),
        cmocka_unit_test(a_ring_is_made_once_and_kept),
        cmocka_unit_test(a_ring_that_others_can_read_is_refused),
        cmocka_unit_test(a_damaged_ring_is_refused),
        cmocka_unit_test(what_was_sealed_opens_for_its_purpose),
        cmocka_unit_test(a_seal_with_any_bit_changed_is_broken),
        cmocka_unit_test(passwords_are_verified),
        cmocka_unit_test(what_is_no_hash_does_not_work),
    };

    if (tg_secret_init() != 0)
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
