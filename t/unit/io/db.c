#include "scratch.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "io/db.h"

static struct tg_db *open_it(struct scratch *scratch, bool make)
{
    struct tg_db *db = NULL;

    assert_result(0, tg_db_open(scratch->path, TG_DB_FULL, make, &db));
    return db;
}

static struct tg_db *with_table(struct scratch *scratch)
{
    struct tg_db *db = open_it(scratch, true);

    assert_result(0, tg_db_script(db, "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, text TEXT, bytes BLOB,"
                                      " parent BIGINT REFERENCES t (id))"));
    return db;
}

static int64_t count_rows(struct tg_db *db)
{
    struct tg_rows *rows;

    assert_result(0, tg_db_query(db, "SELECT count(*) FROM t", NULL, 0, &rows));
    assert_result(0, tg_rows_next(rows));
    int64_t count = tg_row_int(rows, 0);
    tg_rows_done(rows);
    return count;
}

static int add(struct tg_db *db, int64_t id)
{
    return tg_db_run(db, "INSERT INTO t (id) VALUES ($1)", TG_VALUES(TG_INT(id)), NULL);
}

static void values_come_back_as_they_were(void **state)
{
    struct tg_db *db = with_table(*state);
    struct tg_rows *rows;
    int64_t changed = 0;

    assert_result(0, tg_db_run(db, "INSERT INTO t (bytes, id, text, parent) VALUES ($3, $1, $2, $4)",
                               TG_VALUES(TG_INT(INT64_MIN), TG_STR(TG_TEXT("")), TG_BYTES_OF("a\0b", 3), TG_NO_VALUE), &changed));
    assert_int_equal(changed, 1);
    assert_result(0, tg_db_query(db, "SELECT id, text, bytes, parent FROM t WHERE text = $2 AND id = $1",
                                 TG_VALUES(TG_INT(INT64_MIN), TG_STR(TG_TEXT(""))), &rows));
    assert_result(0, tg_rows_next(rows));
    assert_true(tg_row_int(rows, 0) == INT64_MIN);
    assert_false(tg_row_null(rows, 1));
    assert_non_null(tg_row_text(rows, 1).base);
    assert_int_equal(tg_row_text(rows, 1).len, 0);
    assert_int_equal(tg_row_text(rows, 2).len, 3);
    assert_memory_equal(tg_row_text(rows, 2).base, "a\0b", 3);
    assert_true(tg_row_null(rows, 3));
    assert_null(tg_row_text(rows, 3).base);
    assert_result(TG_ROWS_END, tg_rows_next(rows));
    tg_rows_done(rows);
    tg_db_close(db);
}

static void a_statement_without_its_values_is_refused(void **state)
{
    struct tg_db *db = with_table(*state);

    assert_result(TG_FAILED, tg_db_run(db, "INSERT INTO t (id, text) VALUES ($1, $2)", TG_VALUES(TG_INT(1)), NULL));
    assert_result(TG_FAILED, tg_db_run(db, "INSERT INTO t (id) VALUES (?)", TG_VALUES(TG_INT(1)), NULL));
    assert_result(TG_FAILED, tg_db_run(db, "DELETE FROM t WHERE text = \"id and no text\"", NULL, 0, NULL));
    assert_int_equal(count_rows(db), 0);
    tg_db_close(db);
}

static void keys_conflict_and_nothing_else_does(void **state)
{
    struct tg_db *db = with_table(*state);

    assert_result(0, add(db, 1));
    assert_result(TG_DB_CONFLICT, add(db, 1));
    assert_result(TG_DB_CONFLICT, tg_db_run(db, "INSERT INTO t (id, parent) VALUES (2, 99)", NULL, 0, NULL));
    assert_result(TG_FAILED, tg_db_run(db, "INSERT INTO t (id) VALUES (NULL)", NULL, 0, NULL));
    assert_int_equal(count_rows(db), 1);
    tg_db_close(db);
}

static void a_query_may_run_inside_its_own_rows(void **state)
{
    struct tg_db *db = with_table(*state);
    const char *sql = "SELECT id FROM t ORDER BY id";
    struct tg_rows *outer, *inner;
    int pairs = 0;

    for (int i = 0; i < 3; i++)
        assert_result(0, add(db, i));
    assert_result(0, tg_db_query(db, sql, NULL, 0, &outer));
    for (int i = 0; tg_rows_next(outer) == 0; i++) {
        assert_int_equal(tg_row_int(outer, 0), i);
        assert_result(0, tg_db_query(db, sql, NULL, 0, &inner));
        while (tg_rows_next(inner) == 0)
            pairs++;
        tg_rows_done(inner);
    }
    tg_rows_done(outer);
    assert_int_equal(pairs, 9);
    tg_db_close(db);
}

static void files_are_the_owners_alone(void **state)
{
    struct scratch *scratch = *state;
    struct tg_db *db = with_table(scratch);
    static const char *const endings[] = {"", "-wal", "-shm", ".copy"};
    TG_FREED char *copy = tg_format("%s.copy", scratch->path);

    assert_result(0, add(db, 1));
    assert_result(0, tg_db_copy(db, copy));
    for (size_t i = 0; i < tg_count(endings); i++) {
        TG_FREED char *path = tg_format("%s%s", scratch->path, endings[i]);
        struct stat file;

        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
    tg_db_close(db);
}

static void a_copy_has_what_was_committed(void **state)
{
    struct scratch *scratch = *state;
    struct tg_db *db = with_table(scratch), *writer = open_it(scratch, false), *copied;
    TG_FREED char *copy = tg_format("%s.copy", scratch->path);

    assert_result(0, add(db, 1));
    assert_result(0, tg_db_begin_write(writer));
    assert_result(0, add(writer, 2));
    assert_result(0, tg_db_copy(db, copy)); /* a writer does not hinder it */
    assert_result(0, tg_db_commit(writer));
    assert_result(0, tg_db_open(copy, TG_DB_FULL, false, &copied));
    assert_int_equal(count_rows(copied), 1);
    tg_db_close(copied);
    assert_result(0, tg_db_copy(db, copy)); /* and a second one takes the place of the first */
    assert_result(0, tg_db_open(copy, TG_DB_FULL, false, &copied));
    assert_int_equal(count_rows(copied), 2);
    tg_db_close(copied);
    tg_db_close(writer);
    tg_db_close(db);
}

static void a_locked_database_is_busy_after_two_seconds(void **state)
{
    struct tg_db *holder = with_table(*state), *db = open_it(*state, false);

    assert_result(0, add(holder, 1));
    assert_result(0, tg_db_begin_write(holder));
    assert_result(0, add(holder, 2));

    int64_t start_ms = tg_monotonic_ms();
    assert_int_equal(count_rows(db), 1); /* readers do not wait */
    assert_true(tg_monotonic_ms() - start_ms < 500);

    start_ms = tg_monotonic_ms();
    assert_result(TG_BUSY, tg_db_begin_write(db));
    assert_in_range(tg_monotonic_ms() - start_ms, 1950, 3000);
    start_ms = tg_monotonic_ms();
    assert_result(TG_BUSY, add(db, 3));
    assert_in_range(tg_monotonic_ms() - start_ms, 1950, 3000);

    assert_result(0, tg_db_commit(holder));
    assert_result(0, add(db, 3));
    assert_int_equal(count_rows(db), 3);
    tg_db_close(holder);
    tg_db_close(db);
}

static void a_snapshot_does_not_move(void **state)
{
    struct tg_db *db = with_table(*state), *writer = open_it(*state, false);

    assert_result(0, tg_db_begin_read(db));
    assert_int_equal(count_rows(db), 0);
    assert_result(0, add(writer, 1));
    assert_int_equal(count_rows(db), 0);
    assert_result(0, tg_db_commit(db));
    assert_int_equal(count_rows(db), 1);
    tg_db_close(writer);
    tg_db_close(db);
}

static void what_is_rolled_back_was_never_there(void **state)
{
    struct tg_db *db = with_table(*state);

    assert_result(0, tg_db_begin_write(db));
    assert_result(0, add(db, 1));
    tg_db_rollback(db);
    tg_db_rollback(db); /* none is open: nothing happens */
    assert_int_equal(count_rows(db), 0);

    /* a commit that fails leaves the connection usable */
    assert_result(0, tg_db_script(db, "CREATE TABLE late (id BIGINT REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)"));
    assert_result(0, tg_db_begin_write(db));
    assert_result(0, tg_db_script(db, "INSERT INTO late (id) VALUES (5)"));
    assert_result(TG_FAILED, tg_db_commit(db));
    assert_result(0, tg_db_begin_write(db));
    assert_result(0, tg_db_commit(db));
    tg_db_close(db);
}

static void what_is_no_database_is_refused(void **state)
{
    struct scratch *scratch = *state;
    struct tg_db *db;
    FILE *file = fopen(scratch->path, "w");

    for (int i = 0; i < 100; i++)
        fputs("this is a letter and no database\n", file);
    fclose(file);
    assert_result(TG_FAILED, tg_db_open(scratch->path, TG_DB_FULL, true, &db));
    assert_non_null(strstr(tg_failure(), scratch->path));
    assert_result(TG_FAILED, tg_db_open("/nowhere/at/all", TG_DB_FULL, true, &db));
    assert_result(TG_FAILED, tg_db_open("/nowhere/at/all", TG_DB_FULL, false, &db));
}

/* Two rows a transaction until somebody kills the process. */
static void write_until_killed(const char *path, int tell)
{
    struct tg_db *db;

    if (tg_db_open(path, TG_DB_NORMAL, false, &db) != 0)
        _exit(1);
    for (int64_t id = 1;; id += 2) {
        if (tg_db_begin_write(db) != 0 || add(db, id) != 0 || write(tell, "x", 1) != 1 || add(db, id + 1) != 0 ||
            tg_db_commit(db) != 0)
            _exit(1);
    }
}

static void a_killed_writer_leaves_whole_transactions(void **state)
{
    struct scratch *scratch = *state;

    for (int round = 0; round < 10; round++) {
        struct tg_db *db = with_table(scratch);
        int pipe_ends[2];
        char told[16];

        tg_db_close(db);
        assert_int_equal(pipe(pipe_ends), 0);
        pid_t writer = fork();
        if (writer == 0)
            write_until_killed(scratch->path, pipe_ends[1]);
        for (int i = 0; i <= round * 3; i++) /* the pipe is read, so each kill comes at another moment of a transaction */
            assert_true(read(pipe_ends[0], told, sizeof(told)) > 0);
        assert_int_equal(kill(writer, SIGKILL), 0);
        waitpid(writer, NULL, 0);
        close(pipe_ends[0]);
        close(pipe_ends[1]);

        db = open_it(scratch, false);
        assert_int_equal(count_rows(db) % 2, 0);
        assert_result(0, add(db, 1000000)); /* its lock died with it */
        assert_result(0, tg_db_script(db, "DROP TABLE t"));
        tg_db_close(db);
    }
}

enum { OPENERS = 8 };

static void *open_new(void *path)
{
    struct tg_db *db = NULL;
    intptr_t result = tg_db_open(path, TG_DB_NORMAL, true, &db);

    tg_db_close(db);
    return (void *)result;
}

static void many_may_make_the_same_file(void **state)
{
    struct scratch *scratch = *state;
    pthread_t threads[OPENERS];

    for (int i = 0; i < OPENERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_new, scratch->path), 0);
    for (int i = 0; i < OPENERS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(values_come_back_as_they_were),
        scratch_test(a_statement_without_its_values_is_refused),
        scratch_test(keys_conflict_and_nothing_else_does),
        scratch_test(a_query_may_run_inside_its_own_rows),
        scratch_test(files_are_the_owners_alone),
        scratch_test(a_copy_has_what_was_committed),
        scratch_test(a_locked_database_is_busy_after_two_seconds),
        scratch_test(a_snapshot_does_not_move),
        scratch_test(what_is_rolled_back_was_never_there),
        scratch_test(what_is_no_database_is_refused),
        scratch_test(a_killed_writer_leaves_whole_transactions),
        scratch_test(many_may_make_the_same_file),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
