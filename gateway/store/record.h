/*
 * record.h - what the records of store/ share: single rows, fields, transactions that end with their scope
 *
 * Inside store/ only.
 */
#ifndef TG_STORE_RECORD_H
#define TG_STORE_RECORD_H

#include "base/result.h"
#include "base/secret.h"
#include "io/db.h"

/*
 * Stands on the one row of a query: 0 with rows to read (TG_ROWS), or TG_RECORD_NONE.
 */
enum { TG_RECORD_NONE = 1 };
int tg_record_one(struct tg_db *db, const char *sql, const struct tg_value *values, size_t count, struct tg_rows **rows);

/* A text column into an array. What does not fit was written by another release and reads as empty: it matches nothing. */
void tg_record_text(struct tg_rows *rows, int column, char *field, size_t size);
#define TG_FIELD(rows, column, field) tg_record_text((rows), (column), (field), sizeof(field))

/* A write that has no business to conflict: everything but 0 is a failure. */
int tg_record_write(struct tg_db *db, const char *sql, const struct tg_value *values, size_t count);

/* The name by which the database knows a secret text: its digest, base64url. */
void tg_record_digest(struct tg_text secret, char out[TG_TOKEN]);

static inline struct tg_value tg_record_cstr(const char *text)
{
    return TG_STR(tg_text(text));
}
#define TG_CSTR(s) tg_record_cstr(s)

static inline void tg_rows_cleanup_(struct tg_rows **rows)
{
    tg_rows_done(*rows);
}

static inline void tg_rollback_cleanup_(struct tg_db **db)
{
    tg_db_rollback(*db);
}

#define TG_ROWS __attribute__((cleanup(tg_rows_cleanup_))) struct tg_rows            /* closed at the end of the scope */
#define TG_TRANSACTION __attribute__((cleanup(tg_rollback_cleanup_))) struct tg_db   /* rolled back unless it was committed */

#endif
