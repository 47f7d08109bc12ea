/* Encodings of text.h: percent, form, HTML. */
#include "base/text.h"

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

void tg_url_encode(struct tg_string *out, struct tg_text text)
{
    static const char digits[] = "0123456789ABCDEF";

    tg_string_add(out, TG_TEXT(""));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.base[i];
        char escaped[] = {'%', digits[c >> 4], digits[c & 15]};

        if (is_unreserved(c))
            tg_string_add(out, tg_text_n(text.base + i, 1));
        else
            tg_string_add(out, tg_text_n(escaped, sizeof(escaped)));
    }
}

int tg_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that "%XY" at `at` stands for; -1 when it is malformed or NUL. */
static int escaped_byte(struct tg_text text, size_t at)
{
    if (text.len - at < 3)
        return -1;
    int high = tg_hex_value(text.base[at + 1]);
    int low = tg_hex_value(text.base[at + 2]);

    if (high < 0 || low < 0 || high + low == 0)
        return -1;
    return high << 4 | low;
}

int tg_url_decode(struct tg_arena *arena, struct tg_text text, bool form, struct tg_text *out)
{
    char *decoded = tg_arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.base[i];

        if (c == '\0')
            return TG_URL_MALFORMED;
        if (c == '%') {
            int byte = escaped_byte(text, i);

            if (byte < 0)
                return TG_URL_MALFORMED;
            c = (char)byte;
            i += 2;
        } else if (form && c == '+') {
            c = ' ';
        }
        decoded[len++] = c;
    }
    *out = tg_text_n(decoded, len);
    return 0;
}

void tg_html_escape(struct tg_string *out, struct tg_text text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *entity = NULL;

        switch (text.base[i]) {
        case '&': entity = "&amp;"; break;
        case '<': entity = "&lt;"; break;
        case '>': entity = "&gt;"; break;
        case '"': entity = "&quot;"; break;
        case '\'': entity = "&#39;"; break;
        }
        if (entity != NULL) {
            tg_string_add(out, tg_text_n(text.base + from, i - from));
            tg_string_add(out, tg_text(entity));
            from = i + 1;
        }
    }
    tg_string_add(out, tg_text_n(text.base + from, text.len - from));
}
