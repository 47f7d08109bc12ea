#include "test.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "base/result.h"
#include "base/text.h"
#include "base/zone.h"

static const char *const places[] = {
    "Europe/Berlin",    "Europe/London",   "Europe/Dublin",     "America/New_York", "America/Sao_Paulo", "America/St_Johns",
    "Australia/Sydney", "Africa/Casablanca", "Asia/Kolkata",    "Asia/Tehran",      "Asia/Tokyo",        "Pacific/Chatham",
    "Pacific/Apia",     "Antarctica/Troll", "America/Nuuk",     "Asia/Gaza",        "Africa/Monrovia",   "UTC",
};

/* What the C library says, for which TZ must be set. */
static void library_words(int64_t when_s, char *out, size_t size)
{
    time_t when = (time_t)when_s;
    struct tm tm;

    localtime_r(&when, &tm);
    strftime(out, size, "%A %-d %B %Y, %H:%M:%S %z", &tm);
}

static void our_words(int64_t when_s, const struct tg_zone *zone, const char *name, char *out, size_t size)
{
    struct tg_zone_offset there;
    char words[TG_TIME_WORDS], iso[TG_TIME_ISO];

    tg_zone_offset(zone, when_s, &there);
    tg_time_long(when_s, name, words);
    tg_time_iso(when_s + there.seconds, iso);
    words[strcspn(words, ":")] = '\0';
    int minutes = abs(there.seconds) / 60;
    snprintf(out, size, "%s:%.5s %c%02d%02d", words, iso + 14, there.seconds < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* Every five days and some hours from 1900 to 2200. */
static void every_zone_agrees_with_the_library(void **state)
{
    for (size_t i = 0; i < tg_count(places); i++) {
        const struct tg_zone *zone = tg_zone_find(places[i]);

        assert_non_null(zone);
        setenv("TZ", places[i], 1);
        tzset();
        for (int64_t when = -2208988800; when < 7258118400; when += 5 * 86400 + 3607) {
            char theirs[128], ours[160];

            library_words(when, theirs, sizeof(theirs));
            our_words(when, zone, places[i], ours, sizeof(ours));
            if (strcmp(theirs, ours) != 0)
                print_message("%s at %lld\n", places[i], (long long)when);
            assert_string_equal(ours, theirs);
        }
    }
    unsetenv("TZ");
}

static int64_t our_offset(const struct tg_zone *zone, int64_t when_s)
{
    struct tg_zone_offset there;

    tg_zone_offset(zone, when_s, &there);
    return there.seconds;
}

static int64_t library_offset(int64_t when_s)
{
    time_t when = (time_t)when_s;
    struct tm tm;

    localtime_r(&when, &tm);
    return tm.tm_gmtoff;
}

/* The first second of the new offset between two times. */
static int64_t find_change(const struct tg_zone *zone, int64_t low, int64_t high)
{
    int64_t before = our_offset(zone, low);

    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;

        if (our_offset(zone, middle) == before)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static void changes_happen_at_the_right_second(void **state)
{
    enum { DAY = 86400 };

    for (size_t i = 0; i < tg_count(places); i++) {
        const struct tg_zone *zone = tg_zone_find(places[i]);
        int changes = 0;

        setenv("TZ", places[i], 1);
        tzset();
        for (int64_t when = 1577836800; when < 4102444800; when += DAY) { /* 2020 to 2100 */
            if (our_offset(zone, when) == our_offset(zone, when + DAY))
                continue;
            int64_t change = find_change(zone, when, when + DAY);
            assert_int_equal(our_offset(zone, change - 1), library_offset(change - 1));
            assert_int_equal(our_offset(zone, change), library_offset(change));
            changes++;
        }
        if (strcmp(places[i], "Europe/Berlin") == 0)
            assert_int_equal(changes, 160);
    }
    unsetenv("TZ");
}

static void times_are_named_in_two_lengths(void **state)
{
    static const struct {
        int64_t when;
        const char *zone, *longer, *shorter;
    } cases[] = {
        {1796058000, "Europe/Berlin", "Monday 30 November 2026, 18:00 CET (UTC+1)", "30 November 2026, 18:00 CET"},
        {1796058000, "UTC", "Monday 30 November 2026, 17:00 UTC", "30 November 2026, 17:00 UTC"},
        {1796058000, "Europe/London", "Monday 30 November 2026, 17:00 GMT (UTC)", "30 November 2026, 17:00 GMT"},
        {1796058000, "Asia/Kolkata", "Monday 30 November 2026, 22:30 IST (UTC+5:30)", "30 November 2026, 22:30 IST"},
        {1796058000, "Asia/Tehran", "Monday 30 November 2026, 20:30 UTC+3:30", "30 November 2026, 20:30 UTC+3:30"},
        {1796058000, "America/New_York", "Monday 30 November 2026, 12:00 EST (UTC-5)", "30 November 2026, 12:00 EST"},
        {1796058000, "No/Where", "Monday 30 November 2026, 17:00 UTC", "30 November 2026, 17:00 UTC"},
        {1796058000, "../UTC", "Monday 30 November 2026, 17:00 UTC", "30 November 2026, 17:00 UTC"},
        {1796058000, NULL, "Monday 30 November 2026, 17:00 UTC", "30 November 2026, 17:00 UTC"},
        {1709164800, "UTC", "Thursday 29 February 2024, 00:00 UTC", "29 February 2024, 00:00 UTC"},
        {4107542399, "UTC", "Sunday 28 February 2100, 23:59 UTC", "28 February 2100, 23:59 UTC"},
        {4107542400, "Europe/Berlin", "Monday 1 March 2100, 01:00 CET (UTC+1)", "1 March 2100, 01:00 CET"},
        {4118000000, "Europe/Berlin", "Wednesday 30 June 2100, 02:53 CEST (UTC+2)", "30 June 2100, 02:53 CEST"},
        {1792889999, "Europe/Berlin", "Sunday 25 October 2026, 02:59 CEST (UTC+2)", "25 October 2026, 02:59 CEST"},
        {1792890000, "Europe/Berlin", "Sunday 25 October 2026, 02:00 CET (UTC+1)", "25 October 2026, 02:00 CET"},
        {INT64_MAX, "Pacific/Apia", "Friday 31 December 9999, 23:59 UTC+13", "31 December 9999, 23:59 UTC+13"},
        {INT64_MIN, "UTC", "Monday 1 January 1, 00:00 UTC", "1 January 1, 00:00 UTC"},
    };

    for (size_t i = 0; i < tg_count(cases); i++) {
        char words[TG_TIME_WORDS];

        tg_time_long(cases[i].when, cases[i].zone, words);
        assert_string_equal(words, cases[i].longer);
        tg_time_short(cases[i].when, cases[i].zone, words);
        assert_string_equal(words, cases[i].shorter);
    }
}

static void rules_are_read_whole_or_not_at_all(void **state)
{
    static const char *const none[] = {"", "CE-1", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
                                       "<+01-1", "CET-1CEST,J0,1", "CET-168", "CET-1x", "CET-1CEST,M3.6.0,M10.5.0", "CET-1:60",
                                       "<>0", "CET-1CEST,M3.5.0,M10.5.0/3 ", "TOOLONGABBREVIATION-1"};
    struct tg_zone_offset there;

    for (size_t i = 0; i < tg_count(none); i++)
        assert_false(tg_zone_rule_offset(none[i], 0, &there));
    assert_true(tg_zone_rule_offset("EST5EDT,0/0,J365/25", 1796058000, &there)); /* summer all year (RFC 9636 3.3.1) */
    assert_int_equal(there.seconds, -4 * 3600);
    /* J60 is 1 March in a leap year too */
    assert_true(tg_zone_rule_offset("XXX3YYY,J60,J300", 1709164800 + 86400 + 4 * 3600, &there));
    assert_int_equal(there.seconds, -3 * 3600);
    assert_true(tg_zone_rule_offset("XXX3YYY,J60,J300", 1709164800 + 86400 + 5 * 3600, &there));
    assert_int_equal(there.seconds, -2 * 3600);
}

static void written_times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t when; /* INT64_MIN: none */
    } cases[] = {
        {"2026-12-31", 1798761600},          {"2026-12-31T18:00:00Z", 1798740000}, {"2024-02-29", 1709251200},
        {"2023-02-29", INT64_MIN},           {"2100-02-29", INT64_MIN},            {"2000-02-29T00:00:00Z", 951782400},
        {"2026-04-31", INT64_MIN},           {"2026-13-01", INT64_MIN},            {"2026-00-01", INT64_MIN},
        {"2026-01-00", INT64_MIN},           {"0000-01-01", INT64_MIN},            {"2026-1-1", INT64_MIN},
        {"2026-12-31T24:00:00Z", INT64_MIN}, {"2026-12-31T18:60:00Z", INT64_MIN},  {"2026-12-31T18:00:60Z", INT64_MIN},
        {"2026-12-31T18:00Z", INT64_MIN},    {"2026-12-31T18:00:00", INT64_MIN},   {"2026-12-31T18:00:00Zx", INT64_MIN},
        {"2026-12-31 ", INT64_MIN},          {"", INT64_MIN},                      {"9999-12-31", INT64_MIN},
        {"9999-12-31T23:59:59Z", 253402300799},                                    {"1969-12-31T23:59:59Z", -1},
        {"+30d", 1000 + 30 * 86400},         {"-3d", 1000 - 3 * 86400},            {"+12h", 1000 + 12 * 3600},
        {"+15m", 1900},                      {"+90s", 1090},                       {"+0s", 1000},
        {"30d", INT64_MIN},                  {"+30", INT64_MIN},                   {"+d", INT64_MIN},
        {"+", INT64_MIN},                    {"+3w", INT64_MIN},                   {"+-3d", INT64_MIN},
        {"+99999999999999d", INT64_MIN},     {"-900000d", INT64_MIN},              {"+1 d", INT64_MIN},
    };

    for (size_t i = 0; i < tg_count(cases); i++) {
        int64_t when = INT64_MIN;
        int result = tg_time_parse(cases[i].text, 1000, &when);

        if (when != cases[i].when)
            print_message("\"%s\"\n", cases[i].text);
        assert_true(when == cases[i].when);
        assert_int_equal(result, cases[i].when == INT64_MIN ? TG_TIME_UNREADABLE : 0);
    }
}

static void written_times_come_back_as_they_were(void **state)
{
    for (int64_t when = -62135596800; when < 253402300799; when += 86400 * 17 + 4241) {
        char iso[TG_TIME_ISO];
        int64_t back;

        tg_time_iso(when, iso);
        assert_int_equal(strlen(iso), TG_TIME_ISO - 1);
        assert_int_equal(tg_time_parse(iso, 0, &back), 0);
        assert_true(back == when);
    }
}

static void *name_times(void *unused)
{
    for (size_t i = 0; i < 2000; i++) {
        char words[TG_TIME_WORDS];

        tg_time_long(1796058000, places[i % tg_count(places)], words);
    }
    return unused;
}

static void threads_may_name_times_together(void **state)
{
    pthread_t threads[4];

    for (size_t i = 0; i < tg_count(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, name_times, NULL), 0);
    for (size_t i = 0; i < tg_count(threads); i++)
        pthread_join(threads[i], NULL);
}

static void clocks_run(void **state)
{
    int64_t before = tg_monotonic_ms();

    assert_true(tg_now_s() > 1700000000);
    assert_true(tg_now_ms() / 1000 - tg_now_s() <= 1);
    assert_true(tg_monotonic_ms() >= before);
}

static void a_time_in_a_zone_is_found(void **state)
{
    static const struct {
        const char *local, *zone, *utc;
    } cases[] = {
        {"2028-02-29T18:00:00Z", "UTC", "2028-02-29T18:00:00Z"},
        {"2028-02-29T18:00:00Z", "Europe/Berlin", "2028-02-29T17:00:00Z"},
        {"2028-07-01T00:00:00Z", "Europe/Berlin", "2028-06-30T22:00:00Z"},
        {"2028-03-26T01:59:59Z", "Europe/Berlin", "2028-03-26T00:59:59Z"},
        {"2028-03-26T02:30:00Z", "Europe/Berlin", "2028-03-26T01:30:00Z"}, /* left out */
        {"2028-03-26T03:00:00Z", "Europe/Berlin", "2028-03-26T01:00:00Z"},
        {"2028-10-29T02:30:00Z", "Europe/Berlin", "2028-10-29T00:30:00Z"}, /* twice */
        {"2028-10-29T03:00:00Z", "Europe/Berlin", "2028-10-29T02:00:00Z"},
        {"2028-03-12T02:30:00Z", "America/New_York", "2028-03-12T07:30:00Z"}, /* left out */
        {"2028-11-05T01:30:00Z", "America/New_York", "2028-11-05T05:30:00Z"}, /* twice */
        {"2028-01-01T00:00:00Z", "Pacific/Kiritimati", "2027-12-31T10:00:00Z"},
        {"2028-01-01T00:00:00Z", "Nowhere/Land", "2028-01-01T00:00:00Z"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t local_s;
        char utc[TG_TIME_ISO];

        assert_int_equal(tg_time_parse(cases[i].local, 0, &local_s), 0);
        tg_time_iso(tg_time_in_zone(local_s, cases[i].zone), utc);
        print_message("# %s %s\n", cases[i].local, cases[i].zone);
        assert_string_equal(utc, cases[i].utc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_name_times_together), /* first: the database is not loaded yet */
        cmocka_unit_test(every_zone_agrees_with_the_library),
        cmocka_unit_test(changes_happen_at_the_right_second),
        cmocka_unit_test(times_are_named_in_two_lengths),
        cmocka_unit_test(rules_are_read_whole_or_not_at_all),
        cmocka_unit_test(written_times_are_read),
        cmocka_unit_test(written_times_come_back_as_they_were),
        cmocka_unit_test(a_time_in_a_zone_is_found),
        cmocka_unit_test(clocks_run),
    };

    return RUN_TESTS(tests);
}
