/*
 * claims.c - what tokens and userinfo say about somebody (OpenID Connect Core 2, 5.1, 5.4)
 */
#include <stdio.h>
#include "base/result.h"
#include "oidc/provider.h"

#define GROUP_OF_OPERATORS "teagate-operators"

static const char *const known_scopes[] = {"openid", "profile", "email", "groups"};

bool tg_scope_has(struct tg_text list, const char *name)
{
    while (list.base != NULL) {
        if (tg_text_is(tg_text_cut(&list, ' '), name))
            return true;
    }
    return false;
}

void tg_scope_granted(const struct tg_client *client, struct tg_text asked, char out[TG_SCOPE])
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < tg_count(known_scopes); ++i) {
        if (tg_scope_has(asked, known_scopes[i]) &&
            (client->scope[0] == '\0' || tg_scope_has(tg_text(client->scope), known_scopes[i])))
            len += (size_t)snprintf(out + len, TG_SCOPE - len, "%s%s", len > 0 ? " " : "", known_scopes[i]);
    }
}

/* at_hash binds the access token to the ID token (Core 3.1.3.6): half of its SHA-256. */
static void hash_access_token(const char *token, char out[TG_TOKEN])
{
    uint8_t digest[TG_DIGEST];

    tg_digest(tg_text(token), digest);
    tg_base64url(digest, TG_DIGEST / 2, out);
}

json_t *tg_claims_id(const struct tg_id_claims *claims)
{
    char at_hash[TG_TOKEN];
    json_t *json;

    hash_access_token(claims->access_token, at_hash);
    json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "iss", claims->issuer, "sub", claims->subject, "aud", claims->client,
                     "exp", (json_int_t)claims->expires_s, "iat", (json_int_t)claims->issued_s, "auth_time",
                     (json_int_t)claims->auth_time_s, "at_hash", at_hash);
    if (claims->nonce[0] != '\0')
        json_object_set_new(json, "nonce", json_string(claims->nonce));
    return json;
}

json_t *tg_claims_user(const struct tg_account *account, const char *scope)
{
    struct tg_text scopes = tg_text(scope);
    json_t *json = json_pack("{s:s}", "sub", account->sub);

    if (tg_scope_has(scopes, "profile")) {
        json_object_set_new(json, "preferred_username", json_string(account->login));
        if (account->full_name[0] != '\0')
            json_object_set_new(json, "name", json_string(account->full_name));
    }
    if (tg_scope_has(scopes, "email") && account->email[0] != '\0') {
        json_object_set_new(json, "email", json_string(account->email));
        json_object_set_new(json, "email_verified", json_true()); /* addresses are entered by the operator */
    }
    if (tg_scope_has(scopes, "groups")) {
        json_t *groups = json_array();
        if (account->is_operator)
            json_array_append_new(groups, json_string(GROUP_OF_OPERATORS));
        json_object_set_new(json, "groups", groups);
    }
    return json;
}
