/* request_head.c - see request_head.h */
#include "front/request_head.h"
#include "base/result.h"
#include "front/field_name.h"
#include "http/cookie.h"

/* By tg_field_is. Sorted by their first letter, for the eye. */
static const char *const dropped[] = {
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "front-end-https",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-*",
    "signature",
    "signature-input",
    "sudo",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "x-client-ip",
    "x-forwarded*",
    "x-gitea-internal-auth",
    "x-nuget-apikey",
    "x-ops-*",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
    "x-ssh-certificate",
    "x-url-scheme",
    "x-webauth-*",
};
static const char dropped_initials[] = "cefhkpstux"; /* all first letters of those: most names of a request have another one */

bool tg_request_header_dropped(struct tg_text name)
{
    char first = name.len != 0 ? name.base[0] | 0x20 : 0;

    if (first == 0 || memchr(dropped_initials, first, sizeof(dropped_initials) - 1) == NULL)
        return false;
    for (size_t i = 0; i < tg_count(dropped); ++i)
        if (dropped[i][0] == first && tg_field_is(name, dropped[i]))
            return true;
    return false;
}

/* A reader might decode, unquote or trim such a name before he compares it. */
static bool is_odd_name(struct tg_text name)
{
    for (size_t i = 0; i < name.len; ++i) {
        unsigned char c = (unsigned char)name.base[i];

        if (c <= ' ' || c == '"' || c == '%' || c == '\'' || c == '\\' || c == 0x7f)
            return true;
    }
    return false;
}

/* Ours are for us, Gitea's come out of ours. Plain names with another first letter are the rule: only what is left is decoded. */
static bool is_secret_cookie(const struct tg_request_head *head, struct tg_text name)
{
    static const char ours[] = "__Host-tg-";
    char first = name.len != 0 ? name.base[0] | 0x20 : 0;

    if (first != (ours[0] | 0x20) && first != (head->session_cookie[0] | 0x20) && first != (head->remember_cookie[0] | 0x20) &&
        !is_odd_name(name))
        return false;
    return tg_cookie_name_is(name, head->session_cookie) || tg_cookie_name_is(name, head->remember_cookie) ||
           (name.len >= sizeof(ours) - 1 && strncasecmp(name.base, ours, sizeof(ours) - 1) == 0);
}

static char *put(char *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

#define PUT_LITERAL(at, literal) put(at, literal, sizeof(literal) - 1)

size_t tg_request_cookies(const struct tg_request_head *head, struct tg_text field, char *out, size_t len)
{
    struct tg_text rest = field;

    while (rest.base != NULL) {
        struct tg_text pair = tg_text_trim(tg_text_cut(&rest, ';')), value = pair;
        struct tg_text name = tg_text_cut(&value, '=');

        if (pair.len == 0 || is_secret_cookie(head, name))
            continue;
        if (len != 0)
            len = (size_t)(PUT_LITERAL(out + len, "; ") - out);
        len = (size_t)(put(out + len, pair.base, pair.len) - out);
    }
    return len;
}

size_t tg_write_number(char *out, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    memcpy(out, digits + at, sizeof(digits) - at);
    return sizeof(digits) - at;
}

static char *put_text(char *at, struct tg_text text)
{
    return text.len != 0 ? put(at, text.base, text.len) : at;
}

/* Names in a Connection field make those headers hop-by-hop, too. Rare: browsers and git name none but keep-alive and close. */
bool tg_named_by_connection(const h2o_header_t *headers, size_t count, struct tg_text name)
{
    for (size_t i = 0; i < count; ++i) {
        struct tg_text rest = tg_text_of(headers[i].value);

        if (headers[i].name != &H2O_TOKEN_CONNECTION->buf)
            continue;
        while (rest.base != NULL) {
            struct tg_text item = tg_text_trim(tg_text_cut(&rest, ','));

            if (item.len == name.len && strncasecmp(item.base, name.base, name.len) == 0)
                return true;
        }
    }
    return false;
}

static bool names_headers(const struct tg_request_head *head)
{
    for (size_t i = 0; i < head->header_count; ++i) {
        struct tg_text value = tg_text_of(head->headers[i].value);

        if (head->headers[i].name == &H2O_TOKEN_CONNECTION->buf && !tg_text_is_nocase(value, "keep-alive") &&
            !tg_text_is_nocase(value, "close"))
            return true;
    }
    return false;
}

static bool goes_on(const struct tg_request_head *head, const h2o_header_t *header, bool look_at_connection)
{
    struct tg_text name = tg_text_of(*header->name);

    if (header->name == &H2O_TOKEN_COOKIE->buf || tg_text_is_nocase(name, "cookie"))
        return false; /* all of them are written as one field */
    if (header->name == &H2O_TOKEN_AUTHORIZATION->buf || tg_text_is_nocase(name, "authorization"))
        return head->keep_authorization;
    if (tg_request_header_dropped(name))
        return false;
    return !look_at_connection || !tg_named_by_connection(head->headers, head->header_count, name);
}

static char *put_cookies(const struct tg_request_head *head, char *at)
{
    char *start = at, *value;
    size_t len = 0;

    at = PUT_LITERAL(at, "Cookie: ");
    value = at;
    if (head->session.base != NULL) {
        at = put(at, head->session_cookie, strlen(head->session_cookie));
        *at++ = '=';
        at = put_text(at, head->session);
        len = (size_t)(at - value);
    }
    for (size_t i = 0; i < head->header_count; ++i)
        if (head->headers[i].name == &H2O_TOKEN_COOKIE->buf)
            len = tg_request_cookies(head, tg_text_of(head->headers[i].value), value, len);
    return len != 0 ? PUT_LITERAL(value + len, "\r\n") : start;
}

static char *put_framing(const struct tg_request_head *head, char *at)
{
    if (head->body == TG_BODY_CHUNKED)
        return PUT_LITERAL(at, "Transfer-Encoding: chunked\r\n");
    if (head->body == TG_BODY_NONE)
        return at;
    at = PUT_LITERAL(at, "Content-Length: ");
    at += tg_write_number(at, head->length);
    return PUT_LITERAL(at, "\r\n");
}

static size_t room_for(const struct tg_request_head *head)
{
    size_t room = 512 + head->method.len + head->target.len + 2 * head->authority.len + 2 * head->address.len + head->id.len +
                  head->session.len + strlen(head->session_cookie);

    for (size_t i = 0; i < head->header_count; ++i)
        room += head->headers[i].name->len + head->headers[i].value.len + 4;
    return room;
}

h2o_iovec_t tg_request_head_write(const struct tg_request_head *head, h2o_mem_pool_t *pool)
{
    char *start = h2o_mem_alloc_pool(pool, room_for(head)), *at = start;
    bool look_at_connection = names_headers(head);

    at = put_text(at, head->method);
    *at++ = ' ';
    at = put_text(at, head->target);
    at = PUT_LITERAL(at, " HTTP/1.1\r\n");
    at = put_text(PUT_LITERAL(at, "Host: "), head->authority);
    at = put_text(PUT_LITERAL(at, "\r\nX-Forwarded-For: "), head->address);
    at = put_text(PUT_LITERAL(at, "\r\nX-Real-IP: "), head->address);
    at = put_text(PUT_LITERAL(at, "\r\nX-Forwarded-Proto: "), tg_text(head->scheme));
    at = put_text(PUT_LITERAL(at, "\r\nX-Forwarded-Host: "), head->authority);
    at = put_text(PUT_LITERAL(at, "\r\nX-Request-ID: "), head->id);
    at = PUT_LITERAL(at, "\r\n");
    at = put_framing(head, at);
    if (head->keep_cookies)
        at = put_cookies(head, at);
    for (size_t i = 0; i < head->header_count; ++i) {
        const h2o_header_t *header = &head->headers[i];

        if (!goes_on(head, header, look_at_connection))
            continue;
        at = put(at, header->name->base, header->name->len);
        at = PUT_LITERAL(at, ": ");
        at = put_text(at, tg_text_of(header->value));
        at = PUT_LITERAL(at, "\r\n");
    }
    at = PUT_LITERAL(at, "\r\n");
    return h2o_iovec_init(start, (size_t)(at - start));
}
