/*
 * flag.h - Gitea's prohibit_login of our accounts: what it should be, what it was seen to be, and who has set it
 *
 * One row for each account and instance. A row that is due has to be compared with Gitea, which only jobs does. Whose a flag is
 * is written before we set it, so that a flag of ours is never taken for somebody else's; a flag that somebody else has set is a
 * hold of the kind gitea for as long as it is there, written and taken back in the same transaction. Blocking.
 */
#ifndef TG_STORE_FLAG_H
#define TG_STORE_FLAG_H

#include "store/subscription.h"

enum { TG_FLAG_ERROR = 256 };
enum tg_flag_origin { TG_FLAG_NOBODY, TG_FLAG_OURS, TG_FLAG_FOREIGN };

struct tg_flag {
    char host[256];
    char account[TG_ID];
    bool desired;                /* by the account's standing */
    bool observed;               /* what Gitea said last */
    enum tg_flag_origin origin;  /* who has set it; OURS also when we may have */
    int64_t judge_s;             /* when time alone may change what is desired; INT64_MAX: never */
    int64_t due_ms;              /* wall clock: when Gitea is asked; 0: there is nothing to do; below: the instance is abandoned */
    int64_t doubt_s;             /* until then a call of ours that was not answered may still take effect; 0: there is none */
    int64_t tries;               /* in vain, since it became due */
    char error[TG_FLAG_ERROR];   /* why; "" : none */
    int64_t version;             /* of the row; 0: there is none yet */
};

/* UNKNOWN: there is no row; *out is then one that can be saved. */
enum { TG_FLAG_UNKNOWN = 1, TG_FLAG_CHANGED = 2 };
int tg_flag_find(struct tg_store *store, const char *host, const char *account, struct tg_flag *out);

/*
 * The account's standing says so. A row that changes by it is due at once. Also, a foreign flag whose hold was lifted on our side
 * becomes ours: whoever has lifted it wants it gone. Nothing is written when nothing changes; nothing for who has no user there
 * (UNKNOWN).
 */
int tg_flag_want(struct tg_store *store, const char *host, const char *account, bool desired, int64_t judge_s);

/*
 * Replaces a row as it was read, and places or lifts the hold that goes with a foreign flag. A change row is written when the
 * hold changes, and when a flag of ours has gone. CHANGED: it is not as it was read any more; nothing is written. UNKNOWN: the
 * account is gone.
 */
int tg_flag_save(struct tg_store *store, const struct tg_flag *flag);

/* Forgets a row, as if the flag were gone. Inside a write transaction on truth. */
int tg_flag_forget(struct tg_store *store, const char *host, const char *account);

/* What is due, to be lifted first, the longest first. UNKNOWN: nothing is. */
int tg_flag_next(struct tg_store *store, const char *host, int64_t now_ms, struct tg_flag *out);
/* Makes it due, unless it is already. UNKNOWN: there is no row. */
int tg_flag_touch(struct tg_store *store, const char *host, const char *account, int64_t now_ms);
/* Accounts whose time to be judged again has come, or as many of them as there is room for. */
struct tg_account_list {
    char ids[64][TG_ID];
    size_t count;
};
int tg_flag_judge_due(struct tg_store *store, const char *host, int64_t now_s, struct tg_account_list *out);

/*
 * An instance that is not configured any more is abandoned: nothing is due there, and its flags count for nothing. They are asked for only
 * when the same Gitea comes back under another name: what we have set there is ours still.
 */
int tg_flag_abandon(struct tg_store *store, const char *host);
int tg_flag_resume(struct tg_store *store, const char *host);
/* Whether the account's flag on this user of Gitea was set by us under an abandoned name; and that it is known under the new one now. */
int tg_flag_inherited(struct tg_store *store, const char *account, int64_t gitea_user, bool *out);
int tg_flag_inherit(struct tg_store *store, const char *account, int64_t gitea_user);

/* How many rows of an instance are due, and how many are not as they should be. */
struct tg_flag_counts {
    int64_t due, wrong, ours, foreign;
};
int tg_flag_count(struct tg_store *store, const char *host, struct tg_flag_counts *out);

#endif
