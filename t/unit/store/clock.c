#include "stored.h"
#include "base/clock.h"
#include "store/clock.h"
#include "store/notice.h"
#include "store/subscription.h"
#include "store/transition.h"

enum { DAY = 86400 };

static int judged_as_usual(void **state)
{
    tg_judge_release();
    tg_judge_trust(tg_now_ms() - tg_uptime_ms());
    return stored_make(state);
}

#define clock_test(function) cmocka_unit_test_setup_teardown(function, judged_as_usual, stored_remove)

static bool near(int64_t a, int64_t b)
{
    return a - b < 5 && b - a < 5;
}

static void judging_follows_the_clock_in_small_steps_only(void **state)
{
    int64_t offset_ms = tg_now_ms() - tg_uptime_ms();

    assert_true(near(tg_judge_now_s(), tg_now_s()));
    tg_judge_trust(offset_ms - 599 * 1000); /* the clock is 599 s ahead of what is trusted */
    assert_true(near(tg_judge_now_s(), tg_now_s()));
    tg_judge_trust(offset_ms - 660 * 1000);
    assert_true(near(tg_judge_now_s(), tg_now_s() - 660));
    tg_judge_trust(offset_ms + DAY * 1000LL);
    assert_true(near(tg_judge_now_s(), tg_now_s() + DAY));
    tg_judge_hold(1234);
    assert_int_equal(tg_judge_now_s(), 1234);
    assert_true(tg_judge_is_held());
    tg_judge_release();
    assert_true(near(tg_judge_now_s(), tg_now_s() + DAY));
}

static void what_was_kept_is_read(void **state)
{
    struct stored *s = *state;
    struct tg_clock clock, here = tg_clock_here(), later = here;

    assert_result(TG_CLOCK_NONE, tg_clock_read(&s->store, &clock));
    assert_result(0, tg_clock_keep(&s->store, &clock, &here));
    assert_one_change(&s->store, 0, TG_CHANGE_CLOCK, "");
    assert_result(0, tg_clock_read(&s->store, &clock));
    assert_int_equal(clock.known_s, here.known_s);
    assert_string_equal(clock.boot, here.boot);
    assert_int_equal(clock.offset_ms, here.offset_ms);

    later.known_s += 10;
    assert_result(0, tg_clock_keep(&s->store, &clock, &later));
    assert_int_equal(last_change(&s->store), 1); /* nobody needs to know */
    snprintf(later.boot, sizeof(later.boot), "another");
    assert_result(0, tg_clock_keep(&s->store, &clock, &later));
    assert_int_equal(last_change(&s->store), 2);
}

static void a_doubt_stays_until_the_clock_is_accepted(void **state)
{
    struct stored *s = *state;
    struct tg_clock before, clock, here = tg_clock_here();

    tg_clock_read(&s->store, &before);
    here.known_s -= 100;
    assert_result(0, tg_clock_keep(&s->store, &before, &here));
    assert_result(0, tg_clock_read(&s->store, &before));
    assert_result(0, tg_clock_doubt(&s->store, &before, TG_CLOCK_JUMPED, -DAY));
    assert_result(TG_CLOCK_CHANGED, tg_clock_doubt(&s->store, &before, TG_CLOCK_MANY, 21)); /* one at a time */
    assert_result(TG_CLOCK_CHANGED, tg_clock_keep(&s->store, &before, &here));
    assert_result(0, tg_clock_follow(&s->store));
    assert_int_equal(tg_judge_now_s(), here.known_s);
    assert_result(0, tg_clock_read(&s->store, &clock));
    assert_int_equal(clock.doubt, TG_CLOCK_JUMPED);
    assert_int_equal(clock.amount, -DAY);

    assert_result(0, tg_clock_accept(&s->store));
    assert_result(0, tg_clock_follow(&s->store));
    assert_true(near(tg_judge_now_s(), tg_now_s()));
    assert_result(TG_CLOCK_CHANGED, tg_clock_doubt(&s->store, &before, TG_CLOCK_JUMPED, 1)); /* judged before it was accepted */
    assert_int_equal(last_change(&s->store), 3);
}

static void time_stands_still_until_this_start_of_the_machine_is_known(void **state)
{
    struct stored *s = *state;
    struct tg_clock none, elsewhere = tg_clock_here();

    tg_clock_read(&s->store, &none);
    snprintf(elsewhere.boot, sizeof(elsewhere.boot), "another");
    elsewhere.known_s -= 3600;
    assert_result(0, tg_clock_keep(&s->store, &none, &elsewhere));
    assert_result(0, tg_clock_follow(&s->store));
    assert_int_equal(tg_judge_now_s(), elsewhere.known_s);
}

static void transitions_come_in_order_and_a_new_end_is_due_at_once(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada"), bob = stored_account(&s->store, "bob");
    struct tg_transitions page = {.from_s = INT64_MIN, .until_s = 0};

    assert_result(0, tg_subscription_set(&s->store, ada.id, 5000));
    assert_result(0, tg_subscription_set(&s->store, bob.id, 6000));
    assert_result(0, tg_transition_page(&s->store, &page));
    assert_int_equal(page.count, 2);
    struct tg_transition of_ada = page.due[strcmp(page.due[0].account, ada.id) != 0], of_bob = page.due[strcmp(page.due[0].account, ada.id) == 0];
    assert_int_equal(of_ada.next_s, 0);
    assert_int_equal(of_ada.paid_until_s, 5000);
    int64_t before = last_change(&s->store);
    const struct tg_transition_note notes[] = {{&of_ada, 2000, 0, false}, {&of_bob, 1000, 1, true}};
    assert_result(0, tg_transition_notes(&s->store, notes, 2));
    assert_one_change(&s->store, before, TG_CHANGE_SUBSCRIPTION, bob.id);

    page = (struct tg_transitions){.from_s = INT64_MIN, .until_s = 2000};
    assert_result(0, tg_transition_page(&s->store, &page));
    assert_int_equal(page.count, 2);
    assert_string_equal(page.due[0].account, bob.id);
    assert_int_equal(page.due[0].level, 1);
    of_ada = page.due[1];
    assert_result(0, tg_transition_page(&s->store, &page));
    assert_int_equal(page.count, 0);
    page = (struct tg_transitions){.from_s = INT64_MIN, .until_s = 999};
    assert_result(0, tg_transition_page(&s->store, &page));
    assert_int_equal(page.count, 0);

    assert_result(0, tg_subscription_set(&s->store, ada.id, 7000));
    before = last_change(&s->store);
    assert_result(0, tg_transition_notes(&s->store, &(struct tg_transition_note){&of_ada, 3000, 2, true}, 1)); /* of what it was */
    assert_int_equal(last_change(&s->store), before);
    page = (struct tg_transitions){.from_s = INT64_MIN, .until_s = 0};
    assert_result(0, tg_transition_page(&s->store, &page));
    assert_int_equal(page.count, 1);
    assert_int_equal(page.due[0].paid_until_s, 7000);
}

static void a_notice_is_read_until_its_time_and_for_its_matter(void **state)
{
    struct stored *s = *state;

    assert_result(TG_NOTICE_UNREAD, tg_notice_find(&s->store, "a", "expiring", 100));
    assert_result(0, tg_notice_read(&s->store, "a", "expiring", 200));
    assert_result(0, tg_notice_find(&s->store, "a", "expiring", 199));
    assert_result(TG_NOTICE_UNREAD, tg_notice_find(&s->store, "a", "expiring", 200));
    assert_result(TG_NOTICE_UNREAD, tg_notice_find(&s->store, "a", "grace", 100));
    assert_result(TG_NOTICE_UNREAD, tg_notice_find(&s->store, "b", "expiring", 100));
    assert_result(0, tg_notice_read(&s->store, "a", "grace", 300));
    assert_result(0, tg_notice_find(&s->store, "a", "grace", 299));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        clock_test(judging_follows_the_clock_in_small_steps_only),
        clock_test(what_was_kept_is_read),
        clock_test(a_doubt_stays_until_the_clock_is_accepted),
        clock_test(time_stands_still_until_this_start_of_the_machine_is_known),
        clock_test(transitions_come_in_order_and_a_new_end_is_due_at_once),
        clock_test(a_notice_is_read_until_its_time_and_for_its_matter),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
