#include "base/text.h"

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool tg_text_is_nocase(struct tg_text a, const char *b)
{
    if (a.len != strlen(b))
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.base[i]) != lower(b[i]))
            return false;
    }
    return true;
}

/* Eight bytes at a time: the high bit of a sum says whether a byte below 0x80 lies above a bound. */
static uint64_t lower_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
    uint64_t low = word & ~high;
    uint64_t from_a = low + (0x80 - 'A') * ones, beyond_z = low + (0x80 - 'Z' - 1) * ones;

    return word | ((from_a & ~beyond_z & ~word & high) >> 2);
}

static void lower_at(char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    word = lower_word(word);
    memcpy(bytes, &word, sizeof(word));
}

/* Less than a word: two halves, of which some bytes may be in both, or what is left of one. */
static void lower_few(char *bytes, size_t len)
{
    uint32_t first, last;

    if (len < sizeof(first)) {
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)lower(bytes[i]);
        return;
    }
    memcpy(&first, bytes, sizeof(first));
    memcpy(&last, bytes + len - sizeof(last), sizeof(last));
    uint64_t word = lower_word((uint64_t)last << 32 | first);
    first = (uint32_t)word;
    last = (uint32_t)(word >> 32);
    memcpy(bytes, &first, sizeof(first));
    memcpy(bytes + len - sizeof(last), &last, sizeof(last));
}

void tg_text_lower(char *bytes, size_t len)
{
    size_t at = 0;

    if (len < sizeof(uint64_t)) {
        lower_few(bytes, len);
        return;
    }
    for (; at + sizeof(uint64_t) < len; at += sizeof(uint64_t))
        lower_at(bytes + at);
    lower_at(bytes + len - sizeof(uint64_t)); /* some of them once more */
}

struct tg_text tg_text_trim(struct tg_text a)
{
    while (a.len > 0 && (a.base[0] == ' ' || a.base[0] == '\t')) {
        a.base++;
        a.len--;
    }
    while (a.len > 0 && (a.base[a.len - 1] == ' ' || a.base[a.len - 1] == '\t'))
        a.len--;
    return a;
}

struct tg_text tg_text_cut(struct tg_text *rest, char separator)
{
    struct tg_text whole = *rest;
    const char *at = whole.len > 0 ? memchr(whole.base, separator, whole.len) : NULL;

    if (at == NULL) {
        *rest = (struct tg_text){NULL, 0};
        return whole;
    }
    size_t before = (size_t)(at - whole.base);
    *rest = tg_text_n(at + 1, whole.len - before - 1);
    return tg_text_n(whole.base, before);
}

bool tg_text_number(struct tg_text a, uint64_t *out)
{
    uint64_t value = 0;

    if (a.len == 0)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (a.base[i] < '0' || a.base[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(a.base[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}
