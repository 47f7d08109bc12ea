#include "test.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/result.h"
#include "subscription/interstitial.h"
#include "subscription/standing.h"

enum { DAY = 86400 };

static const struct tg_subscription_conf usual = {.warning_s = 14 * DAY, .grace_s = 7 * DAY, .retention_s = 90 * DAY};
static const struct tg_subscription_conf strict = {.warning_s = 14 * DAY, .grace_s = 7 * DAY, .grace_level = 1, .retention_s = 90 * DAY};
static const struct tg_subscription_conf abrupt = {.warning_s = 0, .grace_s = 0, .retention_s = DAY};
static const struct tg_subscription_conf guests_read = {.without_subscription = 1};
static const struct tg_subscription_conf guests_welcome = {.without_subscription = 2};

/* The subscription ends on 2028-02-29T12:00:00Z, a leap day; "" is none. */
static const struct {
    const char *now;
    const struct tg_subscription_conf *rules;
    const char *end;
    enum tg_hold_level hold;
    enum tg_hold_kind kind;
    bool is_operator;
    enum tg_phase phase;
    enum tg_level level;
    bool held;
    const char *since, *next; /* "" is unknown, or never */
} cases[] = {
    /* each boundary: the last second before, the first behind */
    {"2020-01-01T00:00:00Z", &usual, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_ACTIVE, TG_LEVEL_FULL, false, "", "2028-02-15T12:00:00Z"},
    {"2028-02-15T11:59:59Z", &usual, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_ACTIVE, TG_LEVEL_FULL, false, "", "2028-02-15T12:00:00Z"},
    {"2028-02-15T12:00:00Z", &usual, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_EXPIRING, TG_LEVEL_NOTICE, false, "2028-02-15T12:00:00Z", "2028-02-29T12:00:00Z"},
    {"2028-02-29T11:59:59Z", &usual, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_EXPIRING, TG_LEVEL_NOTICE, false, "2028-02-15T12:00:00Z", "2028-02-29T12:00:00Z"},
    {"2028-02-29T12:00:00Z", &usual, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_GRACE, TG_LEVEL_NOTICE, false, "2028-02-29T12:00:00Z", "2028-03-07T12:00:00Z"},
    {"2028-03-07T11:59:59Z", &usual, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_GRACE, TG_LEVEL_NOTICE, false, "2028-02-29T12:00:00Z", "2028-03-07T12:00:00Z"},
    {"2028-03-07T12:00:00Z", &usual, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_EXPIRED, TG_LEVEL_BLOCKED, false, "2028-03-07T12:00:00Z", "2028-06-05T12:00:00Z"},
    {"2028-06-05T11:59:59Z", &usual, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_EXPIRED, TG_LEVEL_BLOCKED, false, "2028-03-07T12:00:00Z", "2028-06-05T12:00:00Z"},
    {"2028-06-05T12:00:00Z", &usual, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_ENDED, TG_LEVEL_GONE, false, "2028-06-05T12:00:00Z", ""},
    {"2028-03-01T00:00:00Z", &strict, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_GRACE, TG_LEVEL_READONLY, false, "2028-02-29T12:00:00Z", "2028-03-07T12:00:00Z"},
    /* an end at the end of a day, which is the first second of the next; the 29th of February counts as a day of grace */
    {"2028-02-28T23:59:59Z", &usual, "2028-02-28", 0, 0, false, TG_PHASE_EXPIRING, TG_LEVEL_NOTICE, false, "2028-02-15T00:00:00Z", "2028-02-29T00:00:00Z"},
    {"2028-02-29T00:00:00Z", &usual, "2028-02-28", 0, 0, false, TG_PHASE_GRACE, TG_LEVEL_NOTICE, false, "2028-02-29T00:00:00Z", "2028-03-07T00:00:00Z"},
    {"2027-03-07T23:59:59Z", &usual, "2027-02-28", 0, 0, false, TG_PHASE_GRACE, TG_LEVEL_NOTICE, false, "2027-03-01T00:00:00Z", "2027-03-08T00:00:00Z"},
    {"2028-03-07T00:00:00Z", &usual, "2028-02-28", 0, 0, false, TG_PHASE_EXPIRED, TG_LEVEL_BLOCKED, false, "2028-03-07T00:00:00Z", "2028-06-05T00:00:00Z"},
    /* a hold that is not as bad as what time has done is not told */
    {"2028-03-08T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_READONLY, TG_HOLD_NONPAYMENT, false, TG_PHASE_EXPIRED, TG_LEVEL_BLOCKED, false, "2028-03-07T12:00:00Z", "2028-06-05T12:00:00Z"},
    {"2028-02-20T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_BLOCKED, TG_HOLD_GITEA, false, TG_PHASE_EXPIRING, TG_LEVEL_BLOCKED, true, "2027-12-31T00:00:00Z", "2028-02-29T12:00:00Z"},
    /* operators: not in any phase */
    {"2028-03-01T00:00:00Z", &strict, "2028-02-29T12:00:00Z", 0, 0, true, TG_PHASE_GRACE, TG_LEVEL_FULL, false, "2028-02-29T12:00:00Z", ""},
    /* windows of no length do not exist */
    {"2028-02-29T11:59:59Z", &abrupt, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_ACTIVE, TG_LEVEL_FULL, false, "", "2028-02-29T12:00:00Z"},
    {"2028-02-29T12:00:00Z", &abrupt, "2028-02-29T12:00:00Z", 0, 0, false, TG_PHASE_EXPIRED, TG_LEVEL_BLOCKED, false, "2028-02-29T12:00:00Z", "2028-03-01T12:00:00Z"},
    /* no subscription ever */
    {"2028-01-01T00:00:00Z", &usual, "", 0, 0, false, TG_PHASE_NONE, TG_LEVEL_BLOCKED, false, "", ""},
    {"2028-01-01T00:00:00Z", &guests_read, "", 0, 0, false, TG_PHASE_NONE, TG_LEVEL_READONLY, false, "", ""},
    {"2028-01-01T00:00:00Z", &guests_welcome, "", 0, 0, false, TG_PHASE_NONE, TG_LEVEL_FULL, false, "", ""},
    /* holds: the worst wins; times go on */
    {"2028-01-01T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_READONLY, TG_HOLD_ABUSE, false, TG_PHASE_ACTIVE, TG_LEVEL_READONLY, true, "2027-12-31T00:00:00Z", "2028-02-15T12:00:00Z"},
    {"2028-01-01T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_BLOCKED, TG_HOLD_NONPAYMENT, false, TG_PHASE_ACTIVE, TG_LEVEL_BLOCKED, true, "2027-12-31T00:00:00Z", "2028-02-15T12:00:00Z"},
    {"2028-02-20T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_READONLY, TG_HOLD_QUOTA, false, TG_PHASE_EXPIRING, TG_LEVEL_READONLY, true, "2027-12-31T00:00:00Z", "2028-02-29T12:00:00Z"},
    {"2028-04-01T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_READONLY, TG_HOLD_ABUSE, false, TG_PHASE_EXPIRED, TG_LEVEL_BLOCKED, false, "2028-03-07T12:00:00Z", "2028-06-05T12:00:00Z"},
    {"2028-07-01T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_BLOCKED, TG_HOLD_LEGAL, false, TG_PHASE_ENDED, TG_LEVEL_GONE, false, "2028-06-05T12:00:00Z", ""},
    {"2028-01-01T00:00:00Z", &guests_welcome, "", TG_HOLD_BLOCKED, TG_HOLD_ADMIN, false, TG_PHASE_NONE, TG_LEVEL_BLOCKED, true, "2027-12-31T00:00:00Z", ""},
    /* equally bad: what paying does not lift is told */
    {"2028-04-01T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_BLOCKED, TG_HOLD_ABUSE, false, TG_PHASE_EXPIRED, TG_LEVEL_BLOCKED, true, "2027-12-31T00:00:00Z", "2028-06-05T12:00:00Z"},
    {"2028-04-01T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_BLOCKED, TG_HOLD_NONPAYMENT, false, TG_PHASE_EXPIRED, TG_LEVEL_BLOCKED, false, "2028-03-07T12:00:00Z", "2028-06-05T12:00:00Z"},
    {"2028-03-01T00:00:00Z", &strict, "2028-02-29T12:00:00Z", TG_HOLD_READONLY, TG_HOLD_NONPAYMENT, false, TG_PHASE_GRACE, TG_LEVEL_READONLY, false, "2028-02-29T12:00:00Z", "2028-03-07T12:00:00Z"},
    {"2028-03-01T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_READONLY, TG_HOLD_NONPAYMENT, false, TG_PHASE_GRACE, TG_LEVEL_READONLY, true, "2027-12-31T00:00:00Z", "2028-03-07T12:00:00Z"},
    /* operators are never judged */
    {"2028-07-01T00:00:00Z", &usual, "2028-02-29T12:00:00Z", TG_HOLD_BLOCKED, TG_HOLD_ADMIN, true, TG_PHASE_ENDED, TG_LEVEL_FULL, false, "2028-06-05T12:00:00Z", ""},
    {"2028-07-01T00:00:00Z", &usual, "", 0, 0, true, TG_PHASE_NONE, TG_LEVEL_FULL, false, "", ""},
};

static int64_t at(const char *iso, int64_t otherwise)
{
    int64_t when_s = otherwise;

    if (iso[0] != '\0')
        assert_int_equal(tg_time_parse(iso, 0, &when_s), 0);
    return when_s;
}

static void phase_and_level_follow_from_facts_rules_and_time(void **state)
{
    for (size_t i = 0; i < tg_count(cases); i++) {
        struct tg_facts facts = {.is_operator = cases[i].is_operator, .hold = cases[i].hold, .hold_kind = cases[i].kind,
                                 .hold_since_s = at("2027-12-31T00:00:00Z", 0), .subscribed = cases[i].end[0] != '\0',
                                 .paid_until_s = at(cases[i].end, 0)};
        struct tg_standing got;

        tg_standing(&facts, cases[i].rules, at(cases[i].now, 0), &got);
        print_message("# case %zu: %s %s%s\n", i, tg_phase_name(got.phase), tg_level_name(got.level), got.held ? " held" : "");
        assert_string_equal(tg_phase_name(got.phase), tg_phase_name(cases[i].phase));
        assert_string_equal(tg_level_name(got.level), tg_level_name(cases[i].level));
        assert_int_equal(got.held, cases[i].held);
        assert_int_equal(got.since_s, at(cases[i].since, 0));
        assert_int_equal(got.next_transition_s, at(cases[i].next, INT64_MAX));
        assert_int_equal(got.end_s, at(cases[i].end, 0));
        assert_int_equal(got.closed_s, facts.subscribed ? got.end_s + cases[i].rules->grace_s : 0);
    }
}

static void nothing_changes_before_the_next_transition(void **state)
{
    struct tg_facts facts = {.subscribed = true, .paid_until_s = at("2028-02-29T12:00:00Z", 0)};
    struct tg_standing now, before, then;
    int64_t now_s = 0;

    for (int steps = 0; steps < 4; steps++) {
        tg_standing(&facts, &usual, now_s, &now);
        assert_true(now.next_transition_s > now_s);
        tg_standing(&facts, &usual, now.next_transition_s - 1, &before);
        tg_standing(&facts, &usual, now.next_transition_s, &then);
        assert_int_equal(before.phase, now.phase);
        assert_int_equal(then.phase, now.phase + 1);
        now_s = now.next_transition_s;
    }
    tg_standing(&facts, &usual, now_s, &now);
    assert_true(now.next_transition_s == INT64_MAX);
}

static void ends_beyond_the_calendar_stay_open(void **state)
{
    struct tg_facts facts = {.subscribed = true, .paid_until_s = INT64_MAX - 1};
    struct tg_standing got;

    tg_standing(&facts, &usual, INT64_C(253402300799), &got);
    assert_int_equal(got.level, TG_LEVEL_FULL);
    assert_true(got.closed_s == INT64_MAX && got.deleted_s == INT64_MAX);
    facts.paid_until_s = INT64_MIN;
    tg_standing(&facts, &usual, 0, &got);
    assert_int_equal(got.level, TG_LEVEL_GONE);
}

/* The last second of each day and the first of the next, as the account's clock shows them. */
static void the_page_about_the_end_comes_back_with_the_account_s_own_day(void **state)
{
    static const struct {
        const char *now, *zone, *until;
    } days[] = {
        {"2028-02-29T00:00:00Z", "UTC", "2028-03-01T00:00:00Z"},
        {"2028-02-28T23:59:59Z", "UTC", "2028-02-29T00:00:00Z"},
        {"2028-02-28T23:59:59Z", "Europe/Berlin", "2028-02-29T23:00:00Z"},
        {"2028-02-29T22:59:59Z", "Europe/Berlin", "2028-02-29T23:00:00Z"},
        {"2028-07-01T10:00:00Z", "Europe/Berlin", "2028-07-01T22:00:00Z"},
        {"2028-03-26T00:30:00Z", "Europe/Berlin", "2028-03-26T22:00:00Z"}, /* 23 hours long */
        {"2028-10-29T00:30:00Z", "Europe/Berlin", "2028-10-29T23:00:00Z"}, /* 25 hours long */
        {"2028-06-01T00:00:00Z", "America/New_York", "2028-06-01T04:00:00Z"},
        {"2028-06-01T05:00:00Z", "Asia/Kathmandu", "2028-06-01T18:15:00Z"},
        {"2028-06-01T11:00:00Z", "Pacific/Kiritimati", "2028-06-02T10:00:00Z"},
        {"2028-06-01T11:00:00Z", "Nowhere/Land", "2028-06-02T00:00:00Z"},
    };

    for (size_t i = 0; i < tg_count(days); i++) {
        char until[TG_TIME_ISO];

        tg_time_iso(tg_interstitial_day_end(at(days[i].now, 0), days[i].zone), until);
        print_message("# %s %s\n", days[i].now, days[i].zone);
        assert_string_equal(until, days[i].until);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phase_and_level_follow_from_facts_rules_and_time),
        cmocka_unit_test(nothing_changes_before_the_next_transition),
        cmocka_unit_test(ends_beyond_the_calendar_stay_open),
        cmocka_unit_test(the_page_about_the_end_comes_back_with_the_account_s_own_day),
    };

    return RUN_TESTS(tests);
}
