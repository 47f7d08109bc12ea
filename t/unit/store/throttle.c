#include "stored.h"
#include "store/throttle.h"

#define START ((int64_t)1800000000000)

static int try_at(struct stored *s, const char *name, const char *address, int64_t now_ms, struct tg_pause *pause)
{
    struct tg_throttle who = {tg_text(name), tg_text(address), now_ms};

    return tg_throttle_take(&s->store, &who, pause);
}

static void assert_paused(struct stored *s, const char *name, const char *address, int64_t now_ms, int64_t until_ms)
{
    struct tg_pause pause;

    assert_result(TG_THROTTLE_PAUSED, try_at(s, name, address, now_ms, &pause));
    assert_int_equal(pause.until_ms, until_ms);
    assert_false(pause.is_network);
}

static void five_are_free_and_then_the_pause_doubles(void **state)
{
    static const int64_t pauses_s[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300};
    struct stored *s = *state;
    struct tg_pause pause;
    int64_t now = START;

    for (int i = 0; i < TG_THROTTLE_FREE; i++)
        assert_result(0, try_at(s, "mara", "192.0.2.7", now++, &pause));
    for (size_t i = 0; i < tg_count(pauses_s); i++) {
        int64_t until = now + pauses_s[i] * 1000;
        assert_result(0, try_at(s, "mara", "192.0.2.7", now, &pause));
        assert_paused(s, "mara", "192.0.2.7", now, until);
        assert_paused(s, "mara", "192.0.2.7", until - 1, until); /* asking within it makes it no longer */
        now = until;
    }
}

static void a_pause_is_for_one_name_and_one_network(void **state)
{
    struct stored *s = *state;
    struct tg_pause pause;

    for (int i = 0; i < 6; i++)
        assert_result(0, try_at(s, "mara", "192.0.2.7", START, &pause));
    assert_paused(s, "mara", "192.0.2.7", START, START + 1000);
    assert_paused(s, "MARA", "192.0.2.7", START, START + 1000);
    assert_result(0, try_at(s, "mara", "192.0.2.8", START, &pause));
    assert_result(0, try_at(s, "mara", "::1", START, &pause));
    assert_result(0, try_at(s, "nora", "192.0.2.7", START, &pause));
    assert_result(0, try_at(s, "", "192.0.2.7", START, &pause));
}

static void a_network_is_an_ipv4_address_or_a_64(void **state)
{
    static const char *const one[] = {"2001:db8:1:2::1", "2001:db8:1:2:ffff::", "2001:db8:1:2:3:4:5:6", "2001:DB8:1:2::9"};
    static const char *const other[] = {"2001:db8:1:3::1", "2001:db8:1::1", "192.0.2.7", "nonsense"};
    struct stored *s = *state;
    struct tg_pause pause;

    for (int i = 0; i < 6; i++)
        assert_result(0, try_at(s, "mara", one[i % 4], START, &pause));
    for (size_t i = 0; i < tg_count(one); i++)
        assert_paused(s, "mara", one[i], START, START + 1000);
    for (size_t i = 0; i < tg_count(other); i++)
        assert_result(0, try_at(s, "mara", other[i], START, &pause));
    for (int i = 0; i < 5; i++)
        assert_result(0, try_at(s, "mara", "::ffff:192.0.2.7", START, &pause));
    assert_paused(s, "mara", "192.0.2.7", START, START + 1000); /* the same address */
}

static void the_right_password_begins_anew(void **state)
{
    struct stored *s = *state;
    struct tg_throttle mara = {TG_TEXT("mara"), TG_TEXT("192.0.2.7"), START};
    struct tg_pause pause;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < TG_THROTTLE_FREE; i++)
            assert_result(0, tg_throttle_take(&s->store, &mara, &pause));
        assert_result(0, tg_throttle_forgive(&s->store, &mara));
    }
    assert_result(0, try_at(s, "nora", "192.0.2.7", START, &pause));
    assert_result(0, tg_throttle_forgive(&s->store, &(struct tg_throttle){TG_TEXT("nobody"), TG_TEXT("::1"), START}));
}

static void an_hour_without_a_try_begins_anew(void **state)
{
    struct stored *s = *state;
    struct tg_pause pause;

    for (int i = 0; i < 6; i++)
        assert_result(0, try_at(s, "mara", "192.0.2.7", START, &pause));
    assert_result(0, try_at(s, "mara", "192.0.2.7", START + 3599000, &pause)); /* the seventh */
    assert_paused(s, "mara", "192.0.2.7", START + 3599000, START + 3601000);
    for (int i = 0; i < 6; i++)
        assert_result(0, try_at(s, "mara", "192.0.2.7", START + 7199000, &pause));
    assert_paused(s, "mara", "192.0.2.7", START + 7199000, START + 7200000);
}

static void a_network_has_a_hundred_a_minute(void **state)
{
    struct stored *s = *state;
    struct tg_pause pause;
    char name[16];

    for (int i = 0; i < TG_THROTTLE_NETWORK; i++) {
        snprintf(name, sizeof(name), "name%d", i);
        assert_result(0, try_at(s, name, "192.0.2.7", START + i * 500, &pause));
    }
    assert_result(TG_THROTTLE_PAUSED, try_at(s, "anybody", "192.0.2.7", START + 50000, &pause));
    assert_true(pause.is_network);
    assert_int_equal(pause.since_ms, START);
    assert_int_equal(pause.until_ms, START + 60000);
    assert_result(0, try_at(s, "anybody", "192.0.2.8", START + 50000, &pause));
    assert_result(0, try_at(s, "anybody", "192.0.2.7", START + 60000, &pause));
}

static void right_ones_do_not_use_a_network_up(void **state)
{
    struct stored *s = *state;
    struct tg_throttle who = {TG_TEXT("mara"), TG_TEXT("192.0.2.7"), START};
    struct tg_pause pause;

    for (int i = 0; i < 3 * TG_THROTTLE_NETWORK; i++) {
        assert_result(0, tg_throttle_take(&s->store, &who, &pause));
        assert_result(0, tg_throttle_forgive(&s->store, &who));
    }
}

static void a_clock_that_is_set_back_pauses_nobody_for_long(void **state)
{
    struct stored *s = *state;
    struct tg_pause pause;
    char name[16];

    for (int i = 0; i < 12; i++)
        try_at(s, "mara", "192.0.2.7", START + i * 300000, &pause);
    for (int i = 0; i < TG_THROTTLE_NETWORK; i++) {
        snprintf(name, sizeof(name), "name%d", i);
        assert_result(0, try_at(s, name, "192.0.2.9", START, &pause));
    }
    assert_result(0, try_at(s, "mara", "192.0.2.7", START - 86400000, &pause));
    assert_result(0, try_at(s, "x", "192.0.2.9", START - 86400000, &pause));
    assert_result(0, try_at(s, "y", "192.0.2.9", START - 600000, &pause));
}

static void counters_outlive_the_process_and_old_ones_go(void **state)
{
    struct stored *s = *state;
    struct tg_pause pause;
    char name[16];

    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "name%d", i);
        assert_result(0, try_at(s, name, "192.0.2.8", START - 4000000, &pause));
    }
    for (int i = 0; i < 6; i++)
        assert_result(0, try_at(s, "mara", "192.0.2.7", START, &pause));
    tg_store_close(&s->store);
    assert_result(0, tg_store_open(s->directory, &s->store));
    assert_paused(s, "mara", "192.0.2.7", START, START + 1000);
    for (int i = 0; i < 2; i++)
        assert_result(0, try_at(s, "mara", "192.0.2.6", START, &pause));

    struct tg_rows *rows;
    assert_result(0, tg_db_query(s->store.transient, "SELECT count(*) FROM throttle", NULL, 0, &rows));
    assert_result(0, tg_rows_next(rows));
    assert_int_equal(tg_row_int(rows, 0), 4); /* mara's name and network, twice */
    tg_rows_done(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(five_are_free_and_then_the_pause_doubles),
        stored_test(a_pause_is_for_one_name_and_one_network),
        stored_test(a_network_is_an_ipv4_address_or_a_64),
        stored_test(the_right_password_begins_anew),
        stored_test(an_hour_without_a_try_begins_anew),
        stored_test(a_network_has_a_hundred_a_minute),
        stored_test(right_ones_do_not_use_a_network_up),
        stored_test(a_clock_that_is_set_back_pauses_nobody_for_long),
        stored_test(counters_outlive_the_process_and_old_ones_go),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
