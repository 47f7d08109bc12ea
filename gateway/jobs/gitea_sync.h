/*
 * gitea_sync.h - keeps one Gitea in step with our accounts, on a thread of its own
 *
 * Follows the table of changes and the clock: what an account's standing asks for is kept in its flag row, and the rows that are
 * due are brought to Gitea, one after the other, those to be lifted first. While Gitea is away they wait in the table. Every ten
 * minutes, and after a set-up, the users are compared with the accounts. A Gitea that hangs holds up nobody but itself.
 */
#ifndef TG_JOBS_GITEA_SYNC_H
#define TG_JOBS_GITEA_SYNC_H

#include "base/json.h"
#include "gitea/gitea_conf.h"
#include "store/redis_conf.h"
#include "subscription/standing.h"

struct tg_gitea_sync_options {
    const char *state;                         /* directory */
    const struct tg_space *space;              /* its doorbell; NULL: none */
    const struct tg_gitea_conf *conf;
    const struct tg_subscription_conf *rules;
};

struct tg_gitea_sync;

/* All that options point at lives longer. */
int tg_gitea_sync_start(const struct tg_gitea_sync_options *options, struct tg_gitea_sync **sync);
/* Waits for a call of Gitea that is under way. NULL: nothing. */
void tg_gitea_sync_stop(struct tg_gitea_sync *sync);
/* A new reference. Any thread. */
json_t *tg_gitea_sync_status(struct tg_gitea_sync *sync);

/* Whether an account of this standing is prohibited in Gitea, and until when that is true by time alone. */
bool tg_gitea_sync_desired(const struct tg_facts *facts, const struct tg_subscription_conf *rules, int64_t now_s,
                           int64_t *until_s);

#endif
