#include "stored.h"
#include <sys/wait.h>
#include "store/schema.h"

static void nothing_there_is_absent(void **state)
{
    struct scratch *scratch = *state;
    struct tg_store store;

    assert_result(TG_STORE_ABSENT, tg_store_open(scratch->directory, &store));
    assert_non_null(strstr(tg_failure(), "teagate serve"));
    assert_null(store.truth);
    tg_store_close(&store);
}

static void migrating_makes_the_files_and_twice_changes_nothing(void **state)
{
    struct scratch *scratch = *state;
    static const char *const names[] = {"truth.db", "transient.db"};
    struct tg_store store;
    struct stat file;

    for (int i = 0; i < 2; i++) {
        assert_result(0, tg_store_migrate(scratch->directory));
        assert_result(0, tg_store_open(scratch->directory, &store));
        assert_int_equal(last_change(&store), 0);
        tg_store_close(&store);
    }
    for (size_t i = 0; i < tg_count(names); i++) {
        TG_FREED char *path = tg_format("%s/%s", scratch->directory, names[i]);
        assert_int_equal(stat(path, &file), 0);
        assert_int_equal(file.st_mode & 0777, 0600);
    }
    TG_FREED char *copy = tg_format("%s/truth.db.0", scratch->directory);
    assert_int_not_equal(stat(copy, &file), 0); /* of nothing, no copy */
}

static void set_version(const char *directory, const char *name, int64_t version)
{
    TG_FREED char *path = tg_format("%s/%s", directory, name);
    struct tg_db *db;

    assert_result(0, tg_db_open(path, TG_DB_FULL, false, &db));
    assert_result(0, tg_db_run(db, "UPDATE schema_version SET version = $1", TG_VALUES(TG_INT(version)), NULL));
    tg_db_close(db);
}

static void another_schema_is_refused_with_words(void **state)
{
    struct scratch *scratch = *state;
    struct tg_store store;

    assert_result(0, tg_store_migrate(scratch->directory));
    set_version(scratch->directory, "truth.db", 99);
    assert_result(TG_STORE_NEWER, tg_store_open(scratch->directory, &store));
    assert_non_null(strstr(tg_failure(), "schema 99"));
    assert_non_null(strstr(tg_failure(), "install the release"));
    assert_result(TG_FAILED, tg_store_migrate(scratch->directory));
    assert_non_null(strstr(tg_failure(), "schema 99"));

    set_version(scratch->directory, "truth.db", 0);
    assert_result(TG_STORE_OLDER, tg_store_open(scratch->directory, &store));
    assert_non_null(strstr(tg_failure(), "restart `teagate serve`"));

    set_version(scratch->directory, "truth.db", tg_schema_truth.version);
    set_version(scratch->directory, "transient.db", 99);
    assert_result(TG_STORE_NEWER, tg_store_open(scratch->directory, &store));
    assert_non_null(strstr(tg_failure(), "transient.db"));
}

static void an_empty_file_is_older(void **state)
{
    struct scratch *scratch = *state;
    TG_FREED char *path = tg_format("%s/truth.db", scratch->directory);
    struct tg_store store;

    fclose(fopen(path, "w"));
    assert_result(TG_STORE_OLDER, tg_store_open(scratch->directory, &store));
    assert_result(0, tg_store_migrate(scratch->directory)); /* a start that was killed begins again */
    assert_result(0, tg_store_open(scratch->directory, &store));
    tg_store_close(&store);
}

/* A later release, in small. */
static const char *const steps[] = {
    "CREATE TABLE one (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO one (id) VALUES (1);",
    "ALTER TABLE one ADD COLUMN more TEXT NOT NULL DEFAULT 'x';",
    "CREATE TABLE three (id BIGINT); INSERT INTO one (id) VALUES (1);", /* breaks a key */
};

static void a_database_goes_on_from_where_it_is(void **state)
{
    struct scratch *scratch = *state;
    struct tg_schema schema = {"it", TG_DB_FULL, steps, 1};
    struct tg_db *db;
    int64_t version;
    bool there;

    assert_result(0, tg_db_open(scratch->path, TG_DB_FULL, true, &db));
    assert_result(0, tg_schema_version(db, &version));
    assert_int_equal(version, 0);
    assert_result(0, tg_schema_migrate(db, &schema, scratch->path));
    schema.version = 2;
    assert_result(0, tg_schema_migrate(db, &schema, scratch->path)); /* would fail if the first step ran again */
    assert_result(0, tg_schema_version(db, &version));
    assert_int_equal(version, 2);
    assert_result(0, tg_db_script(db, "SELECT more FROM one"));

    schema.version = 3;
    assert_result(TG_FAILED, tg_schema_migrate(db, &schema, scratch->path)); /* all or none */
    assert_result(0, tg_schema_version(db, &version));
    assert_int_equal(version, 2);
    assert_result(0, tg_db_has_table(db, "three", &there));
    assert_false(there);
    tg_db_close(db);
}

static void what_was_there_is_copied_first(void **state)
{
    struct scratch *scratch = *state;
    TG_FREED char *copy = tg_format("%s.1", scratch->path);
    struct tg_schema schema = {"it", TG_DB_FULL, steps, 1, true};
    struct tg_db *db;
    struct stat file;
    int64_t version;

    assert_result(0, tg_db_open(scratch->path, TG_DB_FULL, true, &db));
    assert_result(0, tg_schema_migrate(db, &schema, scratch->path));
    schema.version = 2;
    assert_result(0, tg_schema_migrate(db, &schema, scratch->path));
    tg_db_close(db);

    assert_result(0, tg_db_open(copy, TG_DB_FULL, false, &db));
    assert_result(0, tg_schema_version(db, &version));
    assert_int_equal(version, 1);
    assert_result(0, tg_db_script(db, "SELECT id FROM one"));
    tg_db_close(db);
    assert_int_equal(stat(copy, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

static void two_that_migrate_at_once_do_not_meet(void **state)
{
    struct scratch *scratch = *state;
    struct tg_store store;
    pid_t children[4];
    int status;

    for (size_t i = 0; i < tg_count(children); i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(tg_store_migrate(scratch->directory) == 0 ? 0 : 1);
    }
    for (size_t i = 0; i < tg_count(children); i++) {
        waitpid(children[i], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_result(0, tg_store_open(scratch->directory, &store));
    tg_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(nothing_there_is_absent),
        scratch_test(migrating_makes_the_files_and_twice_changes_nothing),
        scratch_test(another_schema_is_refused_with_words),
        scratch_test(an_empty_file_is_older),
        scratch_test(a_database_goes_on_from_where_it_is),
        scratch_test(what_was_there_is_copied_first),
        scratch_test(two_that_migrate_at_once_do_not_meet),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
