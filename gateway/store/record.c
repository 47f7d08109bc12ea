#include "store/record.h"

int tg_record_one(struct tg_db *db, const char *sql, const struct tg_value *values, size_t count, struct tg_rows **out)
{
    TG_ROWS *rows = NULL;

    tg_try(tg_db_query(db, sql, values, count, &rows));
    if (tg_try(tg_rows_next(rows)) == TG_ROWS_END)
        return TG_RECORD_NONE;
    *out = tg_keep(rows);
    return 0;
}

void tg_record_text(struct tg_rows *rows, int column, char *field, size_t size)
{
    struct tg_text text = tg_row_text(rows, column);

    if (text.len >= size)
        text.len = 0;
    if (text.len > 0)
        memcpy(field, text.base, text.len);
    field[text.len] = '\0';
}

int tg_record_write(struct tg_db *db, const char *sql, const struct tg_value *values, size_t count)
{
    if (tg_try(tg_db_run(db, sql, values, count, NULL)) == TG_DB_CONFLICT)
        return tg_fail("a row is there already, or what it belongs to is not: %s", sql);
    return 0;
}

void tg_record_digest(struct tg_text secret, char out[TG_TOKEN])
{
    uint8_t digest[TG_DIGEST];

    tg_digest(secret, digest);
    tg_base64url(digest, sizeof(digest), out);
}
