#include "base/log.h"

#include <stdarg.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/result.h"

enum { LONGEST_VALUE = 2048 }; /* a line must fit into the log writer's ring */

static void to_stderr(const char *line, size_t len)
{
    /* nowhere to report that this fails */
    if (write(STDERR_FILENO, line, len) < 0)
        return;
}

static tg_log_sink sink = to_stderr;
static enum tg_log_level threshold = TG_LOG_INFO;

/* Bytes of the printable UTF-8 character at text; 0 when it must be escaped: malformed, or a control of C0, C1 or DEL,
   which a terminal might obey. */
static size_t printable_len(struct tg_text text)
{
    const unsigned char *p = (const unsigned char *)text.base;
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

    if (len == 0 || len > text.len)
        return 0;
    if (len == 1)
        return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf4 && p[1] >= 0x90); /* surrogates, above U+10FFFF */
    bool control = p[0] == 0xc2 && p[1] < 0xa0;

    return overlong || beyond || control ? 0 : len;
}

/* Stands in a value without quotes: everything visible but the quote, "=" and the backslash. */
static const bool is_plain[256] = {['!'] = true, ['#' ... '<'] = true, ['>' ... '['] = true, [']' ... '~'] = true};

static bool is_all_plain(struct tg_text value)
{
    bool all = value.len != 0;

    for (size_t i = 0; i < value.len; i++)
        all &= is_plain[(unsigned char)value.base[i]];
    return all;
}

static bool needs_quotes(struct tg_text value)
{
    if (is_all_plain(value))
        return false;
    for (size_t i = 0; i < value.len;) {
        unsigned char c = (unsigned char)value.base[i];
        size_t len = is_plain[c] ? 1 : c < 0x80 ? 0 : printable_len(tg_text_n(value.base + i, value.len - i));

        if (len == 0)
            return true;
        i += len;
    }
    return value.len == 0;
}

static char *put_quoted(char *at, struct tg_text value)
{
    static const char digits[] = "0123456789abcdef";

    *at++ = '"';
    while (value.len > 0) {
        unsigned char c = (unsigned char)value.base[0];
        size_t len = printable_len(value);

        if (len == 0) {
            *at++ = '\\';
            *at++ = 'x';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 15];
            len = 1;
        } else {
            if (c == '"' || c == '\\')
                *at++ = '\\';
            memcpy(at, value.base, len);
            at += len;
        }
        value.base += len;
        value.len -= len;
    }
    *at++ = '"';
    return at;
}

char *tg_log_put(char *at, struct tg_text value)
{
    bool is_cut = value.len > LONGEST_VALUE;

    if (is_cut)
        value.len = LONGEST_VALUE;
    if (needs_quotes(value)) {
        at = put_quoted(at, value);
    } else {
        memcpy(at, value.base, value.len);
        at += value.len;
    }
    if (is_cut) {
        memcpy(at, "...", 3);
        at += 3;
    }
    return at;
}

void tg_log_pair(struct tg_string *line, const char *key, struct tg_text value)
{
    tg_string_add(line, TG_TEXT(" "));
    tg_string_add(line, tg_text(key));
    tg_string_add(line, TG_TEXT("="));
    tg_string_reserve(line, TG_LOG_ROOM(value.len < LONGEST_VALUE ? value.len : LONGEST_VALUE));
    line->len = (size_t)(tg_log_put(line->base + line->len, value) - line->base);
    line->base[line->len] = '\0';
}

void tg_log(enum tg_log_level level, const char *event, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    TG_STRING line = {NULL, 0, 0};
    char now[TG_TIME_ISO];
    const char *key;
    va_list args;

    if (level < threshold)
        return;
    tg_time_iso(tg_now_s(), now);
    tg_string_addf(&line, "%s %s %s", now, names[level], event);
    va_start(args, event);
    while ((key = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);

        if (value != NULL)
            tg_log_pair(&line, key, tg_text(value));
    }
    va_end(args);
    tg_string_add(&line, TG_TEXT("\n"));
    sink(line.base, line.len);
}

void tg_log_set_sink(tg_log_sink new_sink)
{
    sink = new_sink != NULL ? new_sink : to_stderr;
}

void tg_log_set_threshold(enum tg_log_level lowest)
{
    threshold = lowest;
}
