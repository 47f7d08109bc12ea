#include "test.h"
#include <string.h>
#include "base/result.h"
#include "subscription/words.h"

enum { DAY = 86400 };

static const int64_t end_s = 1796058000; /* 2026-11-30T17:00:00Z */

static struct tg_subscription_conf rules(void)
{
    return (struct tg_subscription_conf){.warning_s = 14 * DAY, .grace_s = 14 * DAY, .retention_s = 90 * DAY,
                                         .renew_url = "https://auth.example/renew", .contact_url = "https://auth.example/contact",
                                         .takeout_url = "https://auth.example/takeout", .zone = "Europe/Berlin"};
}

static struct tg_facts subscriber(void)
{
    return (struct tg_facts){.login = "mara", .subscribed = true, .paid_until_s = end_s};
}

static void tell(const struct tg_facts *facts, const struct tg_subscription_conf *conf, int64_t now_s, struct tg_arena *arena, struct tg_words *out)
{
    struct tg_standing standing;

    tg_standing(facts, conf, now_s, &standing);
    tg_words(facts, &standing, conf, arena, out);
}

static void check_lines(const struct tg_words *words)
{
    struct tg_text rest = words->lines;

    assert_true(tg_text_ends(rest, "\n"));
    for (size_t i = 0; i < rest.len; i++)
        assert_true(rest.base[i] == '\n' || (rest.base[i] >= ' ' && rest.base[i] < 0x7f));
    while (rest.len > 0) {
        struct tg_text line = tg_text_cut(&rest, '\n');

        print_message("# %.*s\n", TG_TEXT_ARGS(line));
        assert_true(line.len > 0 && line.len <= 78);
    }
    assert_null(strchr(words->line.base, '\n'));
    assert_null(strchr(words->lines.base, '{'));
    assert_null(strchr(words->what.base, '{'));
}

static void git_reads_short_lines_with_the_link_last(void **state)
{
    static const struct {
        int64_t after_s;
        int grace_level;
        const char *lines;
    } cases[] = {
        {-7 * DAY, 0, "Your subscription ends on 30 November 2026, 18:00 CET.\nRenew it here: https://auth.example/renew\n"},
        {DAY, 0, "Your subscription ended on 30 November 2026, 18:00 CET.\nEverything works until 14 December 2026, 18:00 CET.\n"
                 "Renew it here: https://auth.example/renew\n"},
        {DAY, 1, "Your subscription ended on 30 November 2026, 18:00 CET.\n"
                 "You can fetch, but not push, until you renew. Your commits stay with you.\n"
                 "Renew it here: https://auth.example/renew\n"},
        {20 * DAY, 0, "Your subscription ended on 30 November 2026, 18:00 CET.\n"
                      "Your repositories are closed, and kept until 14 March 2027, 18:00 CET.\n"
                      "Renew it here: https://auth.example/renew\n"},
        {200 * DAY, 0, "Your subscription ended on 30 November 2026, 18:00 CET,\n"
                       "and we kept your repositories until 14 March 2027, 18:00 CET.\n"
                       "Begin again here: https://auth.example/renew\n"},
    };

    for (size_t i = 0; i < tg_count(cases); i++) {
        struct tg_facts facts = subscriber();
        struct tg_subscription_conf conf = rules();
        struct tg_arena arena = {NULL};
        struct tg_words words;

        conf.grace_level = cases[i].grace_level;
        tell(&facts, &conf, end_s + cases[i].after_s, &arena, &words);
        assert_string_equal(words.lines.base, cases[i].lines);
        check_lines(&words);
        tg_arena_done(&arena);
    }
}

static void pages_name_dates_in_full_and_unbroken(void **state)
{
    struct tg_facts facts = subscriber();
    struct tg_subscription_conf conf = rules();
    struct tg_arena arena = {NULL};
    struct tg_words words;

    tell(&facts, &conf, end_s + 20 * DAY, &arena, &words);
    assert_string_equal(words.state.base, "Closed since 14\u00a0December 2026");
    assert_string_equal(words.heading.base, "Your repositories are closed, and kept, until you renew");
    assert_non_null(strstr(words.what.base, "ended on Monday 30\u00a0November 2026, 18:00\u00a0CET\u00a0(UTC+1). You can’t"));
    assert_string_equal(words.ended_at.base, "30\u00a0November 2026, 18:00\u00a0CET");
    assert_string_equal(words.ended_at_iso.base, "2026-11-30T17:00:00Z");
    assert_string_equal(words.deleted_at_iso.base, "2027-03-14T17:00:00Z");
    assert_string_equal(words.line.base, "Your subscription ended on 30 November 2026, 18:00 CET. Your repositories are closed, and kept "
                                         "until 14 March 2027, 18:00 CET. Renew it here: https://auth.example/renew");
    assert_string_equal(words.renew_label.base, "Renew subscription");
    assert_null(words.held_since.base);
    tg_arena_done(&arena);
}

static void the_zone_is_the_accounts_then_the_operators(void **state)
{
    struct tg_facts facts = subscriber();
    struct tg_subscription_conf conf = rules();
    struct tg_arena arena = {NULL};
    struct tg_words words;

    strcpy(facts.zone, "America/New_York");
    tell(&facts, &conf, end_s + 20 * DAY, &arena, &words);
    assert_string_equal(words.ended_at.base, "30\u00a0November 2026, 12:00\u00a0EST");
    facts.zone[0] = '\0';
    conf.zone = NULL;
    tell(&facts, &conf, end_s + 20 * DAY, &arena, &words);
    assert_string_equal(words.ended_at.base, "30\u00a0November 2026, 17:00\u00a0UTC");
    tg_arena_done(&arena);
}

static void holds_are_told_without_who_reported_what(void **state)
{
    struct tg_subscription_conf conf = rules(), alone = rules();

    alone.contact_url = NULL;
    for (int kind = TG_HOLD_NONPAYMENT; kind <= TG_HOLD_GITEA; kind++) {
        struct tg_facts facts = subscriber();
        struct tg_arena arena = {NULL};
        struct tg_words words;

        facts.hold = TG_HOLD_BLOCKED;
        facts.hold_kind = (enum tg_hold_kind)kind;
        facts.hold_since_s = end_s - 60 * DAY;
        tell(&facts, &conf, end_s - 50 * DAY, &arena, &words);
        check_lines(&words);
        assert_string_equal(words.state.base, "On hold since 1\u00a0October 2026");
        assert_true(tg_text_starts(words.heading, "Your account is on hold"));
        assert_int_equal(words.renew_url.base != NULL, kind == TG_HOLD_NONPAYMENT);
        assert_true(tg_text_ends(words.lines, kind == TG_HOLD_NONPAYMENT ? "/renew\n" : "/contact\n"));

        facts.hold_since_s = 0;
        tell(&facts, &alone, end_s - 50 * DAY, &arena, &words);
        assert_string_equal(words.state.base, "On hold");
        assert_null(words.held_since.base);
        assert_int_equal(words.remedy.base != NULL, kind == TG_HOLD_NONPAYMENT);
        tg_arena_done(&arena);
    }
}

static void nothing_is_said_to_accounts_in_good_standing(void **state)
{
    struct tg_facts facts = subscriber(), operator = {.is_operator = true};
    struct tg_subscription_conf conf = rules();
    struct tg_arena arena = {NULL};
    struct tg_words words;

    tell(&facts, &conf, end_s - 60 * DAY, &arena, &words);
    assert_true(words.title.base == NULL && words.lines.base == NULL && words.line.base == NULL && words.renew_url.base == NULL);
    tell(&operator, &conf, end_s, &arena, &words);
    assert_null(words.lines.base);
    tg_arena_done(&arena);
}

static void accounts_without_a_subscription_are_told_how_to_begin(void **state)
{
    struct tg_facts facts = {.login = "mara"};
    struct tg_subscription_conf conf = rules();
    struct tg_arena arena = {NULL};
    struct tg_words words;

    for (int level = 0; level < 2; level++) {
        conf.without_subscription = level;
        tell(&facts, &conf, end_s, &arena, &words);
        check_lines(&words);
        assert_true(tg_text_ends(words.lines, "Begin one here: https://auth.example/renew\n"));
        assert_true(words.ended_at.base == NULL && words.takeout_url.base == NULL);
    }
    tg_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(git_reads_short_lines_with_the_link_last),
        cmocka_unit_test(pages_name_dates_in_full_and_unbroken),
        cmocka_unit_test(the_zone_is_the_accounts_then_the_operators),
        cmocka_unit_test(holds_are_told_without_who_reported_what),
        cmocka_unit_test(nothing_is_said_to_accounts_in_good_standing),
        cmocka_unit_test(accounts_without_a_subscription_are_told_how_to_begin),
    };

    return RUN_TESTS(tests);
}
