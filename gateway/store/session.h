/*
 * session.h - provider sessions: somebody signed in at our own sign-in page
 *
 * The cookie holds the id; the row its digest. A session is void when it is too old, idle for too long, or of an epoch before the
 * account's. Blocking.
 */
#ifndef TG_STORE_SESSION_H
#define TG_STORE_SESSION_H

#include "store/account.h"

enum { TG_AMR = 33 };

struct tg_session {
    char digest[TG_TOKEN];   /* base64url SHA-256 of the id: its name elsewhere */
    char account[TG_ID];
    int64_t epoch;
    int64_t auth_time_s;     /* when a password was entered last */
    char amr[TG_AMR];        /* how, in the words of RFC 8176, a space between two: "pwd" */
    int64_t created_s;
    int64_t last_used_s;
    char address[48];
    char agent[129];
};

enum { TG_SESSION_UNKNOWN = 1 };
int tg_session_add(struct tg_store *store, struct tg_text id, struct tg_session *session); /* fills digest */
int tg_session_find(struct tg_store *store, struct tg_text id, struct tg_session *out);
int tg_session_find_digest(struct tg_store *store, const char *digest, struct tg_session *out);
int tg_session_touch(struct tg_store *store, const char *digest, int64_t now_s);
int tg_session_end(struct tg_store *store, const char *digest);
int tg_session_prune(struct tg_store *store, int64_t older_than_s, int limit);

/* An account's, the one used last first; at most capacity. */
int tg_session_list(struct tg_store *store, const char *account, struct tg_session *out, size_t capacity, size_t *count);

/*
 * Forgets all sessions of an account, and with them the codes and tokens they gave out. Raise the account's epoch first: that is
 * what ends them, here and at the gateway, also those that begin while this runs.
 */
int tg_session_end_all(struct tg_store *store, const char *account);

#endif
