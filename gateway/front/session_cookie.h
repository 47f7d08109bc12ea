/*
 * session_cookie.h - the gateway's sealed cookie, which stands for Gitea's session
 *
 * Gitea's session id never reaches the browser. It is sealed together with whose sign-in it was and for which instance, so that there is
 * no session map to lose, race or share; the account's epoch revokes. Opened once per loop, then found in its table.
 */
#ifndef TG_FRONT_SESSION_COOKIE_H
#define TG_FRONT_SESSION_COOKIE_H

#include "base/secret.h"
#include "http/visit.h"

enum { TG_GITEA_SESSION = 65 };

enum tg_gateway_state {
    TG_GATEWAY_LOGIN = 1,  /* a sign-in is under way, or ended without an account of ours: sign-in routes only */
    TG_GATEWAY_SIGNED_IN,
};

struct tg_gateway_cookie {
    enum tg_gateway_state state;
    char gitea_session[TG_GITEA_SESSION];
    char account[TG_ID];             /* "" in state login */
    char provider_session[TG_TOKEN]; /* digest, base64url; "" in state login */
    int64_t epoch;                   /* of the account when it signed in */
    int64_t issued_s;
};

/* Seals for the instance of that authority; the cookie's value, terminated. */
enum { TG_GATEWAY_COOKIE_VALUE = 512 };
void tg_gateway_cookie_seal(const struct tg_keyring *ring, const char *authority, const struct tg_gateway_cookie *cookie,
                            char value[TG_GATEWAY_COOKIE_VALUE]);

/* BROKEN: not ours, of another instance, or of a key we no longer have. */
enum { TG_GATEWAY_COOKIE_BROKEN = 1 };
int tg_gateway_cookie_open(const struct tg_keyring *ring, const char *authority, struct tg_text value, struct tg_gateway_cookie *out);

/* The table of a loop in which opened cookies are found again. */
struct tg_table;
void tg_gateway_cookies_init(struct tg_table *table, size_t capacity);

/* The visit's cookie, opened; NULL: none, more than one, or one that does not open. Good until the loop's table changes. */
const struct tg_gateway_cookie *tg_gateway_cookie_of(struct tg_visit *visit);

/* The fields that set it and that delete it, in the request's pool. */
h2o_iovec_t tg_gateway_cookie_line(h2o_mem_pool_t *pool, const char *value);
h2o_iovec_t tg_gateway_cookie_deletion(void);

#endif
