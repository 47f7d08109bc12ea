/*
 * transitions.h - what time alone does to accounts is noticed, and told
 *
 * The fronts judge by time at each request and need no telling; whoever else waits for an account's end follows the changes.
 * Whatever is left half done is found again: an account is noted as judged in the transaction that tells of it. The thread of
 * jobs.
 */
#ifndef TG_JOBS_TRANSITIONS_H
#define TG_JOBS_TRANSITIONS_H

#include "subscription/standing.h"

/* Judges the accounts whose time has come, or all of them: rules may be others since. A change row for each whose level time has
   changed. */
int tg_transitions_run(struct tg_store *store, const struct tg_subscription_conf *rules, bool all);

#endif
