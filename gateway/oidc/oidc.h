/*
 * oidc.h - the OAuth 2.0 / OpenID Connect provider: its endpoints, for site.c
 *
 * One endpoint per file, each a plain blocking function. The authorization endpoint lives on the provider's public host;
 * discovery, token, userinfo and JWKS also, per client, on the back-channel listener under /c/CLIENT_ID/.
 */
#ifndef TG_OIDC_OIDC_H
#define TG_OIDC_OIDC_H

#include "base/secret.h"
#include "gitea/gitea_conf.h"
#include "http/call.h"
#include "http/template.h"
#include "store/session.h"
#include "subscription/standing.h"

/* Keys of the section `oidc`. */
struct tg_oidc_conf {
    const char *issuer;            /* "https://auth.example.net": the provider's public address */
    int64_t code_ttl_s;            /* 60 */
    int64_t token_ttl_s;           /* of access and ID tokens: 3600 */
};
extern const struct tg_key tg_oidc_keys[];

/*
 * Who is signed in at the provider: answers 0 with the account and its session in force, or TG_SESSION_UNKNOWN. site.c wires
 * tg_account_session here (account/account_pages.h), because features do not know each other.
 */
typedef int (*tg_oidc_session)(const void *context, struct tg_call *call, struct tg_account *account, struct tg_session *session);

struct tg_oidc_options {
    const struct tg_oidc_conf *conf;
    const struct tg_gitea_conf *giteas;
    size_t gitea_count;
    const struct tg_subscription_conf *rules;
    const struct tg_keyring *ring;
    struct tg_templates *templates;
    const char *backchannel;       /* "http://127.0.0.1:9443": base of the URLs that discovery names there */
    tg_oidc_session session;
    const void *session_context;
    const char *session_cookie;    /* its name, to delete it on sign-out; NULL: it is left to age */
};

struct tg_oidc;
int tg_oidc_new(const struct tg_oidc_options *options, struct tg_oidc **oidc);
void tg_oidc_free(struct tg_oidc *oidc);

/* Makes the first signing key when there is none. Blocking; start-up. */
struct tg_store;
int tg_oidc_ensure_key(struct tg_store *store, const struct tg_keyring *ring);

/* context: struct tg_oidc *. */
extern const struct tg_endpoint tg_oidc_endpoints[];              /* the provider's host */
extern const struct tg_endpoint tg_oidc_backchannel_endpoints[];  /* /c/CLIENT_ID/... */

#endif
