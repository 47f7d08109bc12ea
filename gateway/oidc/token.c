/*
 * token.c - the token endpoint (RFC 6749 3.2, OpenID Connect Core 3.1.3): a code becomes an access token and an ID token
 */
#include "base/clock.h"
#include "base/jose.h"
#include "base/result.h"
#include "http/form.h"
#include "oidc/provider.h"

struct token_form {
    struct tg_text grant_type, code, redirect_uri, code_verifier, client_id, client_secret;
    struct tg_text scope, refresh_token, client_assertion, client_assertion_type; /* not used; a second one is noticed */
};

#define FIELD(name, limit_) {#name, offsetof(struct token_form, name), .limit = (limit_)}

static const struct tg_field form_fields[] = {
    FIELD(grant_type, 128),
    FIELD(code, 256),
    FIELD(redirect_uri, 2048),
    FIELD(code_verifier, 1024),
    FIELD(client_id, 256),
    FIELD(client_secret, 1024),
    FIELD(scope, 1024),
    FIELD(refresh_token, 1024),
    FIELD(client_assertion, 8192),
    FIELD(client_assertion_type, 256),
    {NULL},
};

enum { CODE_LEN = TG_TOKEN - 1, REPLIED = 1 };

static int refuse(struct tg_call *call, int status, const char *error, const char *description)
{
    tg_try(tg_oidc_error(call, status, error, description));
    return REPLIED;
}

static int read_form(struct tg_call *call, struct token_form *form)
{
    const char *name;

    if (!tg_form_is_type(call->content_type))
        return refuse(call, 400, "invalid_request", "the body must be application/x-www-form-urlencoded");
    if (call->query.len > 0) /* credentials in an address end up in logs (RFC 6749 2.3.1) */
        return refuse(call, 400, "invalid_request", "parameters belong into the body");
    int answer = tg_form_read(&call->arena, call->body, form_fields, form, &name);
    if (answer == TG_FORM_REPEATED)
        return refuse(call, 400, "invalid_request", tg_arena_format(&call->arena, "%s is given twice", name));
    if (answer != 0)
        return refuse(call, 400, "invalid_request", "the body is malformed");
    return 0;
}

static int authenticate(struct tg_call *call, const struct token_form *form, struct tg_client *client)
{
    switch (tg_try(tg_oidc_client_auth(call, form->client_id, form->client_secret, client))) {
    case 0:
        return 0;
    case TG_CLIENT_AUTH_MALFORMED:
        return refuse(call, 400, "invalid_request", "the client authenticates in two ways at once");
    default:
        if (call->authorization.base != NULL)
            tg_reply_header(&call->reply, TG_TEXT("www-authenticate"), TG_TEXT("Basic realm=\"teagate\""));
        return refuse(call, 401, "invalid_client", "the client is unknown or its secret is wrong");
    }
}

/* RFC 7636 4.6. A verifier without a challenge is refused as well: somebody stripped the challenge (RFC 9700 4.8.2). */
static bool proves_key(const struct token_form *form, const struct tg_grant *grant)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    struct tg_text verifier = form->code_verifier;
    uint8_t digest[TG_DIGEST];
    char challenge[TG_TOKEN];

    if (grant->challenge[0] == '\0')
        return verifier.base == NULL;
    if (verifier.base == NULL || verifier.len < 43 || verifier.len > 128)
        return false;
    for (size_t i = 0; i < verifier.len; ++i) {
        if (verifier.base[i] == '\0' || strchr(unreserved, verifier.base[i]) == NULL)
            return false;
    }
    tg_digest(verifier, digest);
    tg_base64url(digest, sizeof(digest), challenge);
    return tg_same_secret_text(tg_text(challenge), tg_text(grant->challenge));
}

static int sign_id_token(struct tg_call *call, struct tg_store *store, const struct tg_id_claims *claims, char **token)
{
    const struct tg_oidc *oidc = tg_oidc_of(call);
    json_t *json = tg_claims_id(claims);
    struct tg_key_set *set;

    int result = tg_key_cache_hold(oidc->keys, store, oidc->options.ring, &set);
    if (result == 0) {
        result = tg_jose_sign(set->pem, set->kid, "JWT", json, token);
        tg_key_set_release(oidc->keys, set);
    }
    json_decref(json);
    return result;
}

/* Signs before it keeps the access token: whatever fails, nothing is left that nobody has. */
static int answer_tokens(struct tg_call *call, struct tg_store *store, const struct token_form *form,
                         const struct tg_grant *grant, const struct tg_account *account)
{
    const struct tg_oidc_conf *conf = tg_oidc_of(call)->options.conf;
    int64_t now_s = tg_now_s();
    struct tg_access access = {.expires_s = now_s + conf->token_ttl_s};
    char token[TG_TOKEN];
    TG_FREED char *id_token = NULL;

    memcpy(access.client, grant->client, sizeof(access.client));
    memcpy(access.account, grant->account, sizeof(access.account));
    memcpy(access.scope, grant->scope, sizeof(access.scope));
    tg_random_token(token);
    struct tg_id_claims claims = {
        .issuer = conf->issuer,
        .subject = account->sub,
        .client = grant->client,
        .nonce = grant->nonce,
        .access_token = token,
        .auth_time_s = grant->auth_time_s,
        .issued_s = now_s,
        .expires_s = access.expires_s,
    };
    tg_try(sign_id_token(call, store, &claims, &id_token));
    tg_try(tg_access_add(store, tg_text(token), form->code, &access));
    return tg_oidc_json(call, 200,
                        json_pack("{s:s, s:s, s:I, s:s, s:s}", "access_token", token, "token_type", "Bearer", "expires_in",
                                  (json_int_t)conf->token_ttl_s, "id_token", id_token, "scope", grant->scope));
}

/* Takes the code; REPLIED when it is not this client's to redeem, or somebody else's account is behind it by now. */
static int take_code(struct tg_call *call, struct tg_store *store, const struct token_form *form, const struct tg_client *client,
                     struct tg_grant *grant)
{
    if (form->code.len != CODE_LEN || tg_try(tg_grant_take(store, form->code, client->id, grant)) != 0)
        return refuse(call, 400, "invalid_grant", "the code is unknown, expired, used, or another client's");
    if (!tg_text_is(form->redirect_uri, grant->redirect_uri))
        return refuse(call, 400, "invalid_grant", "redirect_uri is not the one of the authorization request");
    if (!proves_key(form, grant) || (client->is_public && grant->challenge[0] == '\0'))
        return refuse(call, 400, "invalid_grant", "code_verifier does not fit");
    return 0;
}

static int redeem_code(struct tg_call *call, const struct token_form *form, const struct tg_client *client)
{
    struct tg_store *store;
    struct tg_grant grant;
    struct tg_account account;

    if (form->code.base == NULL)
        return tg_oidc_error(call, 400, "invalid_request", "code is missing");
    if (form->redirect_uri.base == NULL)
        return tg_oidc_error(call, 400, "invalid_grant", "redirect_uri is missing");
    tg_try(tg_oidc_store(call, &store));
    if (tg_try(take_code(call, store, form, client, &grant)) != 0)
        return 0;
    if (tg_try(tg_account_find(store, grant.account, &account)) != 0 || account.locked)
        return tg_oidc_error(call, 400, "invalid_grant", "the account is closed");
    if (tg_try(tg_grant_session(store, &grant, account.session_epoch)) != 0)
        return tg_oidc_error(call, 400, "invalid_grant", "the session behind the code has ended");
    return answer_tokens(call, store, form, &grant, &account);
}

int tg_oidc_token(struct tg_call *call)
{
    struct token_form form;
    struct tg_client client;

    if (tg_try(read_form(call, &form)) != 0)
        return 0;
    if (tg_try(authenticate(call, &form, &client)) != 0) /* before the code is touched: clients try again in another way */
        return 0;
    if (form.grant_type.base == NULL)
        return tg_oidc_error(call, 400, "invalid_request", "grant_type is missing");
    if (!tg_text_is(form.grant_type, "authorization_code"))
        return tg_oidc_error(call, 400, "unsupported_grant_type", "only authorization_code is supported");
    return redeem_code(call, &form, &client);
}
