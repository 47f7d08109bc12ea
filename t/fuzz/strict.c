/* strict.c - see strict.h */
#include "strict.h"
#include <strings.h>
#include "base/result.h"

static int broken(const char **why, const char *text)
{
    *why = text;
    return STRICT_BROKEN;
}

/* A line that ends in CR LF, with neither of the two in it. */
static int take_line(struct tg_text *rest, struct tg_text *line, const char **why)
{
    for (size_t i = 0; i < rest->len; ++i) {
        if (rest->base[i] == '\n' || (rest->base[i] == '\r' && i + 1 < rest->len && rest->base[i + 1] != '\n'))
            return broken(why, "a bare CR or LF");
        if (rest->base[i] == '\r' && i + 1 < rest->len) {
            *line = tg_text_n(rest->base, i);
            *rest = tg_text_n(rest->base + i + 2, rest->len - i - 2);
            return 0;
        }
    }
    return STRICT_MORE;
}

static bool is_token(struct tg_text text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < text.len; ++i) {
        unsigned char c = (unsigned char)text.base[i];

        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c != 0 && strchr(others, c) != NULL)))
            return false;
    }
    return text.len != 0;
}

static bool is_value(struct tg_text text)
{
    for (size_t i = 0; i < text.len; ++i) {
        unsigned char c = (unsigned char)text.base[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static int take_field(struct tg_text line, struct strict_message *out, const char **why)
{
    struct tg_text value = line, name = tg_text_cut(&value, ':');
    uint64_t length;

    if (value.base == NULL || !is_token(name))
        return broken(why, "no name of a field");
    if (!is_value(value))
        return broken(why, "a control byte in a field");
    if (out->count == STRICT_FIELDS)
        return broken(why, "too many fields");
    value = tg_text_trim(value);
    if (tg_text_is_nocase(name, "content-length")) {
        if (out->length != UINT64_MAX || !tg_text_number(value, &length))
            return broken(why, "a length that is none, or two");
        out->length = length;
    }
    if (tg_text_is_nocase(name, "transfer-encoding")) {
        if (out->is_chunked || !tg_text_is(value, "chunked"))
            return broken(why, "a coding other than chunked, once");
        out->is_chunked = true;
    }
    out->fields[out->count].name = name;
    out->fields[out->count++].value = value;
    return 0;
}

int strict_head(struct tg_text *rest, struct strict_message *out, const char **why)
{
    struct tg_text at = *rest, line;
    int answer;

    out->count = 0;
    out->is_chunked = false;
    out->length = UINT64_MAX;
    if ((answer = take_line(&at, &out->first, why)) != 0)
        return answer;
    if (!is_value(out->first))
        return broken(why, "a control byte in the first line");
    for (;;) {
        if ((answer = take_line(&at, &line, why)) != 0)
            return answer;
        if (line.len == 0)
            break;
        if ((answer = take_field(line, out, why)) != 0)
            return answer;
    }
    if (out->is_chunked && out->length != UINT64_MAX)
        return broken(why, "length and coding");
    *rest = at;
    return 0;
}

static int take_size(struct tg_text *at, uint64_t *size, const char **why)
{
    struct tg_text line;
    int answer = take_line(at, &line, why);

    if (answer != 0)
        return answer;
    if (line.len == 0 || line.len > 15)
        return broken(why, "a chunk without a size, or a huge one");
    *size = 0;
    for (size_t i = 0; i < line.len; ++i) {
        int digit = tg_hex_value(line.base[i]);

        if (digit < 0)
            return broken(why, "a chunk's size that is none");
        *size = *size << 4 | (uint64_t)digit;
    }
    return 0;
}

/* Fields that must not stand behind a body (RFC 9110 6.5.1), or that only the front may set. */
static int check_trailer(struct tg_text line, const char **why)
{
    static const char *const never[] = {
        "host", "content-length", "transfer-encoding", "connection", "trailer", "te", "upgrade", "authorization", "cookie", "set-cookie",
        "content-type", "content-encoding", "cache-control", "x-request-id", "x-real-ip", "x-forwarded-for", "x-webauth-user",
    };
    struct strict_message single = {.length = UINT64_MAX};
    int answer = take_field(line, &single, why);

    for (size_t i = 0; answer == 0 && i < tg_count(never); ++i)
        if (tg_text_is_nocase(single.fields[0].name, never[i]))
            answer = broken(why, "a trailer that must not be there");
    return answer;
}

static int take_chunks(struct tg_text *at, const char **why)
{
    uint64_t size = 1;
    struct tg_text line;
    int answer;

    while (size != 0) {
        if ((answer = take_size(at, &size, why)) != 0)
            return answer;
        if (size > at->len)
            return STRICT_MORE;
        *at = tg_text_n(at->base + size, at->len - (size_t)size);
        do { /* behind the data an empty line; behind the last chunk trailers, and then one */
            if ((answer = take_line(at, &line, why)) != 0)
                return answer;
            if (size != 0 && line.len != 0)
                return broken(why, "a chunk that is longer than its size");
            if (line.len != 0 && (answer = check_trailer(line, why)) != 0)
                return answer;
        } while (line.len != 0);
    }
    return 0;
}

int strict_body(struct tg_text *rest, const struct strict_message *head, const char **why)
{
    struct tg_text at = *rest;
    int answer = 0;

    if (head->is_chunked)
        answer = take_chunks(&at, why);
    else if (head->length != UINT64_MAX && head->length > at.len)
        answer = STRICT_MORE;
    else if (head->length != UINT64_MAX)
        at = tg_text_n(at.base + head->length, at.len - (size_t)head->length);
    if (answer == 0)
        *rest = at;
    return answer;
}

size_t strict_count(const struct strict_message *message, const char *name, struct tg_text *value)
{
    size_t count = 0;

    for (size_t i = 0; i < message->count; ++i)
        if (tg_text_is_nocase(message->fields[i].name, name)) {
            count++;
            *value = message->fields[i].value;
        }
    return count;
}
