#include "stored.h"
#include "base/jose.h"
#include "store/signing_key.h"

static struct tg_keyring ring_of(uint8_t byte)
{
    struct tg_keyring ring = {.count = 1};

    ring.keys[0].id = byte;
    memset(ring.keys[0].bytes, byte, TG_KEY);
    return ring;
}

static int add_key(struct stored *s, const char *kid, enum tg_signing_state state, int64_t created_s)
{
    struct tg_keyring ring = ring_of(1);
    char pem[] = "-----BEGIN PRIVATE KEY-----\nnot really\n";
    struct tg_signing_key key = {.state = state, .created_s = created_s, .pem = pem};

    snprintf(key.kid, sizeof(key.kid), "%s", kid);
    return tg_signing_key_add(&s->store, &ring, &key);
}

static void wipe(struct tg_signing_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tg_wipe(keys[i].pem);
}

static void keys_come_back_newest_first(void **state)
{
    struct stored *s = *state;
    struct tg_keyring ring = ring_of(1);
    struct tg_signing_key keys[4];
    size_t count;

    assert_result(0, tg_signing_key_list(&s->store, &ring, keys, 4, &count));
    assert_int_equal(count, 0);
    assert_result(0, add_key(s, "retired", TG_SIGNING_RETIRED, 100));
    assert_one_change(&s->store, 0, TG_CHANGE_KEYS, "");
    assert_result(0, add_key(s, "next", TG_SIGNING_NEXT, 300));
    assert_result(0, add_key(s, "current", TG_SIGNING_CURRENT, 200));
    assert_result(0, tg_signing_key_list(&s->store, &ring, keys, 4, &count));
    assert_int_equal(count, 3);
    assert_string_equal(keys[0].kid, "next");
    assert_int_equal(keys[0].state, TG_SIGNING_NEXT);
    assert_string_equal(keys[1].kid, "current");
    assert_int_equal(keys[1].state, TG_SIGNING_CURRENT);
    assert_int_equal(keys[1].created_s, 200);
    assert_string_equal(keys[1].pem, "-----BEGIN PRIVATE KEY-----\nnot really\n");
    assert_string_equal(keys[2].kid, "retired");
    wipe(keys, count);
    assert_result(0, tg_signing_key_list(&s->store, &ring, keys, 2, &count));
    assert_int_equal(count, 2);
    wipe(keys, count);
}

static void there_is_one_current_key_and_one_next(void **state)
{
    struct stored *s = *state;

    assert_result(0, add_key(s, "first", TG_SIGNING_CURRENT, 1));
    assert_result(TG_SIGNING_KEY_EXISTS, add_key(s, "second", TG_SIGNING_CURRENT, 2));
    assert_result(0, add_key(s, "third", TG_SIGNING_NEXT, 3));
    assert_result(TG_SIGNING_KEY_EXISTS, add_key(s, "fourth", TG_SIGNING_NEXT, 4));
    assert_result(0, add_key(s, "fifth", TG_SIGNING_RETIRED, 5));
    assert_result(0, add_key(s, "sixth", TG_SIGNING_RETIRED, 6));
    assert_int_equal(last_change(&s->store), 4);
}

/* "NAME:STATE NAME:STATE", newest first. */
static void assert_keys(struct stored *s, const char *expected)
{
    struct tg_keyring ring = ring_of(1);
    struct tg_signing_key keys[4];
    size_t count;
    TG_STRING text = {0};

    assert_result(0, tg_signing_key_list(&s->store, &ring, keys, 4, &count));
    for (size_t i = 0; i < count; i++)
        tg_string_addf(&text, "%s%s:%d", i > 0 ? " " : "", keys[i].kid, keys[i].state);
    wipe(keys, count);
    assert_string_equal(text.base, expected);
}

static void the_next_key_signs_after_a_day_and_the_old_one_goes_after_the_longest_token(void **state)
{
    struct stored *s = *state;
    int64_t promoted_s = 5000 + TG_SIGNING_PUBLISH_S, before;

    assert_result(0, add_key(s, "old", TG_SIGNING_CURRENT, 100));
    assert_result(0, add_key(s, "new", TG_SIGNING_NEXT, 5000));
    before = last_change(&s->store);
    assert_result(0, tg_signing_key_advance(&s->store, promoted_s - 1));
    assert_keys(s, "new:0 old:1");
    assert_int_equal(last_change(&s->store), before);
    assert_result(0, tg_signing_key_advance(&s->store, promoted_s));
    assert_keys(s, "new:1 old:2");
    assert_one_change(&s->store, before, TG_CHANGE_KEYS, "");
    assert_result(0, tg_signing_key_advance(&s->store, promoted_s + TG_SIGNING_LONGEST_TOKEN_S));
    assert_keys(s, "new:1 old:2"); /* its last token is good up to here, by clocks that differ */
    assert_result(0, tg_signing_key_advance(&s->store, promoted_s + TG_SIGNING_KEEP_S - 1));
    assert_keys(s, "new:1 old:2");
    assert_result(0, tg_signing_key_advance(&s->store, promoted_s + TG_SIGNING_KEEP_S));
    assert_keys(s, "new:1");
    assert_result(0, tg_signing_key_advance(&s->store, promoted_s + 100 * TG_SIGNING_KEEP_S));
    assert_keys(s, "new:1"); /* the one that signs is never forgotten */
}

static void a_key_is_promoted_at_once(void **state)
{
    struct stored *s = *state;

    assert_result(0, add_key(s, "old", TG_SIGNING_CURRENT, 100));
    assert_result(TG_SIGNING_KEY_NONE, tg_signing_key_promote(&s->store, 200));
    assert_keys(s, "old:1"); /* and goes on to sign */
    assert_result(0, add_key(s, "new", TG_SIGNING_NEXT, 5000));
    assert_result(0, tg_signing_key_promote(&s->store, 5001));
    assert_keys(s, "new:1 old:2");
}

static void another_ring_does_not_open_them(void **state)
{
    struct stored *s = *state;
    struct tg_keyring wrong = ring_of(2);
    struct tg_signing_key keys[4];
    size_t count;

    assert_result(0, add_key(s, "one", TG_SIGNING_CURRENT, 1));
    assert_result(TG_FAILED, tg_signing_key_list(&s->store, &wrong, keys, 4, &count));
    assert_int_equal(count, 0);
    assert_non_null(strstr(tg_failure(), "key ring"));

    wrong = ring_of(1);
    assert_result(0, add_key(s, "two", TG_SIGNING_NEXT, 0));
    assert_result(0, tg_db_run(s->store.truth, "UPDATE signing_key SET sealed = 'AAAA' WHERE kid = 'two'", NULL, 0, NULL));
    assert_result(TG_FAILED, tg_signing_key_list(&s->store, &wrong, keys, 4, &count)); /* the first one is wiped again */
    assert_int_equal(count, 0);
}

static void a_key_is_not_readable_in_the_file(void **state)
{
    struct stored *s = *state;
    TG_FREED char *path = tg_format("%s/truth.db-wal", s->directory);
    TG_FREED char *bytes = tg_alloc(1 << 20);

    assert_result(0, add_key(s, "the-kid-itself", TG_SIGNING_CURRENT, 1));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    assert_non_null(memmem(bytes, len, "the-kid-itself", 14));
    assert_null(memmem(bytes, len, "not really", 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(keys_come_back_newest_first),
        stored_test(there_is_one_current_key_and_one_next),
        stored_test(the_next_key_signs_after_a_day_and_the_old_one_goes_after_the_longest_token),
        stored_test(a_key_is_promoted_at_once),
        stored_test(another_ring_does_not_open_them),
        stored_test(a_key_is_not_readable_in_the_file),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
