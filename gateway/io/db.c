/*
 * db.c - db.h on SQLite
 *
 * A prepared statement is a struct tg_rows, kept by the connection under its text. One that is being read is busy; the same text
 * again (a query inside the loop over its own rows) gets a second statement.
 */
#include "io/db.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include "base/clock.h"
#include "base/result.h"

enum { BUSY_MS = 2000, BUCKETS = 64, CHECKPOINT_PAGES = 1000, LOG_LIMIT = 64 << 20, CACHE_KIB = 512 };

struct tg_rows {
    struct tg_db *db;
    sqlite3_stmt *statement;
    bool busy;
    struct tg_rows *next; /* in its bucket */
};

struct tg_db {
    sqlite3 *handle;
    char *path;
    int64_t waiting_since_ms;
    struct tg_rows *statements[BUCKETS];
    void (*on_commit)(void *context);
    void *commit_context;
};

/* The failure text names the file and SQLite's reason, never a value. */
static int fail(struct tg_db *db, int code)
{
    tg_fail("database %s: %s", db->path, db->handle != NULL ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
    return (code & 0xff) == SQLITE_BUSY ? TG_BUSY : TG_FAILED;
}

static bool is_conflict(int code)
{
    return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_FOREIGNKEY;
}

/* SQLite's own handler sleeps up to 100 ms between looks, which under load costs more than the transaction waited for. */
static int wait_for_lock(void *argument, int looks)
{
    struct tg_db *db = argument;
    int64_t now_ms = tg_monotonic_ms();

    if (looks == 0)
        db->waiting_since_ms = now_ms;
    if (now_ms - db->waiting_since_ms >= BUSY_MS)
        return 0;
    int pause_ms = looks < 8 ? 1 : looks < 40 ? 5 : 10;
    nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000L}, NULL);
    return 1;
}

/*
 * The file is made by O_EXCL only: to open and close a file that SQLite has open elsewhere in this process would drop its locks.
 * The log and shared-memory files get the mode of the database file.
 */
static int make_file(const char *path)
{
    TG_CLOSED int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno != EEXIST)
        return tg_fail_errno("cannot make database %s", path);
    return 0;
}

static int use_log_mode(struct tg_db *db)
{
    struct tg_rows *rows;

    tg_try(tg_db_query(db, "PRAGMA journal_mode = WAL", NULL, 0, &rows));
    int result = tg_rows_next(rows);
    bool is_log = result == 0 && tg_text_is(tg_row_text(rows, 0), "wal");
    tg_rows_done(rows);
    if (result >= 0 && !is_log)
        return tg_fail("database %s: its file system cannot keep a write-ahead log (use a local one)", db->path);
    return result < 0 ? result : 0;
}

/* Every worker thread has connections of its own, and most of them idle: none sets memory aside for pages and parts it may never need. */
static void make_small(void)
{
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 256, 32);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* a lock with each allocation, for figures that nobody reads */
}

static int configure(struct tg_db *db, enum tg_db_sync sync)
{
    char pragmas[512];

    sqlite3_busy_handler(db->handle, wait_for_lock, db);
    /* A text in double quotes is a name, as in PostgreSQL, and never quietly a string. */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    tg_try(use_log_mode(db));

    snprintf(pragmas, sizeof(pragmas),
             "PRAGMA synchronous = %s; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;"
             "PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d; PRAGMA cache_size = -%d",
             sync == TG_DB_FULL ? "FULL" : "NORMAL", CHECKPOINT_PAGES, LOG_LIMIT, CACHE_KIB);
    return tg_db_script(db, pragmas);
}

int tg_db_open(const char *path, enum tg_db_sync sync, bool make, struct tg_db **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_small);
    if (make)
        tg_try(make_file(path));

    struct tg_db *db = tg_alloc(sizeof(*db));
    db->path = tg_strdup(path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path, &db->handle, flags, NULL);
    int result = code == SQLITE_OK ? configure(db, sync) : fail(db, code);
    if (result < 0) {
        tg_db_close(db);
        return result;
    }
    *out = db;
    return 0;
}

void tg_db_close(struct tg_db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (db->statements[i] != NULL) {
            struct tg_rows *rows = db->statements[i];
            db->statements[i] = rows->next;
            sqlite3_finalize(rows->statement);
            free(rows);
        }
    }
    sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

static size_t bucket_of(const char *sql)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const char *at = sql; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    return hash % BUCKETS;
}

static int prepare(struct tg_db *db, const char *sql, struct tg_rows **out)
{
    struct tg_rows **bucket = &db->statements[bucket_of(sql)];

    for (struct tg_rows *rows = *bucket; rows != NULL; rows = rows->next) {
        if (!rows->busy && strcmp(sqlite3_sql(rows->statement), sql) == 0) {
            *out = rows;
            return 0;
        }
    }

    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK)
        return fail(db, code);
    struct tg_rows *rows = tg_alloc(sizeof(*rows));
    *rows = (struct tg_rows){.db = db, .statement = statement, .next = *bucket};
    *bucket = rows;
    *out = rows;
    return 0;
}

static int bind_value(sqlite3_stmt *statement, int at, const struct tg_value *value)
{
    const struct tg_text *text = &value->text;

    switch (value->type) {
    case TG_DB_INTEGER:
        return sqlite3_bind_int64(statement, at, value->integer);
    case TG_DB_TEXT:
        return sqlite3_bind_text64(statement, at, text->base, text->len, SQLITE_STATIC, SQLITE_UTF8);
    case TG_DB_BLOB:
        return sqlite3_bind_blob64(statement, at, text->base != NULL ? text->base : "", text->len, SQLITE_STATIC);
    case TG_DB_NULL:
        break;
    }
    return sqlite3_bind_null(statement, at);
}

/* SQLite takes $3 for a name and counts parameters as they appear; here the number is what counts, as in PostgreSQL. */
static int bind(struct tg_rows *rows, const struct tg_value *values, size_t count)
{
    int parameters = sqlite3_bind_parameter_count(rows->statement);

    for (int at = 1; at <= parameters; at++) {
        const char *name = sqlite3_bind_parameter_name(rows->statement, at);
        uint64_t number;

        if (name == NULL || !tg_text_number(tg_text(name + 1), &number) || number < 1 || number > count)
            return tg_fail("no value for parameter %s of: %s", name != NULL ? name : "?", sqlite3_sql(rows->statement));
        int code = bind_value(rows->statement, at, &values[number - 1]);
        if (code != SQLITE_OK)
            return fail(rows->db, code);
    }
    return 0;
}

int tg_db_query(struct tg_db *db, const char *sql, const struct tg_value *values, size_t count, struct tg_rows **out)
{
    struct tg_rows *rows;

    tg_try(prepare(db, sql, &rows));
    rows->busy = true;
    int result = bind(rows, values, count);
    if (result < 0) {
        tg_rows_done(rows);
        return result;
    }
    *out = rows;
    return 0;
}

int tg_rows_next(struct tg_rows *rows)
{
    int code = sqlite3_step(rows->statement);

    if (code == SQLITE_ROW)
        return 0;
    return code == SQLITE_DONE ? TG_ROWS_END : fail(rows->db, code);
}

bool tg_row_null(struct tg_rows *rows, int column)
{
    return sqlite3_column_type(rows->statement, column) == SQLITE_NULL;
}

int64_t tg_row_int(struct tg_rows *rows, int column)
{
    return sqlite3_column_int64(rows->statement, column);
}

struct tg_text tg_row_text(struct tg_rows *rows, int column)
{
    if (tg_row_null(rows, column))
        return tg_text_n(NULL, 0);
    /* An empty value has no address in SQLite, but it is not absent. */
    const char *base = sqlite3_column_blob(rows->statement, column);
    return tg_text_n(base != NULL ? base : "", (size_t)sqlite3_column_bytes(rows->statement, column));
}

void tg_rows_done(struct tg_rows *rows)
{
    if (rows == NULL)
        return;
    sqlite3_reset(rows->statement);
    sqlite3_clear_bindings(rows->statement);
    rows->busy = false;
}

int tg_db_run(struct tg_db *db, const char *sql, const struct tg_value *values, size_t count, int64_t *changed)
{
    struct tg_rows *rows;

    tg_try(tg_db_query(db, sql, values, count, &rows));
    int code = sqlite3_step(rows->statement);
    int result = 0;
    if (is_conflict(code))
        result = TG_DB_CONFLICT;
    else if (code != SQLITE_DONE && code != SQLITE_ROW)
        result = fail(db, code);
    else if (changed != NULL)
        *changed = sqlite3_changes64(db->handle);
    tg_rows_done(rows);
    return result;
}

static int control(struct tg_db *db, const char *sql)
{
    int result = tg_try(tg_db_run(db, sql, NULL, 0, NULL));

    return result == TG_DB_CONFLICT ? tg_fail("database %s: %s breaks a foreign key", db->path, sql) : 0;
}

int tg_db_begin_write(struct tg_db *db)
{
    return control(db, "BEGIN IMMEDIATE");
}

int tg_db_begin_read(struct tg_db *db)
{
    return control(db, "BEGIN DEFERRED");
}

int tg_db_commit(struct tg_db *db)
{
    int result = control(db, "COMMIT");

    if (result < 0)
        tg_db_rollback(db); /* what cannot be committed must not stay open for whoever uses the connection next */
    else if (db->on_commit != NULL)
        db->on_commit(db->commit_context);
    return result;
}

void tg_db_on_commit(struct tg_db *db, void (*run)(void *context), void *context)
{
    db->on_commit = run;
    db->commit_context = context;
}

void tg_db_rollback(struct tg_db *db)
{
    if (!sqlite3_get_autocommit(db->handle)) /* after some failures SQLite has rolled back by itself */
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int tg_db_script(struct tg_db *db, const char *sql)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : fail(db, code);
}

int tg_db_has_table(struct tg_db *db, const char *name, bool *there)
{
    struct tg_rows *rows;

    tg_try(tg_db_query(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1", TG_VALUES(TG_STR(tg_text(name))),
                       &rows));
    int result = tg_rows_next(rows);
    tg_rows_done(rows);
    *there = tg_try(result) == 0;
    return 0;
}

/* Makes what the directory says about path last as long as its bytes. */
static int sync_copy(const char *copy, const char *path)
{
    TG_FREED char *directory = tg_strdup(path);
    char *slash = strrchr(directory, '/');

    if (slash != NULL)
        slash[slash == directory ? 1 : 0] = '\0';
    TG_CLOSED int file = open(copy, O_RDONLY | O_CLOEXEC);
    TG_CLOSED int parent = open(slash != NULL ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0 || parent < 0 || fsync(file) != 0 || rename(copy, path) != 0 || fsync(parent) != 0)
        return tg_fail_errno("cannot keep the copy %s", path);
    return 0;
}

int tg_db_copy(struct tg_db *db, const char *path)
{
    TG_FREED char *copy = tg_format("%s.new", path);

    if (unlink(copy) != 0 && errno != ENOENT)
        return tg_fail_errno("cannot remove %s", copy);
    tg_try(make_file(copy)); /* SQLite would make it readable for others, but fills an empty one */
    int result = tg_db_run(db, "VACUUM INTO $1", TG_VALUES(TG_STR(tg_text(copy))), NULL);
    if (result == 0)
        result = sync_copy(copy, path);
    if (result < 0)
        unlink(copy);
    return result;
}
