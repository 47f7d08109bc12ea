#include "base/secret.h"

#include <sodium.h>
#include "base/result.h"

int tg_secret_init(void)
{
    return sodium_init() < 0 ? tg_fail("libsodium does not start") : 0;
}

void tg_random(void *out, size_t len)
{
    randombytes_buf(out, len);
}

void tg_random_token(char out[TG_TOKEN])
{
    uint8_t bytes[32];

    tg_random(bytes, sizeof(bytes));
    tg_base64url(bytes, sizeof(bytes), out);
    sodium_memzero(bytes, sizeof(bytes));
}

void tg_random_id(char out[TG_ID])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t bytes[17];

    tg_random(bytes, sizeof(bytes));
    bytes[16] = 0;
    for (size_t i = 0; i < TG_ID - 1; i++) {
        size_t bit = i * 5;
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];

        out[i] = alphabet[pair >> (11 - bit % 8) & 31];
    }
    out[TG_ID - 1] = '\0';
}

void tg_digest(struct tg_text text, uint8_t out[TG_DIGEST])
{
    crypto_hash_sha256(out, (const unsigned char *)text.base, text.len);
}

void tg_digest_keyed(const uint8_t key[TG_KEY], struct tg_text text, uint8_t out[TG_DIGEST])
{
    crypto_generichash(out, TG_DIGEST, (const unsigned char *)text.base, text.len, key, TG_KEY);
}

/* By words: the library's comparison takes ten times as long, and a session's cookie is compared with each request. */
bool tg_same_secret(const void *a, const void *b, size_t len)
{
    const char *x = a, *y = b;
    uint64_t left, right, differing = 0;

    for (; len >= sizeof(left); x += sizeof(left), y += sizeof(right), len -= sizeof(left)) {
        memcpy(&left, x, sizeof(left));
        memcpy(&right, y, sizeof(right));
        differing |= left ^ right;
    }
    for (; len > 0; x++, y++, len--)
        differing |= (uint8_t)*x ^ (uint8_t)*y;
    __asm__ volatile("" : "+r"(differing)); /* so that no compiler leaves early */
    return differing == 0;
}

bool tg_same_secret_text(struct tg_text a, struct tg_text b)
{
    return a.base != NULL && b.base != NULL && a.len == b.len && tg_same_secret(a.base, b.base, a.len);
}

void tg_base64url(const void *bytes, size_t len, char *out)
{
    sodium_bin2base64(out, TG_BASE64(len), bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static int decode_base64(struct tg_text text, int variant, struct tg_text room, size_t *len)
{
    *len = 0;
    if (text.len == 0)
        return 0;
    if (sodium_base642bin((unsigned char *)room.base, room.len, text.base, text.len, NULL, len, NULL, variant) != 0)
        return TG_BASE64_MALFORMED;
    return 0;
}

int tg_base64url_decode(struct tg_text text, void *out, size_t capacity, size_t *len)
{
    return decode_base64(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING, tg_text_n(out, capacity), len);
}

void tg_base64(const void *bytes, size_t len, char *out)
{
    sodium_bin2base64(out, TG_BASE64_PADDED(len), bytes, len, sodium_base64_VARIANT_ORIGINAL);
}

int tg_base64_decode(struct tg_text text, void *out, size_t capacity, size_t *len)
{
    return decode_base64(text, sodium_base64_VARIANT_ORIGINAL, tg_text_n(out, capacity), len);
}
