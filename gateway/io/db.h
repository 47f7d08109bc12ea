/*
 * db.h - the database, as seen by store/: statements with $1 parameters, rows, short transactions
 *
 * SQLite (WAL) now; written so that PostgreSQL can stand behind the same calls. A connection belongs to one thread at a time. Blocking:
 * worker threads, jobs and commands only. Waiting for a lock ends after 2 s with TG_BUSY.
 */
#ifndef TG_IO_DB_H
#define TG_IO_DB_H

#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

struct tg_db;
struct tg_rows;

enum tg_db_sync { TG_DB_FULL, TG_DB_NORMAL }; /* what a commit waits for: the disk, or the log's next checkpoint */

/* Opens, and makes the file (mode 0600) when make is set. */
int tg_db_open(const char *path, enum tg_db_sync sync, bool make, struct tg_db **db);
void tg_db_close(struct tg_db *db);

/* One value for a parameter, or TG_DB_NULL. */
struct tg_value {
    enum { TG_DB_NULL, TG_DB_INTEGER, TG_DB_TEXT, TG_DB_BLOB } type;
    int64_t integer;
    struct tg_text text; /* text or blob; must live until the call returns (tg_db_run) or until tg_rows_done (tg_db_query) */
};
#define TG_INT(i) ((struct tg_value){TG_DB_INTEGER, .integer = (i)})
#define TG_STR(t) ((struct tg_value){(t).base != NULL ? TG_DB_TEXT : TG_DB_NULL, .text = (t)})
#define TG_BYTES_OF(p, n) ((struct tg_value){TG_DB_BLOB, .text = {(const char *)(p), (n)}})
#define TG_NO_VALUE ((struct tg_value){TG_DB_NULL})
#define TG_VALUES(...) ((const struct tg_value[]){__VA_ARGS__}), (sizeof((const struct tg_value[]){__VA_ARGS__}) / sizeof(struct tg_value))

/* Runs a statement without rows; *changed (may be NULL) is the number of rows written. sql must be a constant: prepared once per connection.
   TG_DB_CONFLICT: a unique or foreign key forbids it. */
enum { TG_DB_CONFLICT = 1 };
int tg_db_run(struct tg_db *db, const char *sql, const struct tg_value *values, size_t count, int64_t *changed);

/* Runs a query. While tg_rows_next answers 0 there is a row; TG_ROWS_END after the last. Always call tg_rows_done. */
enum { TG_ROWS_END = 1 };
int tg_db_query(struct tg_db *db, const char *sql, const struct tg_value *values, size_t count, struct tg_rows **rows);
int tg_rows_next(struct tg_rows *rows);
bool tg_row_null(struct tg_rows *rows, int column);
int64_t tg_row_int(struct tg_rows *rows, int column);
struct tg_text tg_row_text(struct tg_rows *rows, int column); /* text or blob; until the next tg_rows_* call */
void tg_rows_done(struct tg_rows *rows);

/* A write transaction (BEGIN IMMEDIATE) or a snapshot for reading. Ends in commit or rollback; no network calls in between. */
int tg_db_begin_write(struct tg_db *db);
int tg_db_begin_read(struct tg_db *db);
int tg_db_commit(struct tg_db *db);
void tg_db_rollback(struct tg_db *db);
/* Called by the thread that commits, after each commit that went well. One at a time; run NULL: none. */
void tg_db_on_commit(struct tg_db *db, void (*run)(void *context), void *context);

/* Several statements at once, for migrations. */
int tg_db_script(struct tg_db *db, const char *sql);
/* Is there a table of this name? Catalogues are the one thing that databases do not share. */
int tg_db_has_table(struct tg_db *db, const char *name, bool *there);
/* A consistent copy of the whole file. */
int tg_db_copy(struct tg_db *db, const char *path);

#endif
