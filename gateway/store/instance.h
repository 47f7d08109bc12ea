/*
 * instance.h - the Giteas behind us, and which of their users are our accounts
 *
 * Accounts are mapped by Gitea user id, never by name. Blocking.
 */
#ifndef TG_STORE_INSTANCE_H
#define TG_STORE_INSTANCE_H

#include "store/account.h"

struct tg_instance {
    char host[256];          /* authority as configured, e.g. "localhost:8443" */
    int64_t source_id;       /* of our authentication source in Gitea */
    char source_name[65];
    char client[TG_ID];
};

enum { TG_INSTANCE_UNKNOWN = 1 };
int tg_instance_find(struct tg_store *store, const char *host, struct tg_instance *out);
/* The first behind `after` ("": of all), in order of the hosts. UNKNOWN: there is none. */
int tg_instance_next(struct tg_store *store, const char *after, struct tg_instance *out);
int tg_instance_put(struct tg_store *store, const struct tg_instance *instance);

/*
 * The mapping. UNKNOWN: the account has no user there / the user is nobody of ours; for put, there is no such instance or account.
 * Putting is telling what Gitea confirmed: it replaces what was known of that account and of that user, with a TG_CHANGE_ACCOUNT row for
 * each account it touches; what is known already writes nothing.
 */
enum { TG_MEMBER_UNKNOWN = 1 };
int tg_member_put(struct tg_store *store, const char *host, const char *account, int64_t gitea_user);
int tg_member_user(struct tg_store *store, const char *host, const char *account, int64_t *gitea_user);
int tg_member_account(struct tg_store *store, const char *host, int64_t gitea_user, char account[TG_ID]);
/* The account has no user there any more: forgets the mapping and its flag, and lifts the hold that came with a foreign one. */
int tg_member_forget(struct tg_store *store, const char *host, const char *account);
/* Those of an instance behind an account's id ("": from the beginning), in order of the id. */
struct tg_member_page {
    struct tg_member {
        char account[TG_ID];
        int64_t gitea_user;
    } members[128];
    size_t count;
};
int tg_member_list(struct tg_store *store, const char *host, const char *after, struct tg_member_page *out);

/* Digest of a credential (token or Basic password slot) -> Gitea user id, as Gitea answered. */
enum { TG_CREDENTIAL_UNKNOWN = 1 };
int tg_credential_put(struct tg_store *store, const char *host, const uint8_t digest[TG_DIGEST], int64_t gitea_user);
int tg_credential_find(struct tg_store *store, const char *host, const uint8_t digest[TG_DIGEST], int64_t *gitea_user);
int tg_credential_prune(struct tg_store *store, int64_t older_than_s, int limit);

#endif
