/*
 * clock_guard.h - whether the clock can be believed
 *
 * Nothing ends because a clock was set wrongly: when it jumps against the pace of the machine, or when by it something would
 * end for many accounts at once, judging stands still at the last time beyond doubt, in every process, until an operator
 * accepts the clock. The thread of jobs.
 */
#ifndef TG_JOBS_CLOCK_GUARD_H
#define TG_JOBS_CLOCK_GUARD_H

#include "store/clock.h"
#include "subscription/standing.h"

/* Looks this far ahead for endings, so that judging stands still before the fronts would have seen them. */
enum { TG_GUARD_AHEAD_S = 30, TG_GUARD_MANY = 20, TG_GUARD_PERCENT = 5 };

/* Keeps, doubts and obeys, as the row demands; a new doubt is logged. */
int tg_clock_guard(struct tg_store *store, const struct tg_subscription_conf *rules, struct tg_clock *clock);

/* How far the clock is off what is known (seconds; 0: not more than is usual). From one start of the machine to the next only a
   clock that is behind is told. */
int64_t tg_clock_jump(const struct tg_clock *known, const struct tg_clock *here);

#endif
