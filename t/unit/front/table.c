/* table.c - the bounded table and the sealed cookie */
#include "../base/test.h"
#include <stdbool.h>
#include <string.h>
#include "base/secret.h"
#include "front/session_cookie.h"
#include "front/table.h"

static void key_of(uint32_t number, uint8_t key[TG_TABLE_KEY])
{
    tg_digest(tg_text_n((const char *)&number, sizeof(number)), key);
}

static void what_was_asked_for_last_stays(void **state)
{
    struct tg_table table;
    uint8_t key[TG_TABLE_KEY], favourite[TG_TABLE_KEY];
    size_t found = 0;

    (void)state;
    tg_table_init(&table, 1024, sizeof(uint32_t));
    key_of(0, favourite);
    *(uint32_t *)tg_table_put(&table, favourite) = 0;
    for (uint32_t i = 1; i < 20000; ++i) {
        key_of(i, key);
        assert_null(tg_table_find(&table, key));
        *(uint32_t *)tg_table_put(&table, key) = i;
        assert_non_null(tg_table_find(&table, favourite));
    }
    for (uint32_t i = 0; i < 20000; ++i) {
        uint32_t *value;

        key_of(i, key);
        if ((value = tg_table_find(&table, key)) == NULL)
            continue;
        assert_int_equal(*value, i);
        ++found;
    }
    assert_true(found > 1000 && found <= 1024);
    assert_int_equal(table.used, found);
    tg_table_drop(&table, favourite);
    assert_null(tg_table_find(&table, favourite));
    assert_int_equal(*(uint32_t *)tg_table_put(&table, favourite), 0);
    tg_table_clear(&table);
    assert_null(tg_table_find(&table, favourite));
    tg_table_done(&table);
}

/* Account ids, which are text. A fourth of the places is taken: hardly anybody should have to give way. */
static void ids_are_spread_over_the_whole_table(void **state)
{
    enum { PLACES = 16384, IDS = PLACES / 4 };
    struct tg_table table;
    uint8_t key[TG_TABLE_KEY] = {0};

    (void)state;
    tg_table_init(&table, PLACES, sizeof(uint32_t));
    for (uint32_t i = 0; i < IDS; ++i) {
        tg_random_id((char *)key);
        tg_table_put(&table, key);
    }
    assert_in_range(table.evicted, 0, IDS / 50);
    tg_table_done(&table);
}

static void a_sealed_cookie_opens_for_its_instance_only(void **state)
{
    struct tg_keyring ring = {.count = 1}, other = {.count = 1};
    struct tg_gateway_cookie cookie = {.state = TG_GATEWAY_SIGNED_IN, .gitea_session = "0123456789abcdef",
                                       .account = "abcdefghijklmnopqrstuvwxyz", .epoch = 7, .issued_s = -1}, opened;
    char value[TG_GATEWAY_COOKIE_VALUE];

    (void)state;
    memset(ring.keys[0].bytes, 1, TG_KEY);
    memset(other.keys[0].bytes, 2, TG_KEY);
    tg_gateway_cookie_seal(&ring, "a.example", &cookie, value);
    assert_int_equal(tg_gateway_cookie_open(&ring, "a.example", tg_text(value), &opened), 0);
    assert_memory_equal(&opened, &cookie, sizeof(cookie));
    assert_int_equal(tg_gateway_cookie_open(&ring, "b.example", tg_text(value), &opened), TG_GATEWAY_COOKIE_BROKEN);
    assert_int_equal(tg_gateway_cookie_open(&other, "a.example", tg_text(value), &opened), TG_GATEWAY_COOKIE_BROKEN);
    assert_int_equal(tg_gateway_cookie_open(&ring, "a.example", tg_text_n(value, strlen(value) - 1), &opened), TG_GATEWAY_COOKIE_BROKEN);
    value[20] = value[20] == 'A' ? 'B' : 'A';
    assert_int_equal(tg_gateway_cookie_open(&ring, "a.example", tg_text(value), &opened), TG_GATEWAY_COOKIE_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_asked_for_last_stays),
        cmocka_unit_test(ids_are_spread_over_the_whole_table),
        cmocka_unit_test(a_sealed_cookie_opens_for_its_instance_only),
    };

    return tg_secret_init() == 0 ? RUN_TESTS(tests) : 1;
}
