#include "http/cookie.h"

bool tg_cookie_next(struct tg_text *rest, struct tg_text *name, struct tg_text *value)
{
    while (rest->len > 0) {
        struct tg_text pair = tg_text_trim(tg_text_cut(rest, ';'));

        if (pair.len == 0)
            continue;
        *value = pair;
        *name = tg_text_trim(tg_text_cut(value, '='));
        if (value->base == NULL)
            *value = tg_text_n(pair.base + pair.len, 0); /* "name" alone is read as a cookie without a value */
        return true;
    }
    return false;
}

struct tg_text tg_cookie_only(struct tg_text header, const char *name)
{
    struct tg_text only = {NULL, 0}, at, value;

    while (tg_cookie_next(&header, &at, &value)) {
        if (!tg_text_is(at, name))
            continue;
        if (only.base != NULL)
            return (struct tg_text){NULL, 0};
        only = value;
    }
    return only;
}

/* One byte of the name as the most generous reader would see it, also through several layers of percent-encoding. */
static unsigned char next_byte(struct tg_text *rest)
{
    unsigned char c = (unsigned char)*rest->base++;

    rest->len--;
    while (c == '%' && rest->len >= 2 && tg_hex_value(rest->base[0]) >= 0 && tg_hex_value(rest->base[1]) >= 0) {
        c = (unsigned char)(tg_hex_value(rest->base[0]) << 4 | tg_hex_value(rest->base[1]));
        rest->base += 2;
        rest->len -= 2;
    }
    return c;
}

static bool is_skipped(unsigned char c)
{
    return c <= ' ' || c == 0x7f || c == '"' || c == '\'' || c == '\\';
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

bool tg_cookie_name_is(struct tg_text name, const char *wanted)
{
    while (name.len > 0) {
        unsigned char c = next_byte(&name);

        if (is_skipped(c))
            continue;
        if (lower(c) != lower((unsigned char)*wanted))
            return false; /* also at the end of wanted: c is never NUL */
        wanted++;
    }
    return *wanted == '\0';
}

char *tg_cookie_line(struct tg_arena *arena, const char *name, struct tg_text value, int64_t max_age_s)
{
    char *line = tg_arena_format(arena, "%s=%.*s; Path=/; Secure; HttpOnly; SameSite=Lax", name, TG_TEXT_ARGS(value));

    if (max_age_s < 0)
        return line;
    return tg_arena_format(arena, "%s; Max-Age=%lld", line, (long long)max_age_s);
}
