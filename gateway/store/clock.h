/*
 * clock.h - what is known about the clock: one row, kept by jobs, followed by every process that judges
 *
 * While the clock is in doubt, the time by which subscriptions are judged (base/judge_clock.h) stands still, in all processes,
 * at the last time that was beyond doubt. Blocking.
 */
#ifndef TG_STORE_CLOCK_H
#define TG_STORE_CLOCK_H

#include "base/judge_clock.h"
#include "store/store.h"

enum tg_clock_doubt {
    TG_CLOCK_SURE,
    TG_CLOCK_JUMPED,           /* amount: by so many seconds, or back by so many when negative */
    TG_CLOCK_MANY,             /* amount: for so many accounts something would end at once */
};

struct tg_clock {
    int64_t known_s;           /* the last time beyond doubt */
    char boot[TG_BOOT];        /* in this start of the machine, */
    int64_t offset_ms;         /* where the wall clock was ahead of the uptime by this */
    int64_t accepted_s;        /* when somebody vouched for the clock; 0: never */
    enum tg_clock_doubt doubt;
    int64_t amount;
};

/* NONE: nobody has kept it yet; all zero. */
enum { TG_CLOCK_NONE = 1 };
int tg_clock_read(struct tg_store *store, struct tg_clock *out);

/* This moment, as somebody without doubt would keep it. */
struct tg_clock tg_clock_here(void);

/*
 * Keep what was judged from an earlier reading of the row. CHANGED: somebody else has decided since, and nothing is written. A
 * first row, one of another start of the machine, and a doubt have change rows (TG_CHANGE_CLOCK).
 */
enum { TG_CLOCK_CHANGED = 2 };
int tg_clock_keep(struct tg_store *store, const struct tg_clock *before, const struct tg_clock *now);
int tg_clock_doubt(struct tg_store *store, const struct tg_clock *before, enum tg_clock_doubt doubt, int64_t amount);

/* An operator vouches for the clock of this process. */
int tg_clock_accept(struct tg_store *store);

/* Makes this process judge by what is known. Until jobs have vouched for this start of the machine, time stands still. */
void tg_clock_obey(const struct tg_clock *clock);
int tg_clock_follow(struct tg_store *store); /* reads, and obeys if there is something */

#endif
