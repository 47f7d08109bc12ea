/*
 * standing.h - what an account may do: a pure function of facts, rules and time
 *
 *   phase      from                               level
 *   none       no subscription ever               `without-subscription`
 *   active     paid                               full
 *   expiring   `warning` before the end           full, with notice
 *   grace      after the end                      `grace-level`: notice or readonly
 *   expired    after `grace`                      blocked; paying, takeout and support stay open
 *   ended      `retention` after that             gone
 *
 * Holds overlay the phase; the worst of both wins. Operators are never judged. Any thread.
 */
#ifndef TG_SUBSCRIPTION_STANDING_H
#define TG_SUBSCRIPTION_STANDING_H

#include "base/conf.h"
#include "store/subscription.h"

enum tg_phase { TG_PHASE_NONE, TG_PHASE_ACTIVE, TG_PHASE_EXPIRING, TG_PHASE_GRACE, TG_PHASE_EXPIRED, TG_PHASE_ENDED };
enum tg_level { TG_LEVEL_FULL, TG_LEVEL_NOTICE, TG_LEVEL_READONLY, TG_LEVEL_BLOCKED, TG_LEVEL_GONE };

/* Keys of the section `subscription`. */
struct tg_subscription_conf {
    int64_t warning_s;             /* 14d */
    int64_t grace_s;               /* 7d */
    int grace_level;               /* index into notice, readonly */
    int64_t retention_s;           /* 90d */
    int without_subscription;      /* blocked, readonly, full */
    const char *renew_url;         /* where a subscription is renewed */
    const char *takeout_url;       /* NULL: not offered */
    const char *contact_url;       /* NULL: not offered */
    const char *zone;              /* in which dates are told to accounts without their own; "UTC" */
};
extern const struct tg_key tg_subscription_keys[];

struct tg_standing {
    enum tg_phase phase;
    enum tg_level level;
    bool held;                     /* the level comes from a hold */
    int64_t since_s;               /* when this phase (or hold) began; 0: unknown */
    int64_t next_transition_s;     /* when time alone changes it; INT64_MAX: never */
    /* the boundaries, for texts; 0 when there is no subscription */
    int64_t warning_s, end_s, closed_s, deleted_s;
};

void tg_standing(const struct tg_facts *facts, const struct tg_subscription_conf *rules, int64_t now_s, struct tg_standing *out);

const char *tg_phase_name(enum tg_phase phase);
const char *tg_level_name(enum tg_level level);

#endif
