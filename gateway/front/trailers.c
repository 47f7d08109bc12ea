/* trailers.c - see trailers.h */
#include "front/trailers.h"
#include "base/result.h"
#include "front/field_name.h"
#include "front/guard.h"
#include "front/request_head.h"

/* Besides what goes no further in the head of a request, either. */
static const char *const dropped[] = {
    "accept*",
    "access-control-*",
    "age",
    "alt-svc",
    "authentication-*",
    "authorization",
    "cache-control",
    "clear-site-data",
    "content-*",
    "cookie*",
    "date",
    "expires",
    "if-*",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "referrer-policy",
    "refresh",
    "retry-after",
    "set-cookie*",
    "strict-transport-security",
    "vary",
    "www-authenticate",
    "x-csrf-token",
    "x-gitea-*",
};

/* What is known only behind a body, in spite of its name (RFC 9530). */
static const char *const kept[] = {"content-digest", "content-md5"};

static bool is_one_of(struct tg_text name, const char *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        if (tg_field_is(name, patterns[i]))
            return true;
    return false;
}

bool tg_trailer_goes_on(struct tg_text name)
{
    if (tg_request_header_dropped(name) || tg_guard_header(name) != NULL)
        return false;
    return is_one_of(name, kept, tg_count(kept)) || !is_one_of(name, dropped, tg_count(dropped));
}

void tg_trailers_clear(h2o_headers_t *trailers, const h2o_headers_t *head)
{
    size_t count = 0;

    for (size_t i = 0; i < trailers->size; ++i) {
        struct tg_text name = tg_text_of(*trailers->entries[i].name);

        if (tg_trailer_goes_on(name) && !tg_named_by_connection(head->entries, head->size, name))
            trailers->entries[count++] = trailers->entries[i];
    }
    trailers->size = count;
}
