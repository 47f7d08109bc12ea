/*
 * userinfo.c - what a client may know about somebody (OpenID Connect Core 5.3, RFC 6750)
 */
#include "base/clock.h"
#include "base/result.h"
#include "http/form.h"
#include "oidc/provider.h"

struct userinfo_form {
    struct tg_text access_token;
};

static const struct tg_field form_fields[] = {
    {"access_token", offsetof(struct userinfo_form, access_token), .limit = 256},
    {NULL},
};

enum { TOKEN_LEN = TG_TOKEN - 1, REPLIED = 1 };

/* RFC 6750 3: who sends no token is not told that something is wrong with it. */
static int challenge(struct tg_call *call, int status, const char *error, const char *description)
{
    const char *value = "Bearer realm=\"teagate\"";

    if (error != NULL)
        value = tg_arena_format(&call->arena, "Bearer realm=\"teagate\", error=\"%s\", error_description=\"%s\"", error,
                                description);
    tg_reply_header(&call->reply, TG_TEXT("www-authenticate"), tg_text(value));
    call->reply.status = status;
    if (error != NULL)
        tg_try(tg_oidc_error(call, status, error, description));
    return REPLIED;
}

static int read_header(struct tg_call *call, struct tg_text *token)
{
    struct tg_text rest = call->authorization;
    struct tg_text scheme = tg_text_cut(&rest, ' ');

    if (call->authorization.base == NULL)
        return 0;
    if (!tg_text_is_nocase(scheme, "bearer")) /* another scheme: as if there were none */
        return 0;
    *token = tg_text_trim(rest);
    if (token->base == NULL || token->len == 0)
        return challenge(call, 400, "invalid_request", "the token is missing");
    return 0;
}

/* Exactly one token, in the header or in a posted form, never in the address (RFC 9700 4.3.2). */
static int read_token(struct tg_call *call, struct tg_text *token)
{
    struct userinfo_form query = {0}, form = {0};
    int answer;

    *token = (struct tg_text){NULL, 0};
    if (call->authorization_count > 1)
        return challenge(call, 400, "invalid_request", "there are two tokens");
    answer = tg_try(read_header(call, token));
    if (answer != 0)
        return answer;
    if (tg_form_read(&call->arena, call->query, form_fields, &query, NULL) != 0 || query.access_token.base != NULL)
        return challenge(call, 400, "invalid_request", "a token does not belong into an address");
    if (tg_text_is(call->method, "POST") && tg_form_is_type(call->content_type) &&
        tg_form_read(&call->arena, call->body, form_fields, &form, NULL) != 0)
        return challenge(call, 400, "invalid_request", "the body is malformed");
    if (form.access_token.base != NULL && token->base != NULL)
        return challenge(call, 400, "invalid_request", "there are two tokens");
    if (form.access_token.base != NULL)
        *token = form.access_token;
    if (token->base == NULL)
        return challenge(call, 401, NULL, NULL);
    return 0;
}

static int find_access(struct tg_call *call, struct tg_store *store, struct tg_text token, struct tg_access *access)
{
    if (token.len != TOKEN_LEN || tg_try(tg_access_find(store, token, tg_now_s(), access)) != 0)
        return challenge(call, 401, "invalid_token", "the token is unknown or expired");
    if (tg_oidc_is_backchannel(call) && !tg_text_is(call->tail, access->client))
        return challenge(call, 401, "invalid_token", "the token is another client's");
    if (!tg_scope_has(tg_text(access->scope), "openid"))
        return challenge(call, 403, "insufficient_scope", "the scope openid is needed");
    return 0;
}

int tg_oidc_userinfo(struct tg_call *call)
{
    struct tg_store *store;
    struct tg_text token;
    struct tg_access access;
    struct tg_account account;

    if (tg_try(read_token(call, &token)) != 0)
        return 0;
    tg_try(tg_oidc_store(call, &store));
    if (tg_try(find_access(call, store, token, &access)) != 0)
        return 0;
    if (tg_try(tg_account_find(store, access.account, &account)) != 0 || account.locked) {
        tg_try(challenge(call, 401, "invalid_token", "the account is closed"));
        return 0;
    }
    return tg_oidc_json(call, 200, tg_claims_user(&account, access.scope));
}
