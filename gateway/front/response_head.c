/* response_head.c - see response_head.h */
#include "front/response_head.h"
#include "base/result.h"
#include "http/cookie.h"

static struct tg_text name_of(const struct phr_header *field)
{
    return tg_text_n(field->name, field->name_len);
}

static struct tg_text value_of(const struct phr_header *field)
{
    return tg_text_n(field->value, field->value_len);
}

static bool list_has(struct tg_text list, const char *wanted)
{
    while (list.base != NULL)
        if (tg_text_is_nocase(tg_text_trim(tg_text_cut(&list, ',')), wanted))
            return true;
    return false;
}

/* Two lengths that differ, or a coding we do not undo, could be read in two ways. */
static int read_framing(struct tg_response_head *out)
{
    for (size_t i = 0; i < out->count; ++i) {
        struct tg_text name = name_of(&out->fields[i]), value = value_of(&out->fields[i]);
        uint64_t length;

        if (tg_text_is(name, "content-length")) {
            if (!tg_text_number(value, &length) || length >= INT64_MAX || (out->length != UINT64_MAX && out->length != length))
                return TG_RESPONSE_BROKEN;
            out->length = length;
        } else if (tg_text_is(name, "transfer-encoding")) {
            if (out->chunked || !tg_text_is_nocase(value, "chunked"))
                return TG_RESPONSE_BROKEN;
            out->chunked = true;
        } else if (tg_text_is(name, "connection")) {
            if (list_has(value, "close"))
                out->keep_alive = false;
        } else if (tg_text_is(name, "location")) {
            out->location = value;
        }
    }
    if (out->chunked && out->length != UINT64_MAX) { /* RFC 9112 6.3: the coding counts; never reused, since it may be an attempt */
        out->length = UINT64_MAX;
        out->keep_alive = false;
    }
    return 0;
}

static void lower_names(struct tg_response_head *out)
{
    for (size_t i = 0; i < out->count; ++i)
        for (size_t k = 0; k < out->fields[i].name_len; ++k) {
            char *c = (char *)out->fields[i].name + k;

            if (*c >= 'A' && *c <= 'Z')
                *c |= 0x20;
        }
}

int tg_response_head_parse(char *bytes, size_t len, size_t seen, size_t *skipped, struct tg_response_head *out)
{
    *skipped = 0;
    for (;;) {
        const char *reason;
        size_t reason_len;
        int minor, size;

        out->count = TG_RESPONSE_FIELDS;
        size = phr_parse_response(bytes + *skipped, len - *skipped, &minor, &out->status, &reason, &reason_len, out->fields, &out->count,
                                  seen);
        if (size == -2)
            return len - *skipped > TG_RESPONSE_HEAD_MAX ? TG_RESPONSE_BROKEN : TG_RESPONSE_MORE;
        if (size < 0 || out->status < 100 || out->status == 101 || out->status > 599 || size > TG_RESPONSE_HEAD_MAX)
            return TG_RESPONSE_BROKEN;
        if (out->status < 200) {
            *skipped += (size_t)size;
            seen = 0;
            continue;
        }
        ((char *)reason)[reason_len] = '\0'; /* the line's end stood there */
        out->reason = reason;
        out->size = (size_t)size;
        out->length = UINT64_MAX;
        out->chunked = false;
        out->keep_alive = minor >= 1;
        out->session_count = 0;
        out->session = out->location = (struct tg_text){NULL, 0};
        for (size_t i = 0; i < out->count; ++i)
            if (out->fields[i].name == NULL) /* a folded line (RFC 9112 5.2) */
                return TG_RESPONSE_BROKEN;
        lower_names(out);
        return read_framing(out);
    }
}

static bool is_hop_by_hop(struct tg_text name)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer",
                                        "transfer-encoding", "upgrade", "content-length", "date"};

    for (size_t i = 0; i < tg_count(names); ++i)
        if (tg_text_is(name, names[i]))
            return true;
    return false;
}

static bool named_by_connection(const struct tg_response_head *head, struct tg_text name)
{
    for (size_t i = 0; i < head->count; ++i) {
        struct tg_text rest = value_of(&head->fields[i]);

        if (!tg_text_is(name_of(&head->fields[i]), "connection"))
            continue;
        while (rest.base != NULL) {
            struct tg_text item = tg_text_trim(tg_text_cut(&rest, ','));

            if (item.len == name.len && strncasecmp(item.base, name.base, name.len) == 0)
                return true;
        }
    }
    return false;
}

/* Whether this Set-Cookie must not go on; keeps the session's value. */
static bool takes_cookie(struct tg_response_head *head, struct tg_text value, const char *session_cookie, const char *remember_cookie)
{
    struct tg_text rest = value, pair = tg_text_cut(&rest, ';'), content = pair;
    struct tg_text name = tg_text_trim(tg_text_cut(&content, '='));

    if (tg_cookie_name_is(name, session_cookie)) {
        ++head->session_count;
        head->session = tg_text_trim(content);
        return true;
    }
    return tg_cookie_name_is(name, remember_cookie) || (name.len >= 10 && strncasecmp(name.base, "__Host-tg-", 10) == 0);
}

void tg_response_head_clear(struct tg_response_head *head, const char *session_cookie, const char *remember_cookie)
{
    bool keep[TG_RESPONSE_FIELDS];
    size_t kept = 0;

    for (size_t i = 0; i < head->count; ++i) {
        struct tg_text name = name_of(&head->fields[i]);

        keep[i] = !is_hop_by_hop(name) && !named_by_connection(head, name);
        if (tg_text_is(name, "set-cookie"))
            keep[i] = !takes_cookie(head, value_of(&head->fields[i]), session_cookie, remember_cookie);
    }
    for (size_t i = 0; i < head->count; ++i)
        if (keep[i])
            head->fields[kept++] = head->fields[i];
    head->count = kept;
}
