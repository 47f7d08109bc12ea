/*
 * account_pages.h - the pages on which people deal with their account: sign-in and sign-out; for site.c
 */
#ifndef TG_ACCOUNT_ACCOUNT_PAGES_H
#define TG_ACCOUNT_ACCOUNT_PAGES_H

#include "base/conf.h"
#include "base/secret.h"
#include "http/call.h"
#include "http/template.h"
#include "store/session.h"

/* Keys of the section `accounts`. */
struct tg_account_conf {
    int64_t session_ttl_s;         /* of a provider session, from sign-in: 14d */
    int64_t session_idle_s;        /* without use: 3d */
    struct tg_password_cost cost;  /* argon2id: password-memory 19m, password-passes 2 (OWASP's minimum) */
};
extern const struct tg_key tg_account_keys[];

struct tg_account_options {
    const struct tg_account_conf *conf;
    const struct tg_keyring *ring;
    struct tg_templates *templates;
    const char *issuer_origin;             /* of the provider's host */
    const char *const *client_origins;     /* hosts where sign-in may end, for the CSP's form-action; NULL-terminated */
};

struct tg_account_pages;
int tg_account_pages_new(const struct tg_account_options *options, struct tg_account_pages **pages);
void tg_account_pages_free(struct tg_account_pages *pages);

/* context: struct tg_account_pages *. "/sign-in" (GET, POST in the password pool), "/sign-out" (GET asks, POST does), "/". */
extern const struct tg_endpoint tg_account_endpoints[];

/*
 * Who is signed in: the account and its session, or TG_SESSION_UNKNOWN (no cookie, ended, too old, idle for too long, of an epoch
 * before the account's, or of an account that is locked or gone). context: struct tg_account_pages *. Blocking; marks the session
 * as used, once a minute at the most.
 */
int tg_account_session(const void *context, struct tg_call *call, struct tg_account *account, struct tg_session *session);

/* Whether a session counts, as far as its own row and its account's tell. */
bool tg_account_session_holds(const struct tg_session *session, const struct tg_account *account,
                              const struct tg_account_conf *conf, int64_t now_s);

/* The provider's session cookie. */
#define TG_SESSION_COOKIE "__Host-tg-session"

#endif
