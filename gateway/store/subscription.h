/*
 * subscription.h - facts about what an account has paid for, and holds
 *
 * Facts are kept and cached, never levels: a level is computed from facts and time (subscription/standing.h). Blocking.
 */
#ifndef TG_STORE_SUBSCRIPTION_H
#define TG_STORE_SUBSCRIPTION_H

#include "store/account.h"

enum tg_hold_kind { TG_HOLD_NONPAYMENT, TG_HOLD_ABUSE, TG_HOLD_FRAUD, TG_HOLD_QUOTA, TG_HOLD_LEGAL, TG_HOLD_ADMIN, TG_HOLD_GITEA };
enum tg_hold_level { TG_HOLD_NONE, TG_HOLD_READONLY, TG_HOLD_BLOCKED };

/* Everything a verdict depends on besides time and configuration. Fixed size: copied into tables in memory. */
struct tg_facts {
    char account[TG_ID];
    char login[TG_LOGIN];
    char zone[TG_ZONE_NAME];
    int64_t change;              /* number of the snapshot this was read in */
    int64_t session_epoch;
    bool is_operator;
    bool locked;
    bool subscribed;             /* there is, or was, a subscription */
    int64_t paid_until_s;        /* its end; meaningful when subscribed */
    enum tg_hold_level hold;     /* the worst of those in force */
    enum tg_hold_kind hold_kind; /* of that one */
    int64_t hold_since_s;
    bool flagged;                /* by us, in some Gitea, or maybe: flag.h */
};

/* One snapshot. TG_ACCOUNT_UNKNOWN: no such account (out->change is set all the same). */
int tg_facts_read(struct tg_store *store, const char *account, struct tg_facts *out);

/* Sets the end of the subscription and writes its change row. TG_ACCOUNT_UNKNOWN. */
int tg_subscription_set(struct tg_store *store, const char *account, int64_t paid_until_s);

int tg_hold_place(struct tg_store *store, const char *account, enum tg_hold_kind kind, enum tg_hold_level level, const char *reason);
enum { TG_HOLD_UNKNOWN = 3 };
int tg_hold_lift(struct tg_store *store, const char *account, enum tg_hold_kind kind);

/* An account's holds, the worst first; at most capacity. */
struct tg_hold {
    enum tg_hold_kind kind;
    enum tg_hold_level level;
    int64_t since_s;
    char reason[257];            /* for colleagues */
};
int tg_hold_list(struct tg_store *store, const char *account, struct tg_hold *out, size_t capacity, size_t *count);

const char *tg_hold_kind_name(enum tg_hold_kind kind);

#endif
