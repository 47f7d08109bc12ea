/* Against a real redis-server. */
#include "redis_server.h"
#include <string.h>
#include "base/clock.h"
#include "io/redis.h"

struct rig {
    struct redis_server server;
    struct tg_redis *redis;
    struct tg_redis_link *link;
};

static int make_rig(struct rig *rig, const char *password)
{
    struct tg_redis_options options = {.path = rig->server.socket, .password = password};

    if (!redis_is_installed())
        skip();
    if (redis_server_make(&rig->server) != 0)
        return -1;
    assert_result(0, tg_redis_new(&options, &rig->redis));
    tg_redis_set_patience(rig->redis, REDIS_PATIENCE_MS);
    rig->link = tg_redis_link_new(rig->redis);
    return 0;
}

static int setup(void **state)
{
    *state = tg_alloc(sizeof(struct rig));
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    tg_redis_link_free(rig->link);
    tg_redis_free(rig->redis);
    if (rig->server.directory[0] != '\0')
        redis_server_remove(&rig->server);
    free(rig);
    return 0;
}

static struct rig *running(void **state)
{
    struct rig *rig = *state;

    make_rig(rig, NULL);
    redis_start(&rig->server);
    return rig;
}

static int ping(struct rig *rig)
{
    struct tg_redis_reply reply;

    return tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("PING")), &reply);
}

static struct tg_breaker_stats stats(struct rig *rig)
{
    struct tg_breaker_stats out;

    tg_redis_stats(rig->redis, &out);
    return out;
}

static void values_come_back_byte_for_byte(void **state)
{
    struct rig *rig = running(state);
    struct tg_redis_reply reply;
    struct tg_text value = TG_TEXT("a\0b\r\n$5\r\n");

    assert_result(0, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("GET"), TG_TEXT("k")), &reply));
    assert_int_equal(reply.kind, TG_REDIS_NIL);
    assert_result(0, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("SET"), TG_TEXT("k"), value), &reply));
    assert_result(0, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("GET"), TG_TEXT("k")), &reply));
    assert_int_equal(reply.kind, TG_REDIS_TEXT);
    assert_int_equal(reply.text.len, value.len);
    assert_memory_equal(reply.text.base, value.base, value.len);
    assert_result(0, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("DEL"), TG_TEXT("k")), &reply));
    assert_int_equal(reply.integer, 1);
}

static void a_script_is_learnt_again_after_a_restart(void **state)
{
    struct rig *rig = running(state);
    struct tg_redis_script script;
    struct tg_redis_reply reply;

    tg_redis_script_init(&script, "return tonumber(ARGV[1]) + 1");
    for (int i = 0; i < 2; i++) {
        assert_result(0, tg_redis_run(rig->link, &script, TG_REDIS_COMMAND(TG_TEXT("1"), TG_TEXT("key"), TG_TEXT("41")), &reply));
        assert_int_equal(reply.integer, 42);
        if (i == 0)
            assert_result(0, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("SCRIPT"), TG_TEXT("FLUSH")), &reply));
    }
    assert_int_equal(stats(rig).failures, 0);
}

static void a_stopped_server_takes_30_ms_three_times_and_then_nothing(void **state)
{
    struct rig *rig = running(state);
    int64_t start_ms, took_ms;

    assert_result(0, ping(rig));
    tg_redis_set_patience(rig->redis, TG_REDIS_CALL_MS);
    kill(rig->server.pid, SIGSTOP);
    for (int i = 0; i < 3; i++) {
        start_ms = tg_monotonic_ms();
        assert_result(TG_REDIS_AWAY, ping(rig));
        took_ms = tg_monotonic_ms() - start_ms;
        assert_true(took_ms >= 25 && took_ms < 500);
    }
    assert_true(stats(rig).open);
    assert_int_equal(stats(rig).openings, 1);
    assert_string_equal(stats(rig).why, "no answer within 30 ms");
    start_ms = tg_monotonic_ms();
    for (int i = 0; i < 100; i++)
        assert_result(TG_REDIS_AWAY, ping(rig));
    assert_true(tg_monotonic_ms() - start_ms < 500);
    assert_true(stats(rig).skipped >= 100);
}

static void one_probe_a_second_finds_it_back(void **state)
{
    struct rig *rig = running(state);
    int64_t start_ms = tg_monotonic_ms();

    redis_stop(&rig->server);
    for (int i = 0; i < 3; i++)
        assert_result(TG_REDIS_AWAY, ping(rig));
    assert_true(stats(rig).open);
    assert_true(tg_monotonic_ms() - start_ms < 900);
    redis_pause_ms(TG_BREAKER_PAUSE_MS + 50);
    assert_result(TG_REDIS_AWAY, ping(rig)); /* the probe */
    assert_int_equal(stats(rig).failures, 4);
    assert_result(TG_REDIS_AWAY, ping(rig)); /* nobody asks */
    assert_int_equal(stats(rig).failures, 4);
    redis_start(&rig->server);
    redis_pause_ms(TG_BREAKER_PAUSE_MS + 50);
    assert_result(0, ping(rig));
    assert_false(stats(rig).open);
    assert_int_equal(stats(rig).openings, 1);
}

static void a_late_answer_is_nobodys(void **state)
{
    struct rig *rig = running(state);
    struct tg_redis_reply reply;

    assert_result(0, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("SET"), TG_TEXT("first"), TG_TEXT("1")), &reply));
    tg_redis_set_patience(rig->redis, TG_REDIS_CALL_MS);
    kill(rig->server.pid, SIGSTOP);
    assert_result(TG_REDIS_AWAY, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("GET"), TG_TEXT("first")), &reply));
    kill(rig->server.pid, SIGCONT);
    tg_redis_set_patience(rig->redis, REDIS_PATIENCE_MS);
    redis_pause_ms(20);
    assert_result(0, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("GET"), TG_TEXT("second")), &reply));
    assert_int_equal(reply.kind, TG_REDIS_NIL);
}

static void an_error_for_an_answer_is_a_failure(void **state)
{
    struct rig *rig = running(state);
    struct tg_redis_reply reply;

    assert_result(TG_REDIS_AWAY, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("NONSENSE")), &reply));
    assert_int_equal(stats(rig).failures, 1);
    assert_result(0, ping(rig));
    assert_int_equal(stats(rig).successes, 1);
}

static void a_password_is_given_and_a_wrong_one_is_told(void **state)
{
    struct rig *rig = *state;

    rig->server.password = "sesame";
    make_rig(rig, "sesame");
    redis_start(&rig->server);
    assert_result(0, ping(rig));
    tg_redis_link_free(rig->link);
    tg_redis_free(rig->redis);
    assert_result(0, tg_redis_new(&(struct tg_redis_options){.path = rig->server.socket, .password = "wrong"}, &rig->redis));
    rig->link = tg_redis_link_new(rig->redis);
    assert_result(TG_REDIS_AWAY, ping(rig));
    assert_non_null(strstr(stats(rig).why, "refuses the password"));
    assert_null(strstr(stats(rig).why, "sesame"));
}

static void what_is_published_arrives_unasked(void **state)
{
    struct rig *rig = running(state);
    struct tg_redis_link *speaker = tg_redis_link_new(rig->redis);
    struct tg_redis_reply reply;
    int result = TG_REDIS_NOTHING;

    assert_result(0, tg_redis_call(rig->link, TG_REDIS_COMMAND(TG_TEXT("SUBSCRIBE"), TG_TEXT("c")), &reply));
    assert_result(TG_REDIS_NOTHING, tg_redis_take(rig->link, &reply));
    assert_result(0, tg_redis_call(speaker, TG_REDIS_COMMAND(TG_TEXT("PUBLISH"), TG_TEXT("c"), TG_TEXT("7")), &reply));
    assert_int_equal(reply.integer, 1);
    for (int i = 0; i < 5000 && result == TG_REDIS_NOTHING; i++, redis_pause_ms(1))
        result = tg_redis_take(rig->link, &reply);
    assert_result(0, result);
    assert_int_equal(reply.kind, TG_REDIS_LIST);
    assert_true(tg_text_is(reply.text, "message"));
    redis_stop(&rig->server);
    for (int i = 0; i < 5000 && (result = tg_redis_take(rig->link, &reply)) == TG_REDIS_NOTHING; i++)
        redis_pause_ms(1);
    assert_result(TG_REDIS_AWAY, result);
    assert_int_equal(tg_redis_descriptor(rig->link), -1);
    tg_redis_link_free(speaker);
}

static void an_answer_without_end_is_cut_off(void **state)
{
    struct rig *rig = running(state);
    struct tg_redis_script script;
    struct tg_redis_reply reply;

    tg_redis_script_init(&script, "return string.rep('x', 1000000)");
    assert_result(TG_REDIS_AWAY, tg_redis_run(rig->link, &script, TG_REDIS_COMMAND(TG_TEXT("0")), &reply));
    assert_result(0, ping(rig));
}

static void an_address_that_is_none_is_told(void **state)
{
    struct tg_redis *redis = NULL;
    char path[200];

    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_result(TG_FAILED, tg_redis_new(&(struct tg_redis_options){.path = path}, &redis));
    assert_result(TG_FAILED, tg_redis_new(&(struct tg_redis_options){.host = "redis.example", .port = 1}, &redis));
    assert_result(TG_FAILED, tg_redis_new(&(struct tg_redis_options){.port = 1}, &redis));
    assert_null(redis);
}

#define rig_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(values_come_back_byte_for_byte),
        rig_test(a_script_is_learnt_again_after_a_restart),
        rig_test(a_stopped_server_takes_30_ms_three_times_and_then_nothing),
        rig_test(one_probe_a_second_finds_it_back),
        rig_test(a_late_answer_is_nobodys),
        rig_test(an_error_for_an_answer_is_a_failure),
        rig_test(a_password_is_given_and_a_wrong_one_is_told),
        rig_test(what_is_published_arrives_unasked),
        rig_test(an_answer_without_end_is_cut_off),
        cmocka_unit_test(an_address_that_is_none_is_told),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
