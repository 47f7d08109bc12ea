#include "jobs/clock_guard.h"
#include <inttypes.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "store/subscription.h"
#include "store/transition.h"

enum { KEEP_EVERY_S = 10 };

int64_t tg_clock_jump(const struct tg_clock *known, const struct tg_clock *here)
{
    bool same_boot = here->boot[0] != '\0' && strcmp(known->boot, here->boot) == 0;
    int64_t jump_s = same_boot ? (here->offset_ms - known->offset_ms) / 1000 : here->known_s - known->known_s;

    if (jump_s < -TG_JUDGE_JUMP_S || (same_boot && jump_s > TG_JUDGE_JUMP_S))
        return jump_s;
    return 0;
}

/* Whether time alone makes something worse for an account between two moments. */
static int gets_worse(struct tg_store *store, const struct tg_subscription_conf *rules, const char *account,
                      const int64_t from_to_s[2])
{
    struct tg_standing before, after;
    struct tg_facts facts;

    if (tg_try(tg_facts_read(store, account, &facts)) != 0)
        return false;
    tg_standing(&facts, rules, from_to_s[0], &before);
    tg_standing(&facts, rules, from_to_s[1], &after);
    return after.level > before.level;
}

/* Subscriptions that were just set do not count: somebody meant it. */
static int count_worse(struct tg_store *store, const struct tg_subscription_conf *rules, const int64_t from_to_s[2],
                       int64_t *worse)
{
    struct tg_transitions page = {.from_s = 1, .until_s = from_to_s[1]};

    *worse = 0;
    do {
        tg_try(tg_transition_page(store, &page));
        for (size_t i = 0; i < page.count; i++)
            *worse += tg_try(gets_worse(store, rules, page.due[i].account, from_to_s));
    } while (page.count == TG_TRANSITIONS);
    return 0;
}

/* What was in view when the clock was accepted was accepted with it. */
static int find_many(struct tg_store *store, const struct tg_subscription_conf *rules, const struct tg_clock *clock,
                     int64_t *many)
{
    int64_t accepted_s = clock->accepted_s != 0 ? clock->accepted_s + TG_GUARD_AHEAD_S : 0, accounts;
    int64_t from_to_s[2] = {clock->known_s > accepted_s ? clock->known_s : accepted_s, tg_now_s() + TG_GUARD_AHEAD_S};

    *many = 0;
    if (from_to_s[1] <= from_to_s[0])
        return 0;
    tg_try(count_worse(store, rules, from_to_s, many));
    if (*many <= TG_GUARD_MANY) {
        *many = 0;
        return 0;
    }
    tg_try(tg_transition_accounts(store, &accounts));
    if (*many * 100 <= accounts * TG_GUARD_PERCENT)
        *many = 0;
    return 0;
}

static void alarm_of(enum tg_clock_doubt doubt, int64_t amount, int64_t known_s)
{
    char known[TG_TIME_ISO], now[TG_TIME_ISO], text[32];

    tg_time_iso(known_s, known);
    tg_time_iso(tg_now_s(), now);
    snprintf(text, sizeof(text), "%" PRId64, amount);
    tg_log(TG_LOG_ERROR, "clock-in-doubt", "why", doubt == TG_CLOCK_JUMPED ? "the clock jumped" : "much would end at once",
           doubt == TG_CLOCK_JUMPED ? "seconds" : "accounts", text, "clock", now, "judged_by", known,
           "do", "no subscription ends until then: look at the clock, then run teagate clock accept", NULL);
}

static int doubt(struct tg_store *store, struct tg_clock *clock, enum tg_clock_doubt doubt, int64_t amount)
{
    if (tg_try(tg_clock_doubt(store, clock, doubt, amount)) == 0)
        alarm_of(doubt, amount, clock->known_s);
    tg_try(tg_clock_read(store, clock));
    return 0;
}

static int keep(struct tg_store *store, struct tg_clock *clock, const struct tg_clock *here)
{
    tg_try(tg_clock_keep(store, clock, here));
    tg_try(tg_clock_read(store, clock));
    return 0;
}

static int look(struct tg_store *store, const struct tg_subscription_conf *rules, struct tg_clock *clock)
{
    struct tg_clock here = tg_clock_here();
    int64_t jump_s, many;

    if (tg_try(tg_clock_read(store, clock)) == TG_CLOCK_NONE)
        return keep(store, clock, &here);
    if (clock->doubt != TG_CLOCK_SURE)
        return 0;
    if ((jump_s = tg_clock_jump(clock, &here)) != 0)
        return doubt(store, clock, TG_CLOCK_JUMPED, jump_s);
    tg_try(find_many(store, rules, clock, &many));
    if (many != 0)
        return doubt(store, clock, TG_CLOCK_MANY, many);
    if (strcmp(clock->boot, here.boot) != 0 || here.known_s >= clock->known_s + KEEP_EVERY_S || here.known_s < clock->known_s)
        return keep(store, clock, &here);
    return 0;
}

int tg_clock_guard(struct tg_store *store, const struct tg_subscription_conf *rules, struct tg_clock *clock)
{
    tg_try(look(store, rules, clock));
    tg_clock_obey(clock);
    return 0;
}
