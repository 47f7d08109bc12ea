/* With a real redis-server. */
#include "node.h"
#include <sys/eventfd.h>
#include "store/doorbell.h"

static void a_commit_with_a_change_rings_at_once_and_no_other_does(void **state)
{
    struct rig *rig = with_redis(state);
    struct tg_redis_link *link = tg_redis_link_new(rig->here.space->redis);
    struct tg_bell *bell = tg_bell_new(rig->there.space);

    tg_button_fit(rig->store, rig->here.space, link);
    assert_int_equal(tg_bell_wait(bell, -1, 200), TG_BELL_RUNG); /* it hears from now on: look once */
    assert_int_equal(tg_bell_wait(bell, -1, 50), 0);
    int64_t start_ms = tg_monotonic_ms();
    change_it(rig, 2000);
    assert_int_equal(tg_bell_wait(bell, -1, 10000), TG_BELL_RUNG);
    assert_true(tg_monotonic_ms() - start_ms < 5000); /* at once, on a machine that may be busy */
    assert_int_equal(tg_bell_wait(bell, -1, 50), 0);
    assert_result(TG_HOLD_UNKNOWN, tg_hold_lift(rig->store, rig->ada.id, TG_HOLD_ABUSE)); /* rolled back */
    paid_until(&rig->here, rig->ada.id);
    assert_int_equal(tg_bell_wait(bell, -1, 50), 0);
    tg_bell_free(bell);
    tg_store_close(rig->store);
    tg_redis_link_free(link);
    assert_result(0, tg_store_open(rig->stored->directory, rig->store));
}

static void a_worker_rings_too(void **state)
{
    struct rig *rig = with_redis(state);
    struct tg_bell *bell = tg_bell_new(rig->there.space);
    struct tg_store *store;

    tg_bell_wait(bell, -1, 200);
    assert_result(0, tg_worker_store(rig->here.worker, &store));
    assert_result(0, tg_subscription_set(store, rig->ada.id, 2000));
    assert_int_equal(tg_bell_wait(bell, -1, 10000), TG_BELL_RUNG);
    tg_bell_free(bell);
}

static void a_bell_hears_again_after_a_restart_and_says_so(void **state)
{
    struct rig *rig = with_redis(state);
    struct tg_bell *bell = tg_bell_new(rig->here.space);
    int64_t start_ms;
    int rung = 0;

    assert_int_equal(tg_bell_wait(bell, -1, 200), TG_BELL_RUNG);
    redis_stop(&rig->server);
    for (int i = 0; i < 5; i++) {
        start_ms = tg_monotonic_ms();
        assert_int_equal(tg_bell_wait(bell, -1, 20), 0);
        assert_true(tg_monotonic_ms() - start_ms < 1000);
    }
    redis_start(&rig->server);
    for (start_ms = tg_monotonic_ms(); rung == 0 && tg_monotonic_ms() - start_ms < 9000;)
        rung = tg_bell_wait(bell, -1, 50);
    assert_int_equal(rung, TG_BELL_RUNG);
    tg_bell_free(bell);
}

static void a_line_that_is_silent_is_given_up(void **state)
{
    struct rig *rig = with_redis(state);
    struct tg_bell *bell = tg_bell_new(rig->here.space);
    struct tg_breaker_stats stats = {.open = false};
    int64_t start_ms = tg_monotonic_ms();

    tg_bell_wait(bell, -1, 200);
    tg_redis_set_patience(rig->here.space->redis, TG_REDIS_CALL_MS);
    while (tg_monotonic_ms() - start_ms < 1500) /* quiet, and alive */
        assert_int_equal(tg_bell_wait(bell, -1, 100), 0);
    kill(rig->server.pid, SIGSTOP);
    while (!stats.open && tg_monotonic_ms() - start_ms < 15000) {
        tg_bell_wait(bell, -1, 100);
        tg_redis_stats(rig->here.space->redis, &stats);
    }
    assert_true(stats.open);
    kill(rig->server.pid, SIGCONT);
    while (stats.open && tg_monotonic_ms() - start_ms < 30000) {
        tg_bell_wait(bell, -1, 100);
        tg_redis_stats(rig->here.space->redis, &stats);
    }
    assert_false(stats.open);
    tg_bell_free(bell);
}

static void a_bell_that_hears_finds_out_for_all_that_redis_answers(void **state)
{
    struct rig *rig = with_redis(state);
    struct tg_bell *bell = tg_bell_new(rig->here.space);
    struct tg_redis_reply reply;
    struct tg_breaker_stats stats;
    int64_t start_ms = tg_monotonic_ms();

    assert_int_equal(tg_bell_wait(bell, -1, 200), TG_BELL_RUNG);
    for (int i = 0; i < 3; i++) /* of a worker */
        assert_result(TG_REDIS_AWAY, tg_redis_call(rig->here.worker->link, TG_REDIS_COMMAND(TG_TEXT("NONSENSE")), &reply));
    tg_redis_stats(rig->here.space->redis, &stats);
    assert_true(stats.open);
    while (stats.open && tg_monotonic_ms() - start_ms < 5000) {
        tg_bell_wait(bell, -1, 100);
        tg_redis_stats(rig->here.space->redis, &stats);
    }
    assert_false(stats.open);
    tg_bell_free(bell);
}

static void a_descriptor_ends_the_wait(void **state)
{
    struct rig *rig = with_redis(state);
    struct tg_bell *bell = tg_bell_new(rig->here.space);
    int wake = eventfd(1, EFD_CLOEXEC);
    int64_t start_ms;

    tg_bell_wait(bell, -1, 1);
    for (int i = 0; i < 2; i++) {
        start_ms = tg_monotonic_ms();
        tg_bell_wait(bell, wake, 5000);
        assert_true(tg_monotonic_ms() - start_ms < 4000);
        redis_stop(&rig->server);
    }
    close(wake);
    tg_bell_free(bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(a_commit_with_a_change_rings_at_once_and_no_other_does),
        rig_test(a_worker_rings_too),
        rig_test(a_bell_hears_again_after_a_restart_and_says_so),
        rig_test(a_line_that_is_silent_is_given_up),
        rig_test(a_bell_that_hears_finds_out_for_all_that_redis_answers),
        rig_test(a_descriptor_ends_the_wait),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
