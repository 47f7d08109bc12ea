/*
 * transition.h - when time alone changes an account, as jobs found it out
 *
 * A subscription that was set since has no such time: it is to be judged at once. Blocking.
 */
#ifndef TG_STORE_TRANSITION_H
#define TG_STORE_TRANSITION_H

#include "store/account.h"

struct tg_transition {
    char account[TG_ID];
    int64_t next_s;        /* 0: it was set, or never judged; INT64_MAX: never */
    int level;             /* as it was when it was judged (subscription/standing.h) */
    int64_t paid_until_s;  /* what it was judged by */
};

/* Those due from one time until another, the first of them first, a page after the other; the last one is not full. */
enum { TG_TRANSITIONS = 256 };
struct tg_transitions {
    int64_t from_s, until_s;                  /* as the caller has set them; both are included */
    char behind[TG_ID];                       /* "" at first */
    size_t count;
    struct tg_transition due[TG_TRANSITIONS];
};
int tg_transition_page(struct tg_store *store, struct tg_transitions *page); /* the next */

/* What follows from judging one. is_change: whoever waits for it is told. */
struct tg_transition_note {
    const struct tg_transition *judged;
    int64_t next_s;
    int level;
    bool is_change;
};
/* All or none, in one transaction. A subscription that was set meanwhile stays to be judged. */
int tg_transition_notes(struct tg_store *store, const struct tg_transition_note *notes, size_t count);

int tg_transition_accounts(struct tg_store *store, int64_t *count); /* how many accounts there are */

#endif
