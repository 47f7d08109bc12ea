/*
 * discovery.c - the provider's metadata (OpenID Connect Discovery 3, RFC 8414 2)
 *
 * On the back-channel each client has its own: the same issuer and sign-in page, but token, userinfo and keys at addresses that
 * browsers cannot reach and that serve this client only. Members whose default would lie are always there.
 */
#include "base/json.h"
#include "base/result.h"
#include "oidc/provider.h"

static json_t *texts(const char *const *list)
{
    json_t *array = json_array();

    for (; *list != NULL; ++list)
        json_array_append_new(array, json_string(*list));
    return array;
}

#define TEXTS(...) texts((const char *const[]){__VA_ARGS__, NULL})

static void add_addresses(json_t *metadata, struct tg_arena *arena, const char *issuer, const char *base)
{
    json_object_set_new(metadata, "issuer", json_string(issuer));
    json_object_set_new(metadata, "authorization_endpoint", json_string(tg_arena_format(arena, "%s/authorize", issuer)));
    json_object_set_new(metadata, "token_endpoint", json_string(tg_arena_format(arena, "%s/token", base)));
    json_object_set_new(metadata, "userinfo_endpoint", json_string(tg_arena_format(arena, "%s/userinfo", base)));
    json_object_set_new(metadata, "jwks_uri", json_string(tg_arena_format(arena, "%s/jwks", base)));
    json_object_set_new(metadata, "end_session_endpoint", json_string(tg_arena_format(arena, "%s/end-session", issuer)));
}

static void add_abilities(json_t *metadata)
{
    json_object_set_new(metadata, "scopes_supported", TEXTS("openid", "profile", "email", "groups"));
    json_object_set_new(metadata, "claims_supported",
                        TEXTS("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "name", "preferred_username",
                              "email", "email_verified", "groups"));
    json_object_set_new(metadata, "response_types_supported", TEXTS("code"));
    json_object_set_new(metadata, "response_modes_supported", TEXTS("query"));
    json_object_set_new(metadata, "grant_types_supported", TEXTS("authorization_code"));
    json_object_set_new(metadata, "subject_types_supported", TEXTS("public"));
    json_object_set_new(metadata, "id_token_signing_alg_values_supported", TEXTS("RS256"));
    json_object_set_new(metadata, "token_endpoint_auth_methods_supported",
                        TEXTS("client_secret_basic", "client_secret_post", "none"));
    json_object_set_new(metadata, "code_challenge_methods_supported", TEXTS("S256"));
    json_object_set_new(metadata, "authorization_response_iss_parameter_supported", json_true());
    json_object_set_new(metadata, "claims_parameter_supported", json_false());
    json_object_set_new(metadata, "request_parameter_supported", json_false());
    json_object_set_new(metadata, "request_uri_parameter_supported", json_false());
}

static int answer(struct tg_call *call, const char *base)
{
    TG_JSON *metadata = json_object();
    TG_STRING text = {0};

    add_addresses(metadata, &call->arena, tg_oidc_of(call)->options.conf->issuer, base);
    add_abilities(metadata);
    tg_json_add(&text, metadata);
    return tg_oidc_document(call, tg_string_text(&text));
}

int tg_oidc_discovery(struct tg_call *call)
{
    return answer(call, tg_oidc_of(call)->options.conf->issuer);
}

int tg_oidc_client_discovery(struct tg_call *call)
{
    struct tg_store *store;
    struct tg_client client;

    tg_try(tg_oidc_store(call, &store));
    if (tg_try(tg_client_find(store, call->tail, &client)) != 0)
        return tg_oidc_error(call, 404, "invalid_client", "there is no such client");
    return answer(call, tg_arena_format(&call->arena, "%s/c/%s", tg_oidc_of(call)->options.backchannel, client.id));
}
