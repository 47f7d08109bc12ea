/*
 * grant.h - authorization codes and access tokens
 *
 * A grant is what an account allowed a client to do. Taking a code marks it taken in the same statement and only for its client, so it
 * is redeemed once; the row stays until expiry, so that a second use can revoke what the first one got (RFC 6749 4.1.2). Codes and
 * tokens are kept as digests. Blocking; worker threads only.
 */
#ifndef TG_STORE_GRANT_H
#define TG_STORE_GRANT_H

#include "store/client.h"

enum { TG_NONCE = 256, TG_CHALLENGE = 129 };

struct tg_grant {
    char client[TG_ID];
    char account[TG_ID];
    char session[TG_TOKEN];              /* digest of the provider session's id, base64url */
    char redirect_uri[TG_REDIRECT_URI];
    char scope[TG_SCOPE];
    char nonce[TG_NONCE];
    char challenge[TG_CHALLENGE];        /* PKCE S256 (RFC 7636); "" when none was sent */
    int64_t auth_time_s;
    int64_t expires_s;
    int64_t taken_ms;                    /* wall clock; 0: not yet */
};

/* Keeps a new code; code is 43 characters from tg_random_token. */
int tg_grant_add(struct tg_store *store, struct tg_text code, const struct tg_grant *grant);

enum { TG_GRANT_UNKNOWN = 1, TG_GRANT_EXPIRED = 2, TG_GRANT_REPLAYED = 3, TG_GRANT_FOREIGN = 4 };
/* Takes the code for the client. REPLAYED: it had been taken; tokens it got are revoked in the same transaction. FOREIGN: another
   client's; untouched. */
int tg_grant_take(struct tg_store *store, struct tg_text code, const char *client, struct tg_grant *out);

/* Whether the session that a grant came from still goes on: 0, or UNKNOWN when it was ended or the account's epoch has passed it. */
int tg_grant_session(struct tg_store *store, const struct tg_grant *grant, int64_t account_epoch);

/* What became of a code, for the gateway's own callback: looks only. TG_GRANT_UNKNOWN; taken_ms tells whether it was redeemed. */
int tg_grant_look(struct tg_store *store, struct tg_text code, struct tg_grant *out);

/* Access tokens (RFC 6750), opaque. */
struct tg_access {
    char client[TG_ID];
    char account[TG_ID];
    char scope[TG_SCOPE];
    int64_t expires_s;
};
/* A token of a code that was replayed meanwhile is void from the beginning: tg_access_find does not know it. */
int tg_access_add(struct tg_store *store, struct tg_text token, struct tg_text code, const struct tg_access *access);
enum { TG_ACCESS_UNKNOWN = 1, TG_ACCESS_EXPIRED = 2 };
int tg_access_find(struct tg_store *store, struct tg_text token, int64_t now_s, struct tg_access *out);

/* Deletes expired rows, at most limit. */
int tg_grant_prune(struct tg_store *store, int64_t now_s, int limit);

#endif
