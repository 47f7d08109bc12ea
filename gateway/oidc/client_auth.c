/*
 * client_auth.c - which client is this, and can it prove it? (RFC 6749 2.3.1)
 */
#include "base/result.h"
#include "oidc/provider.h"

enum { BASIC_LIMIT = 2048 };

struct credentials {
    struct tg_text id, secret;
};

/* "Basic" base64(form-encoded id ":" form-encoded secret). Another scheme, or nonsense, is a failed attempt. */
static int read_basic(struct tg_call *call, struct credentials *out)
{
    struct tg_text rest = call->authorization;
    struct tg_text scheme = tg_text_cut(&rest, ' ');
    char *plain = tg_arena_alloc(&call->arena, BASIC_LIMIT);
    size_t len;

    if (!tg_text_is_nocase(scheme, "basic") || rest.base == NULL)
        return TG_CLIENT_AUTH_FAILED;
    if (tg_base64_decode(tg_text_trim(rest), plain, BASIC_LIMIT, &len) != 0)
        return TG_CLIENT_AUTH_FAILED;
    struct tg_text secret = tg_text_n(plain, len);
    struct tg_text id = tg_text_cut(&secret, ':');
    if (secret.base == NULL || tg_url_decode(&call->arena, id, true, &out->id) != 0 ||
        tg_url_decode(&call->arena, secret, true, &out->secret) != 0)
        return TG_CLIENT_AUTH_FAILED;
    return 0;
}

/* A client without a secret has nothing to show here; that the code is its own it proves by the verifier (RFC 7636). */
static int find_public(struct tg_store *store, struct tg_text id, struct tg_client *client)
{
    return tg_try(tg_client_find(store, id, client)) == 0 && client->is_public ? 0 : TG_CLIENT_AUTH_FAILED;
}

/* Reads the store and hashes also for a client that is not there, so that both ways take the same time. */
static int verify(struct tg_store *store, const struct credentials *credentials, struct tg_client *client)
{
    static const uint8_t nobody[TG_DIGEST];
    uint8_t digest[TG_DIGEST];
    bool known = tg_try(tg_client_find(store, credentials->id, client)) == 0;

    tg_digest(credentials->secret, digest);
    bool same = tg_same_secret(digest, known ? client->secret_digest : nobody, TG_DIGEST);
    return known && same && !client->is_public ? 0 : TG_CLIENT_AUTH_FAILED;
}

int tg_oidc_client_auth(struct tg_call *call, struct tg_text body_id, struct tg_text body_secret, struct tg_client *client)
{
    struct credentials credentials = {body_id, body_secret};
    struct tg_store *store;

    if (call->authorization_count > 1)
        return TG_CLIENT_AUTH_MALFORMED;
    if (call->authorization.base != NULL) {
        if (body_secret.base != NULL)
            return TG_CLIENT_AUTH_MALFORMED;
        if (read_basic(call, &credentials) != 0)
            return TG_CLIENT_AUTH_FAILED;
        if (body_id.base != NULL && !tg_text_same(body_id, credentials.id))
            return TG_CLIENT_AUTH_MALFORMED;
    }
    if (credentials.id.base == NULL)
        return TG_CLIENT_AUTH_FAILED;
    if (tg_oidc_is_backchannel(call) && !tg_text_same(credentials.id, call->tail))
        return TG_CLIENT_AUTH_FAILED;
    tg_try(tg_oidc_store(call, &store));
    if (credentials.secret.base == NULL)
        return find_public(store, credentials.id, client);
    return verify(store, &credentials, client);
}
