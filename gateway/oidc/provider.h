/*
 * provider.h - what the endpoints of the provider share; inside oidc/ only
 */
#ifndef TG_OIDC_PROVIDER_H
#define TG_OIDC_PROVIDER_H

#include <jansson.h>
#include "http/error_page.h"
#include "oidc/oidc.h"
#include "store/client.h"
#include "store/grant.h"
#include "store/signing_key.h"
#include "store/worker.h"

struct tg_oidc {
    struct tg_oidc_options options;
    struct tg_key_cache *keys;
};

/* The call's own: its provider, its store (negative when that cannot be opened). */
static inline const struct tg_oidc *tg_oidc_of(const struct tg_call *call)
{
    return call->context;
}
int tg_oidc_store(struct tg_call *call, struct tg_store **store);

/* Whether the client stands in the path (/c/CLIENT_ID/...), as it does on the back-channel. */
static inline bool tg_oidc_is_backchannel(const struct tg_call *call)
{
    return call->tail.base != NULL;
}

/*
 * The signing keys as they were a few seconds ago at the most; shared by all threads, freed with their last user.
 */
struct tg_key_set {
    int references;
    int64_t read_ms;
    char kid[TG_TOKEN];    /* of the key that signs */
    char *pem;
    char *others[TG_SIGNING_KEYS];
    size_t other_count;
    char *jwks;            /* the JWK set (RFC 7517 5) */
};
struct tg_key_cache *tg_key_cache_new(void);
void tg_key_cache_free(struct tg_key_cache *cache);
int tg_key_cache_hold(struct tg_key_cache *cache, struct tg_store *store, const struct tg_keyring *ring, struct tg_key_set **set);
void tg_key_set_release(struct tg_key_cache *cache, struct tg_key_set *set);

/*
 * An ID token of ours that a client shows again (OpenID Connect Core 3.1.2.1, RP-Initiated Logout 2): signed by a key that we
 * still publish, for a client that we know. It may have expired. FOREIGN: anything else.
 */
enum { TG_HINT_FOREIGN = 1 };
struct tg_hint {
    struct tg_text subject;
    struct tg_client client;
};
int tg_oidc_hint(struct tg_call *call, struct tg_text token, struct tg_hint *hint);

/* Answers. Documents may be kept by anybody for a while (ETag, CORS); everything else is not kept. */
int tg_oidc_document(struct tg_call *call, struct tg_text json);
int tg_oidc_json(struct tg_call *call, int status, json_t *json);                                       /* takes the reference */
int tg_oidc_error(struct tg_call *call, int status, const char *error, const char *description);        /* RFC 6749 5.2 */

/*
 * Client authentication (RFC 6749 2.3.1): Basic with form-encoded id and secret, or both in the body; a public client sends its
 * id alone. Touches nothing else. MALFORMED: two methods at once; FAILED: unknown client, wrong secret, or a secret from a client
 * that has none, not told apart.
 */
enum { TG_CLIENT_AUTH_FAILED = 1, TG_CLIENT_AUTH_MALFORMED = 2 };
int tg_oidc_client_auth(struct tg_call *call, struct tg_text body_id, struct tg_text body_secret, struct tg_client *client);

/* Scopes: whether a list has one, and the known ones of what was asked and the client may ask for, in our order. */
bool tg_scope_has(struct tg_text list, const char *name);
void tg_scope_granted(const struct tg_client *client, struct tg_text asked, char out[TG_SCOPE]);

/* Claims; new references. The ID token has only what OpenID Connect Core 2 requires, the user's data is in userinfo (5.4). */
struct tg_id_claims {
    const char *issuer, *subject, *client, *nonce /* "" : none */, *access_token;
    int64_t auth_time_s, issued_s, expires_s;
};
json_t *tg_claims_id(const struct tg_id_claims *claims);
json_t *tg_claims_user(const struct tg_account *account, const char *scope);

/* Pages: one of ours, one of an error, and a 303 to somewhere else. Always 0. */
int tg_oidc_show(struct tg_call *call, int status, const struct tg_page *page, const void *values);
int tg_oidc_error_page(struct tg_call *call, enum tg_error_kind kind);
int tg_oidc_see_other(struct tg_call *call, struct tg_text location);

/* "?name=value" or "&name=value" behind an address; nothing when the value is absent. */
void tg_oidc_add_parameter(struct tg_string *url, const char *name, struct tg_text value);

/* The endpoints, one a file. */
int tg_oidc_discovery(struct tg_call *call);
int tg_oidc_client_discovery(struct tg_call *call);
int tg_oidc_jwks(struct tg_call *call);
int tg_oidc_authorize(struct tg_call *call);
int tg_oidc_consent(struct tg_call *call);
int tg_oidc_notice(struct tg_call *call);
int tg_oidc_token(struct tg_call *call);
int tg_oidc_userinfo(struct tg_call *call);
int tg_oidc_end_session(struct tg_call *call);

extern const struct tg_page tg_page_consent, tg_page_end_session, tg_page_session_ended;

#endif
