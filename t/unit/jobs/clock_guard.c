#include "../store/stored.h"
#include "base/clock.h"
#include "jobs/clock_guard.h"
#include "jobs/transitions.h"
#include "store/subscription.h"
#include "store/transition.h"

enum { DAY = 86400, HOUR = 3600 };

static const struct tg_subscription_conf rules = {.warning_s = 14 * DAY, .grace_s = 7 * DAY, .retention_s = 90 * DAY};

static int believed(void **state)
{
    tg_judge_release();
    tg_judge_trust(tg_now_ms() - tg_uptime_ms());
    return stored_make(state);
}

#define guard_test(function) cmocka_unit_test_setup_teardown(function, believed, stored_remove)

static void a_jump_is_measured_by_the_pace_of_the_machine(void **state)
{
    static const struct {
        const char *boot; /* of the row; this start is "here" */
        int64_t passed_s, uptime_s; /* by the wall clock and by the machine, since the row was kept */
        int64_t jump_s;
    } cases[] = {
        {"here", 10, 10, 0},
        {"here", 20 * DAY, 20 * DAY, 0}, /* the service was stopped, the machine ran */
        {"here", 609, 9, 0},
        {"here", 611, 9, 602},
        {"here", DAY + 10, 10, DAY},
        {"here", -590, 9, 0},
        {"here", -DAY + 10, 10, -DAY},
        {"", DAY, 0, 0}, /* the system does not say */
        {"", -DAY, 0, -DAY},
        {"before", 20 * DAY, 0, 0}, /* the machine was off */
        {"before", -600, 0, 0},
        {"before", -DAY, 0, -DAY},
    };

    for (size_t i = 0; i < tg_count(cases); i++) {
        struct tg_clock known = {.known_s = 1800000000, .offset_ms = 1700000000000}, here = known;

        snprintf(known.boot, sizeof(known.boot), "%s", cases[i].boot);
        snprintf(here.boot, sizeof(here.boot), "%s", cases[i].boot[0] == '\0' ? "" : "here");
        here.known_s += cases[i].passed_s;
        here.offset_ms += (cases[i].passed_s - cases[i].uptime_s) * 1000;
        print_message("# case %zu\n", i);
        assert_int_equal(tg_clock_jump(&known, &here), cases[i].jump_s);
    }
}

/* Accounts whose warning begins when_s from now, as jobs have noted long ago. */
static void sell(struct stored *s, int from, int count, int64_t when_s)
{
    for (int i = from; i < from + count; i++) {
        char login[16];

        snprintf(login, sizeof(login), "user%d", i);
        struct tg_account account = stored_account(&s->store, login);
        int64_t next_s = tg_now_s() + when_s;
        struct tg_transition sold = {.paid_until_s = next_s + 14 * DAY};
        memcpy(sold.account, account.id, sizeof(sold.account));
        assert_result(0, tg_subscription_set(&s->store, account.id, sold.paid_until_s));
        assert_result(0, tg_transition_notes(&s->store, &(struct tg_transition_note){&sold, next_s, 0, false}, 1));
    }
}

/* As if the row had been kept a while ago. */
static struct tg_clock guard_after(struct stored *s, int64_t passed_s)
{
    struct tg_clock clock;

    assert_result(0, tg_clock_guard(&s->store, &rules, &clock)); /* a first row, if there is none */
    assert_result(0, tg_db_run(s->store.truth, "UPDATE clock SET known_s = known_s - $1", TG_VALUES(TG_INT(passed_s)), NULL));
    assert_result(0, tg_clock_guard(&s->store, &rules, &clock));
    return clock;
}

static void twenty_at_once_are_believed(void **state)
{
    sell(*state, 0, 20, 10);
    assert_int_equal(guard_after(*state, 0).doubt, TG_CLOCK_SURE);
    assert_false(tg_judge_is_held());
}

static void twenty_one_are_not_before_their_time_comes(void **state)
{
    struct stored *s = *state;
    struct tg_clock clock;

    sell(s, 0, 21, 10);
    clock = guard_after(s, 0);
    assert_int_equal(clock.doubt, TG_CLOCK_MANY);
    assert_int_equal(clock.amount, 21);
    assert_true(tg_judge_is_held());
    assert_true(tg_judge_now_s() <= tg_now_s());

    assert_result(0, tg_clock_accept(&s->store));
    assert_result(0, tg_clock_guard(&s->store, &rules, &clock));
    assert_int_equal(clock.doubt, TG_CLOCK_SURE); /* what was in view was accepted, too */
    assert_false(tg_judge_is_held());
}

static void one_in_twenty_is_no_more_than_usual(void **state)
{
    sell(*state, 0, 25, 10);
    for (int i = 0; i < 475; i++) {
        char login[16];
        snprintf(login, sizeof(login), "other%d", i);
        stored_account(&((struct stored *)*state)->store, login);
    }
    assert_int_equal(guard_after(*state, 0).doubt, TG_CLOCK_SURE);
    stored_account(&((struct stored *)*state)->store, "last");
    sell(*state, 25, 1, 10);
    assert_int_equal(guard_after(*state, 0).doubt, TG_CLOCK_MANY);
}

static void what_came_due_while_nothing_ran_counts(void **state)
{
    sell(*state, 0, 21, -HOUR);
    assert_int_equal(guard_after(*state, 2 * HOUR).doubt, TG_CLOCK_MANY);
    assert_true(tg_judge_now_s() < tg_now_s() - HOUR); /* for all of them nothing has ended */
}

static void what_an_operator_just_set_does_not_count(void **state)
{
    struct stored *s = *state;

    sell(s, 0, 21, 10);
    assert_result(0, tg_db_run(s->store.truth, "UPDATE subscription SET next_s = 0", NULL, 0, NULL));
    assert_int_equal(guard_after(s, 0).doubt, TG_CLOCK_SURE);
}

static void a_change_is_told_for_each_whose_level_time_has_changed(void **state)
{
    struct stored *s = *state;
    struct tg_clock clock;

    sell(s, 0, 1, -5);
    sell(s, 1, 1, 500);
    assert_result(0, tg_clock_guard(&s->store, &rules, &clock));
    int64_t before = last_change(&s->store);
    assert_result(0, tg_transitions_run(&s->store, &rules, false));
    assert_int_equal(last_change(&s->store), before + 1);
    assert_result(0, tg_transitions_run(&s->store, &rules, true));
    assert_int_equal(last_change(&s->store), before + 1); /* once */
    tg_judge_hold(tg_now_s() - HOUR);
    assert_result(0, tg_transitions_run(&s->store, &rules, false));
    assert_int_equal(last_change(&s->store), before + 1);
    tg_judge_hold(tg_now_s() + HOUR);
    assert_result(0, tg_transitions_run(&s->store, &rules, false));
    assert_int_equal(last_change(&s->store), before + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jump_is_measured_by_the_pace_of_the_machine),
        guard_test(twenty_at_once_are_believed),
        guard_test(twenty_one_are_not_before_their_time_comes),
        guard_test(one_in_twenty_is_no_more_than_usual),
        guard_test(what_came_due_while_nothing_ran_counts),
        guard_test(what_an_operator_just_set_does_not_count),
        guard_test(a_change_is_told_for_each_whose_level_time_has_changed),
    };

    tg_time_init();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
