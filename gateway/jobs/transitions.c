#include "jobs/transitions.h"
#include "base/judge_clock.h"
#include "base/result.h"
#include "store/transition.h"

static int judge(struct tg_store *store, const struct tg_subscription_conf *rules, const struct tg_transition *due)
{
    struct tg_standing standing;
    struct tg_facts facts;

    if (tg_try(tg_facts_read(store, due->account, &facts)) != 0)
        return 0; /* removed meanwhile */
    tg_standing(&facts, rules, tg_judge_now_s(), &standing);
    bool is_change = due->next_s != 0 && due->level != (int)standing.level;
    if (!is_change && due->next_s == standing.next_transition_s && due->level == (int)standing.level)
        return 0;
    return tg_transition_note(store, due, standing.next_transition_s, (int)standing.level, is_change);
}

int tg_transitions_run(struct tg_store *store, const struct tg_subscription_conf *rules, bool all)
{
    struct tg_transitions page = {.from_s = INT64_MIN, .until_s = all ? INT64_MAX : tg_judge_now_s()};

    do {
        tg_try(tg_transition_page(store, &page));
        for (size_t i = 0; i < page.count; i++)
            tg_try(judge(store, rules, &page.due[i]));
    } while (page.count == TG_TRANSITIONS);
    return 0;
}
