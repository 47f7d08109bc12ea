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

/* What a name means here. Looked up once a field, since every answer asks. */
enum kind { GOES_ON, ENDS_HERE, LENGTH, CODING, CONNECTION, LOCATION, COOKIE };

static const struct {
    struct tg_text name;
    enum kind kind;
} meanings[] = {
    {TG_TEXT("connection"), CONNECTION},
    {TG_TEXT("content-length"), LENGTH},
    {TG_TEXT("date"), ENDS_HERE},
    {TG_TEXT("keep-alive"), ENDS_HERE},
    {TG_TEXT("location"), LOCATION},
    {TG_TEXT("proxy-authenticate"), ENDS_HERE},
    {TG_TEXT("proxy-connection"), ENDS_HERE},
    {TG_TEXT("set-cookie"), COOKIE},
    {TG_TEXT("te"), ENDS_HERE},
    {TG_TEXT("trailer"), ENDS_HERE},
    {TG_TEXT("transfer-encoding"), CODING},
    {TG_TEXT("upgrade"), ENDS_HERE},
};

static enum kind kind_of(struct tg_text name)
{
    /* the lengths of those above: most names have another one */
    static const uint32_t lengths = 1u << 2 | 1u << 4 | 1u << 7 | 1u << 8 | 1u << 10 | 1u << 14 | 1u << 16 | 1u << 17 | 1u << 18;

    if (name.len > 18 || (lengths >> name.len & 1) == 0)
        return GOES_ON;
    for (size_t i = 0; i < tg_count(meanings); ++i)
        if (meanings[i].name.len == name.len && memcmp(meanings[i].name.base, name.base, name.len) == 0)
            return meanings[i].kind;
    return GOES_ON;
}

static void read_connection(struct tg_response_head *out, struct tg_text list)
{
    while (list.base != NULL) {
        struct tg_text item = tg_text_trim(tg_text_cut(&list, ','));

        if (tg_text_is_nocase(item, "close"))
            out->keep_alive = false;
        else if (!tg_text_is_nocase(item, "keep-alive"))
            out->names_fields = true;
    }
}

/* Two lengths that differ, or a coding we do not undo, could be read in two ways. */
static int read_field(struct tg_response_head *out, enum kind kind, struct tg_text value)
{
    uint64_t length;

    switch (kind) {
    case LENGTH:
        if (!tg_text_number(value, &length) || length >= INT64_MAX || (out->length != UINT64_MAX && out->length != length))
            return TG_RESPONSE_BROKEN;
        out->length = length;
        break;
    case CODING:
        if (out->chunked || !tg_text_is_nocase(value, "chunked"))
            return TG_RESPONSE_BROKEN;
        out->chunked = true;
        break;
    case CONNECTION:
        read_connection(out, value);
        break;
    case LOCATION:
        out->location = value;
        break;
    default:
        break;
    }
    return 0;
}

static int read_fields(struct tg_response_head *out)
{
    for (size_t i = 0; i < out->count; ++i) {
        struct phr_header *field = &out->fields[i];

        if (field->name == NULL || field->name_len == 0) /* a folded line (RFC 9112 5.2) */
            return TG_RESPONSE_BROKEN;
        tg_text_lower((char *)field->name, field->name_len);
        out->kinds[i] = kind_of(name_of(field));
        if (out->kinds[i] != GOES_ON && read_field(out, out->kinds[i], value_of(field)) != 0)
            return TG_RESPONSE_BROKEN;
    }
    if (out->chunked && out->length != UINT64_MAX) { /* RFC 9112 6.3: the coding counts; never reused, since it may be an attempt */
        out->length = UINT64_MAX;
        out->keep_alive = false;
    }
    return 0;
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
        out->names_fields = false;
        out->session_count = 0;
        out->session = out->location = (struct tg_text){NULL, 0};
        return read_fields(out);
    }
}

static bool named_by_connection(const struct tg_response_head *head, struct tg_text name)
{
    for (size_t i = 0; i < head->count; ++i) {
        struct tg_text rest = value_of(&head->fields[i]);

        if (head->kinds[i] != CONNECTION)
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

static bool goes_on(struct tg_response_head *head, size_t i, const char *session_cookie, const char *remember_cookie)
{
    switch ((enum kind)head->kinds[i]) {
    case GOES_ON:
    case LOCATION:
        return !head->names_fields || !named_by_connection(head, name_of(&head->fields[i]));
    case COOKIE:
        return !takes_cookie(head, value_of(&head->fields[i]), session_cookie, remember_cookie);
    default:
        return false;
    }
}

void tg_response_head_clear(struct tg_response_head *head, const char *session_cookie, const char *remember_cookie)
{
    bool keep[TG_RESPONSE_FIELDS];
    size_t kept = 0;

    for (size_t i = 0; i < head->count; ++i)
        keep[i] = goes_on(head, i, session_cookie, remember_cookie);
    for (size_t i = 0; i < head->count; ++i) {
        if (keep[i] && kept != i)
            head->fields[kept] = head->fields[i];
        kept += keep[i];
    }
    head->count = kept;
}
