/*
 * flag.h - brings Gitea's prohibit_login of one account to what it should be
 *
 * It closes SSH and whatever else goes past us. Only jobs does this, one thread for each Gitea, so that what it reads is what it
 * left. Administrators of Gitea are never prohibited.
 */
#ifndef TG_GITEA_FLAG_H
#define TG_GITEA_FLAG_H

#include "gitea/api.h"
#include "store/flag.h"

/* What a row and the user as Gitea has it call for. SETTLE: nothing has to be done in Gitea. */
enum tg_flag_step { TG_FLAG_SETTLE, TG_FLAG_SET, TG_FLAG_LIFT };

/* Changes the row to what is known then: whose the flag is, whether it is done, when it is looked at again. */
enum tg_flag_step tg_flag_decide(struct tg_flag *flag, const struct tg_gitea_user *user, int64_t now_s);

/*
 * Asks Gitea about the account of a row that is due, sets or lifts its flag, and writes down what came of it. What cannot be done
 * for this account alone stays due, later. UNAVAILABLE: Gitea cannot be asked now (tg_failure() says more); the row stays as it
 * is, but for the reason.
 */
enum { TG_FLAG_UNAVAILABLE = 1 };
int tg_gitea_flag_apply(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_flag *due);

/* Whether a user whom Gitea prohibits is prohibited by us; if not, that becomes a hold. For who has just read the user, and the
   row before that. */
enum { TG_FLAG_IS_FOREIGN = 1 };
int tg_gitea_flag_judge(struct tg_store *store, const struct tg_flag *before, const struct tg_gitea_user *user);

#endif
