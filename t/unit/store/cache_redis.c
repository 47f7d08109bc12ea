/* The cache with a real redis-server; two caches stand for two nodes. */
#include "node.h"

static void what_one_node_has_read_the_other_finds_in_redis(void **state)
{
    struct rig *rig = with_redis(state);

    assert_int_equal(paid_until(&rig->here, rig->ada.id), 1000);
    assert_int_equal(paid_until(&rig->there, rig->ada.id), 1000);
    assert_int_equal(paid_until(&rig->there, rig->ada.id), 1000);
    assert_facts_from(&rig->here, 0, 0, 1);
    assert_facts_from(&rig->there, 1, 1, 0);
}

static void a_number_from_the_future_is_not_taken(void **state)
{
    struct rig *rig = with_redis(state);

    change_it(rig, 2000);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 2000);
    assert_int_equal(paid_until(&rig->there, rig->ada.id), 2000);
    assert_facts_from(&rig->there, 0, 0, 1);
    assert_int_equal(stats_of(&rig->there).refused, 1);
}

static struct tg_redis_reply in_redis(struct node *node, const struct tg_text *words, size_t count)
{
    struct tg_redis_reply reply;

    assert_result(0, tg_redis_call(node->worker->link, words, count, &reply));
    return reply;
}

/* The one key in Redis. */
static struct tg_text only_key(struct node *node, char out[160])
{
    struct tg_redis_reply reply = in_redis(node, TG_REDIS_COMMAND(TG_TEXT("RANDOMKEY")));

    assert_true(reply.text.len < 160);
    memcpy(out, reply.text.base, reply.text.len);
    return tg_text_n(out, reply.text.len);
}

static void a_value_that_redis_made_up_is_refused(void **state)
{
    struct rig *rig = with_redis(state);
    char key[160];
    struct tg_text name;
    static const char *const forged[] = {"", "1", "1 ", "9 made up", "-", " "};

    paid_until(&rig->here, rig->ada.id);
    name = only_key(&rig->here, key);
    for (size_t i = 0; i < tg_count(forged); i++) {
        in_redis(&rig->here, TG_REDIS_COMMAND(TG_TEXT("SET"), name, tg_text(forged[i])));
        tg_cache_forget(rig->there.cache, last_change(rig->store));
        tg_cache_trust(rig->there.cache, INT64_MAX);
        assert_int_equal(paid_until(&rig->there, rig->ada.id), 1000);
        assert_int_equal(stats_of(&rig->there).refused, i + 1);
    }
    in_redis(&rig->here, TG_REDIS_COMMAND(TG_TEXT("SETRANGE"), name, TG_TEXT("60"), TG_TEXT("x")));
    tg_cache_forget(rig->there.cache, last_change(rig->store));
    tg_cache_trust(rig->there.cache, INT64_MAX);
    assert_int_equal(paid_until(&rig->there, rig->ada.id), 1000);
    assert_facts_from(&rig->there, 0, 0, tg_count(forged) + 1);
}

static void anothers_value_is_refused(void **state)
{
    struct rig *rig = with_redis(state);
    struct tg_account bob = stored_account(rig->store, "bob");
    char first[160], second[160];
    struct tg_text adas, bobs;

    assert_result(0, tg_subscription_set(rig->store, bob.id, 9000));
    tg_cache_news(rig->there.cache, NULL, 0, last_change(rig->store));
    paid_until(&rig->here, rig->ada.id);
    adas = only_key(&rig->here, first);
    in_redis(&rig->here, TG_REDIS_COMMAND(TG_TEXT("DEL"), adas));
    paid_until(&rig->here, bob.id);
    bobs = only_key(&rig->here, second);
    assert_false(tg_text_same(adas, bobs));
    in_redis(&rig->here, TG_REDIS_COMMAND(TG_TEXT("RENAME"), bobs, adas));
    assert_int_equal(paid_until(&rig->there, rig->ada.id), 1000);
    assert_int_equal(stats_of(&rig->there).refused, 1);
}

static void names_tell_nothing_and_belong_to_the_installation(void **state)
{
    struct rig *rig = with_redis(state);
    struct tg_keyring other = rig->ring;
    struct node stranger;
    char key[160], prefix[80];

    paid_until(&rig->here, rig->ada.id);
    struct tg_text name = only_key(&rig->here, key);
    snprintf(prefix, sizeof(prefix), "%s:", rig->here.space->name);
    assert_true(tg_text_starts(name, prefix) && tg_text_starts(name, "test:"));
    assert_int_equal(name.len, strlen(prefix) + 43);
    assert_true(in_redis(&rig->here, TG_REDIS_COMMAND(TG_TEXT("PTTL"), name)).integer <= 60000);
    tg_random(other.keys[0].bytes, TG_KEY);
    node_make(rig, &stranger, &other);
    assert_int_equal(paid_until(&stranger, rig->ada.id), 1000);
    assert_facts_from(&stranger, 0, 0, 1);
    assert_int_equal(stats_of(&stranger).refused, 0); /* it does not even find it */
    node_remove(&stranger);
}

static void the_installation_is_a_number_that_stays(void **state)
{
    struct rig *rig = *state;
    int64_t first, second, before = last_change(rig->store);

    assert_result(0, tg_installation(rig->store, &first));
    assert_result(0, tg_installation(rig->store, &second));
    assert_true(first > 0);
    assert_int_equal(first, second);
    assert_int_equal(last_change(rig->store), before);
}

static void without_redis_the_answers_are_the_same(void **state)
{
    struct rig *rig = with_redis(state);
    struct tg_breaker_stats stats;

    tg_redis_set_patience(rig->here.space->redis, TG_REDIS_CALL_MS);
    kill(rig->server.pid, SIGSTOP);
    for (int i = 0; i < 20; i++) {
        hear(rig, &rig->here, change_it(rig, 3000 + i));
        assert_int_equal(paid_until(&rig->here, rig->ada.id), 3000 + i);
        tg_redis_stats(rig->here.space->redis, &stats);
        if (i < 3)
            assert_int_equal(stats.failures, i + 1); /* one call that failed is the last for its answer */
    }
    assert_true(stats.openings >= 1);
    kill(rig->server.pid, SIGCONT);
    redis_stop(&rig->server);
    hear(rig, &rig->here, change_it(rig, 4000));
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 4000);
}

/* ---- fills that are late */

static void a_late_fill_spoils_neither_memory_nor_redis(void **state)
{
    struct rig *rig = with_redis(state);
    struct node slow = slow_node(rig);
    struct reader reader = {.node = &slow, .account = rig->ada.id};

    pthread_create(&reader.thread, NULL, read_it, &reader);
    redis_pause_ms(100);
    int64_t before = change_it(rig, 2000);
    hear(rig, &rig->here, before);
    hear(rig, &rig->there, before);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 2000); /* puts the new into Redis */
    pthread_join(reader.thread, NULL);
    assert_int_equal(reader.paid_until_s, 1000); /* it was not told: its node has not heard yet */
    assert_int_equal(paid_until(&rig->there, rig->ada.id), 2000);
    assert_facts_from(&rig->there, 0, 1, 0); /* the old did not replace the new */
    hear(rig, &slow, before);
    assert_int_equal(paid_until(&slow, rig->ada.id), 2000);
    node_remove(&slow);
}

static void a_late_fill_alone_in_redis_is_refused(void **state)
{
    struct rig *rig = with_redis(state);

    assert_int_equal(paid_until(&rig->here, rig->ada.id), 1000); /* the old is in Redis, as if it had come late */
    int64_t before = change_it(rig, 2000);
    hear(rig, &rig->there, before);
    assert_int_equal(paid_until(&rig->there, rig->ada.id), 2000);
    assert_int_equal(stats_of(&rig->there).refused, 1);
    assert_facts_from(&rig->there, 0, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(a_late_fill_spoils_neither_memory_nor_redis),
        rig_test(a_late_fill_alone_in_redis_is_refused),
        rig_test(what_one_node_has_read_the_other_finds_in_redis),
        rig_test(a_number_from_the_future_is_not_taken),
        rig_test(a_value_that_redis_made_up_is_refused),
        rig_test(anothers_value_is_refused),
        rig_test(names_tell_nothing_and_belong_to_the_installation),
        rig_test(the_installation_is_a_number_that_stays),
        rig_test(without_redis_the_answers_are_the_same),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
