#include "http/csrf.h"

#include "base/result.h"
#include "http/cookie.h"

enum { COOKIE_LEN = TG_TOKEN - 1 };

static const char set_cookie[] = "set-cookie";

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool is_ours(struct tg_text cookie)
{
    if (cookie.len != COOKIE_LEN)
        return false;
    for (size_t i = 0; i < cookie.len; i++) {
        if (!is_token_char(cookie.base[i]))
            return false;
    }
    return true;
}

/* The ring's keys seal; what signs here is derived from them, so that neither use weakens the other. */
static void sign(const uint8_t key[TG_KEY], struct tg_text cookie, char out[TG_BASE64(TG_DIGEST)])
{
    uint8_t derived[TG_DIGEST], signature[TG_DIGEST];

    tg_digest_keyed(key, TG_TEXT("teagate csrf key"), derived);
    tg_digest_keyed(derived, cookie, signature);
    tg_base64url(signature, sizeof(signature), out);
}

/* The cookie that this reply already sets; an endpoint may ask for a token twice. */
static struct tg_text cookie_on_reply(const struct tg_reply *reply)
{
    for (size_t i = 0; i < reply->header_count; i++) {
        struct tg_text rest = reply->headers[i].value, name, value;

        if (tg_text_is(reply->headers[i].name, set_cookie) && tg_cookie_next(&rest, &name, &value) &&
            tg_text_is(name, TG_CSRF_COOKIE))
            return value;
    }
    return (struct tg_text){NULL, 0};
}

static struct tg_text set_new_cookie(struct tg_call *call)
{
    char random[TG_TOKEN];
    struct tg_text cookie;

    tg_random_token(random);
    cookie = tg_arena_text(&call->arena, tg_text(random));
    tg_reply_header(&call->reply, tg_text(set_cookie), tg_text(tg_cookie_line(&call->arena, TG_CSRF_COOKIE, cookie, -1)));
    return cookie;
}

const char *tg_csrf_token(struct tg_call *call, const struct tg_keyring *ring)
{
    struct tg_text cookie = tg_cookie_only(call->cookie, TG_CSRF_COOKIE);
    char token[TG_BASE64(TG_DIGEST)];

    if (!is_ours(cookie))
        cookie = cookie_on_reply(&call->reply);
    if (cookie.base == NULL)
        cookie = set_new_cookie(call);
    sign(ring->keys[0].bytes, cookie, token);
    return tg_arena_copy(&call->arena, tg_text(token));
}

/* Browsers send "null" as the origin of a form on a page with Referrer-Policy: no-referrer, which all of ours are; that says nothing. */
static bool contradicts(const struct tg_call *call)
{
    if (call->origin.base != NULL && !tg_text_is(call->origin, "null") && !tg_text_is(call->origin, call->host->origin))
        return true;
    return call->sec_fetch_site.base != NULL && !tg_text_is(call->sec_fetch_site, "same-origin") &&
           !tg_text_is(call->sec_fetch_site, "none");
}

int tg_csrf_check(struct tg_call *call, const struct tg_keyring *ring, struct tg_text token)
{
    struct tg_text cookie = tg_cookie_only(call->cookie, TG_CSRF_COOKIE);
    char expected[TG_BASE64(TG_DIGEST)];

    if (contradicts(call) || !is_ours(cookie) || token.base == NULL)
        return TG_CSRF_REFUSED;
    for (size_t i = 0; i < ring->count; i++) {
        sign(ring->keys[i].bytes, cookie, expected);
        if (tg_same_secret_text(tg_text(expected), token))
            return 0;
    }
    return TG_CSRF_REFUSED;
}
