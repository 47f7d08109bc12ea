/*
 * authorize_request.c - what the authorization endpoint is asked, and its answers at the client's address
 *
 * Client and address first: until both are known to belong together nothing is sent anywhere (RFC 6749 3.1.2.4, RFC 9700 4.11).
 */
#include "base/result.h"
#include "http/form.h"
#include "oidc/authorize.h"

enum { STATE_LIMIT = 2048 };

#define FIELD(name, limit_) {#name, offsetof(struct tg_authorize, name), .limit = (limit_)}

/* In three readings, because each decides where the next one's errors go: to a page, to the client without state, to the
   client. */
static const struct tg_field target_fields[] = {FIELD(client_id, 64), FIELD(redirect_uri, TG_REDIRECT_URI - 1), {NULL}};
static const struct tg_field state_fields[] = {FIELD(state, STATE_LIMIT), {NULL}};
static const struct tg_field other_fields[] = {
    FIELD(response_type, 64),
    FIELD(response_mode, 64),
    FIELD(scope, 512),
    FIELD(nonce, TG_NONCE - 1),
    FIELD(prompt, 128),
    FIELD(max_age, 16),
    FIELD(code_challenge, TG_CHALLENGE - 1),
    FIELD(code_challenge_method, 16),
    FIELD(request, 8192),
    FIELD(request_uri, 2048),
    FIELD(registration, 8192),
    FIELD(display, 64),
    FIELD(ui_locales, 256),
    FIELD(claims_locales, 256),
    FIELD(acr_values, 512),
    FIELD(claims, 4096),
    FIELD(id_token_hint, 4096),
    FIELD(login_hint, 512),
    {NULL},
};

const char *tg_authorize_error_url(struct tg_call *call, const struct tg_authorize *request, const char *error,
                                   const char *description)
{
    TG_STRING location = {0};

    tg_string_add(&location, request->redirect_uri);
    tg_oidc_add_parameter(&location, "error", tg_text(error));
    tg_oidc_add_parameter(&location, "error_description", tg_text(description));
    tg_oidc_add_parameter(&location, "state", request->state);
    tg_oidc_add_parameter(&location, "iss", tg_text(tg_oidc_of(call)->options.conf->issuer));
    return tg_arena_copy(&call->arena, tg_string_text(&location));
}

int tg_authorize_error(struct tg_call *call, const struct tg_authorize *request, const char *error, const char *description)
{
    tg_oidc_see_other(call, tg_text(tg_authorize_error_url(call, request, error, description)));
    return TG_AUTHORIZE_REPLIED;
}

void tg_authorize_redirect(struct tg_call *call, const struct tg_authorize *request, struct tg_text code)
{
    TG_STRING location = {0};

    tg_string_add(&location, request->redirect_uri);
    tg_oidc_add_parameter(&location, "code", code);
    tg_oidc_add_parameter(&location, "state", request->state);
    tg_oidc_add_parameter(&location, "iss", tg_text(tg_oidc_of(call)->options.conf->issuer));
    tg_oidc_see_other(call, tg_string_text(&location));
}

static void add_fields(struct tg_string *url, const struct tg_field *fields, const struct tg_authorize *request)
{
    for (; fields->name != NULL; ++fields) {
        if (strcmp(fields->name, "prompt") != 0 && strcmp(fields->name, "max_age") != 0)
            tg_oidc_add_parameter(url, fields->name, *(const struct tg_text *)((const char *)request + fields->offset));
    }
}

void tg_authorize_again(struct tg_string *url, const struct tg_authorize *request)
{
    tg_string_add(url, TG_TEXT("/authorize"));
    add_fields(url, target_fields, request);
    add_fields(url, state_fields, request);
    add_fields(url, other_fields, request);
}

void tg_authorize_sign_in(struct tg_call *call, const struct tg_authorize *request)
{
    TG_STRING back = {0};
    TG_STRING location = {0};

    tg_authorize_again(&back, request);
    if (request->ask_consent) /* that has yet to be done */
        tg_oidc_add_parameter(&back, "prompt", TG_TEXT("consent"));
    tg_string_add(&location, TG_TEXT("/sign-in"));
    tg_oidc_add_parameter(&location, "next", tg_string_text(&back));
    tg_oidc_see_other(call, tg_string_text(&location));
}

static int refuse_here(struct tg_call *call, enum tg_error_kind kind)
{
    tg_oidc_error_page(call, kind);
    return TG_AUTHORIZE_REPLIED;
}

static int read_target(struct tg_call *call, struct tg_text parameters, struct tg_authorize *request)
{
    struct tg_store *store;

    if (tg_form_read(&call->arena, parameters, target_fields, request, NULL) != 0)
        return refuse_here(call, TG_ERROR_BAD_REQUEST);
    tg_try(tg_oidc_store(call, &store));
    if (request->client_id.base == NULL || tg_try(tg_client_find(store, request->client_id, &request->client)) != 0)
        return refuse_here(call, TG_ERROR_UNKNOWN_CLIENT);
    if (request->redirect_uri.base == NULL || !tg_redirect_listed(request->client.redirect_uri, request->redirect_uri))
        return refuse_here(call, TG_ERROR_FOREIGN_REDIRECT);
    return 0;
}

static bool printable(struct tg_text text)
{
    for (size_t i = 0; i < text.len; ++i) {
        if (text.base[i] < ' ' || text.base[i] > '~')
            return false;
    }
    return true;
}

/* What we do not do is refused by its own name, never silently left out (Core 3.1.2.6, RFC 6749 4.1.2.1). */
static int check_abilities(struct tg_call *call, const struct tg_authorize *request)
{
    if (request->request.base != NULL)
        return tg_authorize_error(call, request, "request_not_supported", "request objects are not supported");
    if (request->request_uri.base != NULL)
        return tg_authorize_error(call, request, "request_uri_not_supported", "request_uri is not supported");
    if (request->registration.base != NULL)
        return tg_authorize_error(call, request, "registration_not_supported", "registration is not supported");
    if (request->response_type.base == NULL)
        return tg_authorize_error(call, request, "invalid_request", "response_type is missing");
    if (!tg_text_is(request->response_type, "code"))
        return tg_authorize_error(call, request, "unsupported_response_type", "only the response type code is supported");
    if (request->response_mode.base != NULL && !tg_text_is(request->response_mode, "query"))
        return tg_authorize_error(call, request, "invalid_request", "only the response mode query is supported");
    return 0;
}

/* PKCE (RFC 7636 4.2, 4.3): when it is used at all, it is S256; a client without a secret has to use it (RFC 9700 2.1.1). */
static int check_challenge(struct tg_call *call, const struct tg_authorize *request)
{
    struct tg_text challenge = request->code_challenge;

    if (challenge.base == NULL && request->code_challenge_method.base == NULL && !request->client.is_public)
        return 0;
    if (challenge.base == NULL)
        return tg_authorize_error(call, request, "invalid_request", "code_challenge is missing");
    if (!tg_text_is(request->code_challenge_method, "S256"))
        return tg_authorize_error(call, request, "invalid_request", "code_challenge_method must be S256");
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    bool fits = challenge.len >= 43 && challenge.len <= 128;
    for (size_t i = 0; i < challenge.len && fits; ++i)
        fits = challenge.base[i] != '\0' && strchr(unreserved, challenge.base[i]) != NULL;
    return fits ? 0 : tg_authorize_error(call, request, "invalid_request", "code_challenge is malformed");
}

static int check_rest(struct tg_call *call, struct tg_authorize *request)
{
    if (!printable(request->scope) || !tg_scope_has(request->scope, "openid"))
        return tg_authorize_error(call, request, "invalid_scope", "the scope must contain openid");
    if (!printable(request->nonce))
        return tg_authorize_error(call, request, "invalid_request", "nonce is malformed");
    request->silent = tg_text_is(request->prompt, "none");
    if (!request->silent && tg_scope_has(request->prompt, "none"))
        return tg_authorize_error(call, request, "invalid_request", "prompt none goes with no other value");
    request->again = tg_scope_has(request->prompt, "login") || tg_scope_has(request->prompt, "select_account");
    request->ask_consent = tg_scope_has(request->prompt, "consent");
    request->max_age_s = UINT64_MAX;
    if (request->max_age.base != NULL && !tg_text_number(request->max_age, &request->max_age_s))
        return tg_authorize_error(call, request, "invalid_request", "max_age is not a number");
    return check_challenge(call, request);
}

int tg_authorize_read(struct tg_call *call, struct tg_text parameters, struct tg_authorize *request)
{
    const char *name;
    int answer = tg_try(read_target(call, parameters, request));

    if (answer != 0)
        return answer;
    if (tg_form_read(&call->arena, parameters, state_fields, request, NULL) != 0) {
        request->state = (struct tg_text){NULL, 0};
        return tg_authorize_error(call, request, "invalid_request", "state is given twice or too long");
    }
    answer = tg_form_read(&call->arena, parameters, other_fields, request, &name);
    if (answer != 0) {
        const char *what = answer == TG_FORM_REPEATED ? "is given twice" : "is malformed or too long";
        return tg_authorize_error(call, request, "invalid_request",
                                  tg_arena_format(&call->arena, "%s %s", name != NULL ? name : "the request", what));
    }
    answer = check_abilities(call, request);
    return answer != 0 ? answer : check_rest(call, request);
}
