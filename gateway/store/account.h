/*
 * account.h - people who sign in
 *
 * The id is opaque and never reused; sub, what clients know an account by, is a random column of its own. Names follow Gitea's rules and
 * are unique without case. Blocking; worker threads, jobs and commands.
 */
#ifndef TG_STORE_ACCOUNT_H
#define TG_STORE_ACCOUNT_H

#include "base/secret.h"
#include "store/store.h"

enum { TG_LOGIN = 41, TG_EMAIL = 255, TG_FULL_NAME = 101, TG_ZONE_NAME = 65 };

struct tg_account {
    char id[TG_ID];
    char sub[TG_ID];
    char login[TG_LOGIN];
    char email[TG_EMAIL];
    char full_name[TG_FULL_NAME];
    char zone[TG_ZONE_NAME];                  /* "" : the operator's */
    char password_hash[TG_PASSWORD_HASH];     /* "" : cannot sign in with a password */
    bool is_operator;                         /* never judged */
    bool locked;                              /* cannot sign in */
    int64_t session_epoch;                    /* sessions of an older epoch are void */
    int64_t created_s;
};

/* Which names Gitea would refuse, and which we do (reserved words). The reason is a sentence for the administrator; NULL: fine. */
const char *tg_login_unfit(struct tg_text login);
const char *tg_email_unfit(struct tg_text email);

enum { TG_ACCOUNT_UNKNOWN = 1, TG_ACCOUNT_TAKEN = 2 };
/* Fills id, sub and created_s. TAKEN: login or email is somebody's already. */
int tg_account_add(struct tg_store *store, struct tg_account *account);
int tg_account_find(struct tg_store *store, const char *id, struct tg_account *out);
int tg_account_find_sub(struct tg_store *store, const char *sub, struct tg_account *out);
int tg_account_find_login(struct tg_store *store, struct tg_text login_or_email, struct tg_account *out);
/* A new password: raises the epoch unless keep_sessions. */
int tg_account_set_password(struct tg_store *store, const char *id, const char *hash, bool keep_sessions);
/* Replaces the hash only if it is still the old one (rehash after sign-in); sessions stay. UNKNOWN: it is not. */
int tg_account_rehash(struct tg_store *store, const char *id, const char *old_hash, const char *new_hash);
/* Locking raises the epoch: what was open stays closed after unlocking. */
int tg_account_set_locked(struct tg_store *store, const char *id, bool locked);
/* Ceasing to be one raises the epoch: the next sign-in tells every client so. */
int tg_account_set_operator(struct tg_store *store, const char *id, bool is_operator);
int tg_account_raise_epoch(struct tg_store *store, const char *id);

/* Calls each in order of login until it answers non-zero (which is then the result). */
int tg_account_each(struct tg_store *store, int (*each)(const struct tg_account *account, void *context), void *context);

#endif
