#include "stored.h"
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "store/subscription.h"

static void add_change(struct tg_store *store, const char *subject)
{
    assert_result(0, tg_db_begin_write(store->truth));
    assert_result(0, tg_change_add(store, TG_CHANGE_HOLD, subject));
    assert_result(0, tg_db_commit(store->truth));
}

static void numbers_have_no_gaps(void **state)
{
    struct stored *s = *state;
    struct tg_change changes[8];
    size_t count;

    add_change(&s->store, "one");
    assert_result(0, tg_db_begin_write(s->store.truth));
    assert_result(0, tg_change_add(&s->store, TG_CHANGE_KEYS, "never"));
    tg_db_rollback(s->store.truth);
    add_change(&s->store, "two");

    assert_int_equal(last_change(&s->store), 2);
    assert_result(0, tg_change_after(&s->store, 0, changes, 8, &count));
    assert_int_equal(count, 2);
    assert_int_equal(changes[0].number, 1);
    assert_int_equal(changes[0].kind, TG_CHANGE_HOLD);
    assert_string_equal(changes[0].subject, "one");
    assert_int_equal(changes[1].number, 2);
    assert_string_equal(changes[1].subject, "two");

    assert_result(0, tg_change_after(&s->store, 0, changes, 1, &count)); /* the rest comes with the next call */
    assert_int_equal(count, 1);
    assert_result(0, tg_change_after(&s->store, changes[0].number, changes, 1, &count));
    assert_string_equal(changes[0].subject, "two");
    assert_result(0, tg_change_after(&s->store, 2, changes, 1, &count));
    assert_int_equal(count, 0);
}

static void a_change_and_its_row_are_seen_together(void **state)
{
    struct stored *s = *state;
    struct tg_store reader;
    struct tg_account account = stored_account(&s->store, "ada");
    struct tg_facts facts;

    assert_result(0, tg_store_open(s->directory, &reader));
    assert_result(0, tg_db_begin_write(s->store.truth));
    assert_result(0, tg_db_run(s->store.truth, "UPDATE account SET locked = 1", NULL, 0, NULL));
    assert_result(0, tg_change_add(&s->store, TG_CHANGE_ACCOUNT, account.id));
    assert_int_equal(last_change(&s->store), 2); /* the writer sees its own */
    assert_result(0, tg_facts_read(&reader, account.id, &facts));
    assert_int_equal(facts.change, 1); /* nobody else sees the one without the other */
    assert_false(facts.locked);
    assert_result(0, tg_db_commit(s->store.truth));
    assert_result(0, tg_facts_read(&reader, account.id, &facts));
    assert_int_equal(facts.change, 2);
    assert_true(facts.locked);
    tg_store_close(&reader);
}

static void pruned_rows_are_a_gap_for_who_is_behind(void **state)
{
    struct stored *s = *state;
    struct tg_change changes[8];
    size_t count;

    for (int i = 0; i < 4; i++)
        add_change(&s->store, "old");
    assert_result(0, tg_change_prune(&s->store, tg_now_s())); /* none is a day old */
    assert_result(0, tg_change_after(&s->store, 0, changes, 8, &count));
    assert_int_equal(count, 4);

    assert_result(0, tg_db_script(s->store.truth, "UPDATE change SET made_s = made_s - 90000 WHERE number IN (1, 2, 4)"));
    assert_result(0, tg_change_prune(&s->store, tg_now_s()));
    assert_result(TG_CHANGE_GAP, tg_change_after(&s->store, 0, changes, 8, &count));
    assert_int_equal(count, 0);
    assert_result(0, tg_change_after(&s->store, 2, changes, 8, &count)); /* 4 stays behind 3: no holes */
    assert_int_equal(count, 2);

    assert_result(0, tg_change_prune(&s->store, tg_now_s() + 90000));
    assert_result(TG_CHANGE_GAP, tg_change_after(&s->store, 3, changes, 8, &count));
    assert_result(0, tg_change_after(&s->store, 4, changes, 8, &count));
    assert_result(TG_CHANGE_GAP, tg_change_after(&s->store, 5, changes, 8, &count)); /* an older database was put back */
    add_change(&s->store, "new");
    assert_int_equal(last_change(&s->store), 5); /* numbers do not come twice */
}

static void a_subject_that_is_too_long_means_all(void **state)
{
    struct stored *s = *state;

    add_change(&s->store, "a-host-name-that-is-longer-than-a-subject-may-be.example.example.net");
    assert_one_change(&s->store, 0, TG_CHANGE_HOLD, "");
}

enum { WRITERS = 4, EACH = 40 };

static void write_changes(const char *directory, int count)
{
    struct tg_store store;

    if (tg_store_open(directory, &store) != 0)
        _exit(1);
    for (int i = 0; i < count; i++) {
        if (tg_db_begin_write(store.truth) != 0 || tg_change_add(&store, TG_CHANGE_HOLD, "x") != 0 ||
            tg_db_commit(store.truth) != 0)
            _exit(2);
    }
    tg_store_close(&store);
    _exit(0);
}

static void a_reader_sees_numbers_in_order_while_many_write(void **state)
{
    struct stored *s = *state;
    struct tg_change changes[16];
    pid_t writers[WRITERS];
    int64_t seen = 0;
    size_t count;
    int status;

    for (int i = 0; i < WRITERS; i++) {
        writers[i] = fork();
        if (writers[i] == 0)
            write_changes(s->directory, EACH);
    }
    while (seen < WRITERS * EACH) {
        assert_result(0, tg_change_after(&s->store, seen, changes, 16, &count));
        for (size_t i = 0; i < count; i++)
            assert_int_equal(changes[i].number, ++seen);
        usleep(1000);
    }
    for (int i = 0; i < WRITERS; i++) {
        waitpid(writers[i], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(last_change(&s->store), WRITERS * EACH);
}

static void a_killed_writer_leaves_no_gap(void **state)
{
    struct stored *s = *state;
    struct tg_change changes[1];
    size_t count;

    for (int round = 0; round < 8; round++) {
        pid_t writer = fork();
        if (writer == 0)
            write_changes(s->directory, INT_MAX);
        int64_t before = last_change(&s->store);
        while (last_change(&s->store) < before + round) /* it is in the middle of its work */
            usleep(300);
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
    }
    int64_t last = last_change(&s->store);
    for (int64_t number = 0; number < last; number++) {
        assert_result(0, tg_change_after(&s->store, number, changes, 1, &count));
        assert_int_equal(changes[0].number, number + 1);
    }
    add_change(&s->store, "alive");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(numbers_have_no_gaps),
        stored_test(a_change_and_its_row_are_seen_together),
        stored_test(pruned_rows_are_a_gap_for_who_is_behind),
        stored_test(a_subject_that_is_too_long_means_all),
        stored_test(a_reader_sees_numbers_in_order_while_many_write),
        stored_test(a_killed_writer_leaves_no_gap),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
