#include "jobs/transitions.h"
#include "base/judge_clock.h"
#include "base/result.h"
#include "store/transition.h"

/* Whether there is something to note. */
static int judge(struct tg_store *store, const struct tg_subscription_conf *rules, const struct tg_transition *due,
                 struct tg_transition_note *note)
{
    struct tg_standing standing;
    struct tg_facts facts;

    if (tg_try(tg_facts_read(store, due->account, &facts)) != 0)
        return false; /* removed meanwhile */
    tg_standing(&facts, rules, tg_judge_now_s(), &standing);
    bool is_other = due->level != (int)standing.level;
    *note = (struct tg_transition_note){due, standing.next_transition_s, (int)standing.level, is_other && due->next_s != 0};
    return is_other || due->next_s != standing.next_transition_s;
}

static int judge_page(struct tg_store *store, const struct tg_subscription_conf *rules, const struct tg_transitions *page)
{
    struct tg_transition_note notes[TG_TRANSITIONS];
    size_t count = 0;

    for (size_t i = 0; i < page->count; i++)
        count += tg_try(judge(store, rules, &page->due[i], &notes[count]));
    return tg_transition_notes(store, notes, count);
}

int tg_transitions_run(struct tg_store *store, const struct tg_subscription_conf *rules, bool all)
{
    struct tg_transitions page = {.from_s = INT64_MIN, .until_s = all ? INT64_MAX : tg_judge_now_s()};

    do {
        tg_try(tg_transition_page(store, &page));
        tg_try(judge_page(store, rules, &page));
    } while (page.count == TG_TRANSITIONS);
    return 0;
}
