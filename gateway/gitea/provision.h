/*
 * provision.h - an account's user in Gitea exists and is the right one, before a code goes out
 *
 * Looks the user up by our source and the account's sub, makes it when there is none, and keeps account <-> Gitea user id. Where
 * a flag of ours still prohibits him, it is waited for up to two seconds that jobs lifts it: nobody who may come in sees Gitea's
 * page for those who may not.
 * Serialised per process. Blocking; resolve pool.
 */
#ifndef TG_GITEA_PROVISION_H
#define TG_GITEA_PROVISION_H

#include "gitea/api.h"
#include "store/account.h"

/* CLASH: Gitea has another user of that name or e-mail. FOREIGN: the user there is not the one we knew (deleted and made anew).
   UNAVAILABLE: it cannot be confirmed now: no code. HELD: somebody else has prohibited the user in Gitea, which is a hold now:
   the account has to be judged again. */
enum {
    TG_PROVISION_CLASH = 1,
    TG_PROVISION_FOREIGN = 2,
    TG_PROVISION_UNAVAILABLE = 3,
    TG_PROVISION_NOT_SET_UP = 4,
    TG_PROVISION_HELD = 5,
};
int tg_provision(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_account *account);

#endif
