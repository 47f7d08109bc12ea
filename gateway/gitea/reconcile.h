/*
 * reconcile.h - compares the users of one Gitea with our accounts
 *
 * What is safe is mended: the mapping of a user whom source and subject name, and a flag that differs (its row is made due, and
 * jobs looks at it). The rest is told. One step is one page of Gitea's list, or a few members that were not on it; between two
 * steps the caller may do something else. Nothing is concluded from a list alone, since it may be old when its last page comes:
 * whoever is missing or doubled is asked about. Blocking; jobs and commands.
 */
#ifndef TG_GITEA_RECONCILE_H
#define TG_GITEA_RECONCILE_H

#include "gitea/api.h"
#include "store/flag.h"
#include "store/instance.h"

enum tg_finding_kind {
    TG_FINDING_MAPPED,         /* mended: the user of an account was not known yet */
    TG_FINDING_FLAG,           /* mended, or under way: the flag is not what it should be */
    TG_FINDING_RENAMED,        /* has another name in Gitea than with us; nothing depends on it */
    TG_FINDING_PROHIBITED,     /* by somebody else: there is a hold */
    TG_FINDING_DELETED,        /* the user of an account is gone */
    TG_FINDING_REPLACED,       /* another user has its subject now */
    TG_FINDING_DOUBLE,         /* several users have its subject */
    TG_FINDING_NAMESAKE,       /* somebody else's user has the name or the address of an account without a user */
    TG_FINDING_STRANGER,       /* a user of our source whose subject is nobody's */
    TG_FINDING_ADMINISTRATOR,  /* of Gitea, but no operator with us */
};

struct tg_finding {
    enum tg_finding_kind kind;
    bool mended;
    bool harmless;             /* no work for anybody */
    const char *login;         /* the account; "" : none */
    const char *gitea_login;   /* "" : none */
    int64_t gitea_user;        /* 0: none */
    const char *text;          /* a sentence: what is, and what to do */
};
const char *tg_finding_name(enum tg_finding_kind kind);

struct tg_reconcile {
    const struct tg_gitea_conf *conf;
    bool mend;
    void (*found)(const struct tg_finding *finding, void *context);
    void *context;

    /* the rest is filled */
    struct tg_instance instance;
    int64_t page;
    int64_t *seen;             /* users that are where they belong, in order */
    size_t seen_count, seen_capacity;
    char after[TG_ID];         /* members: the last one looked at */
    bool listed;
    int64_t users, findings, mended;
};

/* The caller has set the first four. NOT_SET_UP: `teagate gitea setup` has not been run. */
enum { TG_RECONCILE_MORE = 1, TG_RECONCILE_UNAVAILABLE = 2, TG_RECONCILE_NOT_SET_UP = 3 };
int tg_reconcile_begin(struct tg_worker *worker, struct tg_reconcile *reconcile);
/* 0: that was all. MORE: again. UNAVAILABLE: Gitea cannot be asked now (tg_failure() says more): it has to be begun anew. */
int tg_reconcile_step(struct tg_worker *worker, struct tg_reconcile *reconcile);
void tg_reconcile_done(struct tg_reconcile *reconcile);

#endif
