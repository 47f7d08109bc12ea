/*
 * oidc.c - the provider as a whole: its configuration, its endpoints, and the answers they share
 */
#include "oidc/oidc.h"
#include "base/clock.h"
#include "base/jose.h"
#include "base/json.h"
#include "base/result.h"
#include "http/error_page.h"
#include "oidc/provider.h"
#include "store/signing_key.h"
#include "subscription/refusal_page.h"

const struct tg_key tg_oidc_keys[] = {
    {"issuer", TG_URL, offsetof(struct tg_oidc_conf, issuer), .required = true, .example = "https://auth.example.net",
     .help = "the public address of the provider; never change it while somebody uses it"},
    {"code-ttl", TG_SECONDS, offsetof(struct tg_oidc_conf, code_ttl_s), .initial = "60", .min = 10, .max = 600,
     .help = "how long a code may wait to be redeemed"},
    {"token-ttl", TG_SECONDS, offsetof(struct tg_oidc_conf, token_ttl_s), .initial = "1h", .min = 60,
     .max = TG_SIGNING_LONGEST_TOKEN_S,
     .help = "how long access tokens and ID tokens are good for"},
    {NULL},
};

enum { FORM_LIMIT = 16 * 1024 };

const struct tg_endpoint tg_oidc_endpoints[] = {
    {"/.well-known/openid-configuration", TG_GET, tg_oidc_discovery, 0, TG_POOL_COLD},
    {"/.well-known/oauth-authorization-server", TG_GET, tg_oidc_discovery, 0, TG_POOL_COLD},
    {"/jwks", TG_GET, tg_oidc_jwks, 0, TG_POOL_COLD},
    {"/authorize", TG_GET | TG_POST, tg_oidc_authorize, FORM_LIMIT, TG_POOL_AUTHORIZE},
    {"/consent", TG_POST, tg_oidc_consent, FORM_LIMIT, TG_POOL_COLD},
    {"/notice", TG_POST, tg_oidc_notice, FORM_LIMIT, TG_POOL_AUTHORIZE},
    {"/end-session", TG_GET | TG_POST, tg_oidc_end_session, FORM_LIMIT, TG_POOL_COLD},
    {"/token", TG_POST, tg_oidc_token, FORM_LIMIT, TG_POOL_BACKCHANNEL},
    {"/userinfo", TG_GET | TG_POST, tg_oidc_userinfo, FORM_LIMIT, TG_POOL_BACKCHANNEL},
    {NULL},
};

const struct tg_endpoint tg_oidc_backchannel_endpoints[] = {
    {"/c/*/.well-known/openid-configuration", TG_GET, tg_oidc_client_discovery, 0, TG_POOL_BACKCHANNEL},
    {"/c/*/jwks", TG_GET, tg_oidc_jwks, 0, TG_POOL_BACKCHANNEL},
    {"/c/*/token", TG_POST, tg_oidc_token, FORM_LIMIT, TG_POOL_BACKCHANNEL},
    {"/c/*/userinfo", TG_GET | TG_POST, tg_oidc_userinfo, FORM_LIMIT, TG_POOL_BACKCHANNEL},
    {NULL},
};

int tg_oidc_new(const struct tg_oidc_options *options, struct tg_oidc **oidc)
{
    tg_try(tg_error_pages_check(options->templates));
    tg_try(tg_refusal_pages_check(options->templates));
    tg_try(tg_templates_check(options->templates, &tg_page_consent));
    tg_try(tg_templates_check(options->templates, &tg_page_end_session));
    tg_try(tg_templates_check(options->templates, &tg_page_session_ended));
    *oidc = tg_alloc(sizeof(**oidc));
    (*oidc)->options = *options;
    (*oidc)->keys = tg_key_cache_new();
    return 0;
}

void tg_oidc_free(struct tg_oidc *oidc)
{
    if (oidc == NULL)
        return;
    tg_key_cache_free(oidc->keys);
    free(oidc);
}

static int has_current_key(struct tg_store *store, const struct tg_keyring *ring, bool *has)
{
    struct tg_signing_key keys[TG_SIGNING_KEYS];
    size_t count = 0;

    *has = false;
    tg_try(tg_signing_key_list(store, ring, keys, TG_SIGNING_KEYS, &count));
    for (size_t i = 0; i < count; ++i) {
        *has = *has || keys[i].state == TG_SIGNING_CURRENT;
        tg_wipe(keys[i].pem);
    }
    return 0;
}

int tg_oidc_ensure_key(struct tg_store *store, const struct tg_keyring *ring)
{
    struct tg_signing_key key = {.state = TG_SIGNING_CURRENT, .created_s = tg_now_s()};
    bool has;

    tg_try(has_current_key(store, ring, &has));
    if (has)
        return 0;
    tg_try(tg_jose_make_key(&key.pem));
    int result = tg_jose_thumbprint(key.pem, key.kid);
    if (result == 0)
        result = tg_signing_key_add(store, ring, &key);
    tg_wipe(key.pem);
    return result == TG_SIGNING_KEY_EXISTS ? 0 : result; /* another generation was first */
}

int tg_oidc_show(struct tg_call *call, int status, const struct tg_page *page, const void *values)
{
    call->reply.status = status;
    call->reply.content_type = "text/html; charset=utf-8";
    call->reply.is_page = true;
    call->reply.body = tg_templates_fill(tg_oidc_of(call)->options.templates, page, values, &call->arena);
    return 0;
}

int tg_oidc_error_page(struct tg_call *call, enum tg_error_kind kind)
{
    struct tg_error_values values = {.reference = tg_text(call->id)};

    tg_error_page(tg_oidc_of(call)->options.templates, kind, &values, &call->arena, &call->reply);
    return 0;
}

int tg_oidc_see_other(struct tg_call *call, struct tg_text location)
{
    call->reply.status = 303; /* never 307: after a sign-in it would carry the password on (RFC 9700 4.12) */
    tg_reply_header(&call->reply, TG_TEXT("location"), tg_arena_text(&call->arena, location));
    return 0;
}

void tg_oidc_add_parameter(struct tg_string *url, const char *name, struct tg_text value)
{
    if (value.base == NULL)
        return;
    tg_string_addf(url, "%c%s=", memchr(url->base, '?', url->len) != NULL ? '&' : '?', name);
    tg_url_encode(url, value);
}

int tg_oidc_store(struct tg_call *call, struct tg_store **store)
{
    return tg_worker_store(call->worker, store);
}

int tg_oidc_json(struct tg_call *call, int status, json_t *json)
{
    TG_STRING text = {0};

    tg_json_add(&text, json);
    json_decref(json);
    call->reply.status = status;
    call->reply.content_type = "application/json";
    call->reply.body = tg_arena_text(&call->arena, tg_string_text(&text));
    tg_reply_header(&call->reply, TG_TEXT("pragma"), TG_TEXT("no-cache")); /* RFC 6749 5.1, beside the no-store of every reply */
    return 0;
}

int tg_oidc_error(struct tg_call *call, int status, const char *error, const char *description)
{
    return tg_oidc_json(call, status, json_pack("{s:s, s:s}", "error", error, "error_description", description));
}

int tg_oidc_document(struct tg_call *call, struct tg_text json)
{
    uint8_t digest[TG_DIGEST];
    char name[TG_TOKEN];

    tg_digest(json, digest);
    tg_base64url(digest, sizeof(digest), name);
    const char *etag = tg_arena_format(&call->arena, "\"%.22s\"", name);
    struct tg_text known = call->if_none_match;

    call->reply.cacheable = true;
    tg_reply_header(&call->reply, TG_TEXT("cache-control"), TG_TEXT("public, max-age=300"));
    tg_reply_header(&call->reply, TG_TEXT("etag"), tg_text(etag));
    tg_reply_header(&call->reply, TG_TEXT("access-control-allow-origin"), TG_TEXT("*"));
    if (known.base != NULL && (tg_text_is(known, "*") || memmem(known.base, known.len, etag, strlen(etag)) != NULL)) {
        call->reply.status = 304;
        return 0;
    }
    call->reply.status = 200;
    call->reply.content_type = "application/json";
    call->reply.body = tg_arena_text(&call->arena, json);
    return 0;
}
