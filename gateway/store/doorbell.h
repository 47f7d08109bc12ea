/*
 * doorbell.h - whoever has written a change rings; whoever follows changes hears it
 *
 * By Redis' publish and subscribe, to every node. Nothing depends on it: the table of changes is looked at several times a second all the
 * same, a ring only makes that look happen now. What is rung says nothing, so nobody can lie with it.
 */
#ifndef TG_STORE_DOORBELL_H
#define TG_STORE_DOORBELL_H

#include "store/redis_conf.h"

/*
 * The button. Once fitted, each commit of this store that has written a change row rings, before the commit returns, for TG_REDIS_CALL_MS
 * at the most. The link is the caller's and lives longer than the store is open. The store's thread.
 */
void tg_button_fit(struct tg_store *store, const struct tg_space *space, struct tg_redis_link *link);
/* store/ only: a change row was written; the next commit rings. */
void tg_button_arm(struct tg_button *button);

/*
 * The bell. One thread.
 */
struct tg_bell;

struct tg_bell *tg_bell_new(const struct tg_space *space);
void tg_bell_free(struct tg_bell *bell);

/* Waits until somebody rings, the descriptor wake can be read (-1: none) or wait_ms are over. RUNG: look at the table now; also when the
   bell has just begun to hear, since it may have missed a ring. */
enum { TG_BELL_RUNG = 1 };
int tg_bell_wait(struct tg_bell *bell, int wake, int64_t wait_ms);

#endif
