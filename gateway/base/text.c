#include "base/text.h"

bool tg_text_is(struct tg_text a, const char *b)
{
    return tg_text_same(a, tg_text(b));
}

bool tg_text_same(struct tg_text a, struct tg_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, a.len) == 0);
}

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

bool tg_text_starts(struct tg_text a, const char *prefix)
{
    size_t len = strlen(prefix);

    return a.len >= len && (len == 0 || memcmp(a.base, prefix, len) == 0);
}

bool tg_text_ends(struct tg_text a, const char *suffix)
{
    size_t len = strlen(suffix);

    return a.len >= len && (len == 0 || memcmp(a.base + a.len - len, suffix, len) == 0);
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
