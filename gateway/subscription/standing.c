#include "subscription/standing.h"

/* What `without-subscription` and `grace-level` mean, by the index of the choice (subscription_conf.c). */
static const enum tg_level without_level[] = {TG_LEVEL_BLOCKED, TG_LEVEL_READONLY, TG_LEVEL_FULL};
static const enum tg_level grace_level[] = {TG_LEVEL_NOTICE, TG_LEVEL_READONLY};

/* Ends that are "never" stay never. */
static int64_t later(int64_t when_s, int64_t by_s)
{
    int64_t sum;

    if (__builtin_add_overflow(when_s, by_s, &sum))
        return by_s > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

static void set(struct tg_standing *out, enum tg_phase phase, enum tg_level level, int64_t since_s, int64_t next_s)
{
    out->phase = phase;
    out->level = level;
    out->since_s = since_s;
    out->next_transition_s = next_s;
}

/* Each phase begins with its first second. */
static void judge_subscription(const struct tg_subscription_conf *rules, int64_t now_s, struct tg_standing *out)
{
    if (now_s < out->end_s && now_s < out->warning_s)
        set(out, TG_PHASE_ACTIVE, TG_LEVEL_FULL, 0, out->warning_s);
    else if (now_s < out->end_s)
        set(out, TG_PHASE_EXPIRING, TG_LEVEL_NOTICE, out->warning_s, out->end_s);
    else if (now_s < out->closed_s)
        set(out, TG_PHASE_GRACE, grace_level[rules->grace_level], out->end_s, out->closed_s);
    else if (now_s < out->deleted_s)
        set(out, TG_PHASE_EXPIRED, TG_LEVEL_BLOCKED, out->closed_s, out->deleted_s);
    else
        set(out, TG_PHASE_ENDED, TG_LEVEL_GONE, out->deleted_s, INT64_MAX);
}

static enum tg_level level_of_hold(enum tg_hold_level hold)
{
    switch (hold) {
    case TG_HOLD_READONLY:
        return TG_LEVEL_READONLY;
    case TG_HOLD_BLOCKED:
        return TG_LEVEL_BLOCKED;
    default:
        return TG_LEVEL_FULL;
    }
}

/* Where both are equally bad, the hold is told: paying would not lift it. A hold for nonpayment goes with the payment, so there the
   subscription is told, which knows more. */
static void overlay_hold(const struct tg_facts *facts, struct tg_standing *out)
{
    enum tg_level level = level_of_hold(facts->hold);

    if (facts->hold == TG_HOLD_NONE || level < out->level)
        return;
    if (level == out->level && facts->hold_kind == TG_HOLD_NONPAYMENT)
        return;
    out->level = level;
    out->held = true;
    out->since_s = facts->hold_since_s;
}

void tg_standing(const struct tg_facts *facts, const struct tg_subscription_conf *rules, int64_t now_s, struct tg_standing *out)
{
    *out = (struct tg_standing){0};
    if (facts->subscribed) {
        out->end_s = facts->paid_until_s;
        out->warning_s = later(out->end_s, -rules->warning_s);
        out->closed_s = later(out->end_s, rules->grace_s);
        out->deleted_s = later(out->closed_s, rules->retention_s);
        judge_subscription(rules, now_s, out);
    } else {
        set(out, TG_PHASE_NONE, without_level[rules->without_subscription], 0, INT64_MAX);
    }

    if (facts->is_operator) {
        out->level = TG_LEVEL_FULL;
        out->next_transition_s = INT64_MAX;
        return;
    }
    overlay_hold(facts, out);
}

const char *tg_phase_name(enum tg_phase phase)
{
    static const char *const names[] = {"none", "active", "expiring", "grace", "expired", "ended"};

    return names[phase];
}

const char *tg_level_name(enum tg_level level)
{
    static const char *const names[] = {"full", "notice", "readonly", "blocked", "gone"};

    return names[level];
}
