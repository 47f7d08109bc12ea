#include "store/session.h"
#include "store/record.h"

#define COLUMNS "digest, account, epoch, auth_time_s, amr, created_s, last_used_s, address, agent"

int tg_session_add(struct tg_store *store, struct tg_text id, struct tg_session *session)
{
    tg_record_digest(id, session->digest);
    return tg_record_write(store->transient,
                           "INSERT INTO provider_session (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                           TG_VALUES(TG_CSTR(session->digest), TG_CSTR(session->account), TG_INT(session->epoch),
                                     TG_INT(session->auth_time_s), TG_CSTR(session->amr), TG_INT(session->created_s),
                                     TG_INT(session->last_used_s), TG_CSTR(session->address), TG_CSTR(session->agent)));
}

static void read_session(struct tg_rows *rows, struct tg_session *out)
{
    TG_FIELD(rows, 0, out->digest);
    TG_FIELD(rows, 1, out->account);
    out->epoch = tg_row_int(rows, 2);
    out->auth_time_s = tg_row_int(rows, 3);
    TG_FIELD(rows, 4, out->amr);
    out->created_s = tg_row_int(rows, 5);
    out->last_used_s = tg_row_int(rows, 6);
    TG_FIELD(rows, 7, out->address);
    TG_FIELD(rows, 8, out->agent);
}

int tg_session_find_digest(struct tg_store *store, const char *digest, struct tg_session *out)
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->transient, "SELECT " COLUMNS " FROM provider_session WHERE digest = $1",
                             TG_VALUES(TG_CSTR(digest)), &rows)) == TG_RECORD_NONE)
        return TG_SESSION_UNKNOWN;
    read_session(rows, out);
    return 0;
}

int tg_session_find(struct tg_store *store, struct tg_text id, struct tg_session *out)
{
    char digest[TG_TOKEN];

    tg_record_digest(id, digest);
    return tg_session_find_digest(store, digest, out);
}

static int change(struct tg_store *store, const char *sql, const struct tg_value *values, size_t count)
{
    int64_t changed = 0;

    tg_try(tg_db_run(store->transient, sql, values, count, &changed));
    return changed > 0 ? 0 : TG_SESSION_UNKNOWN;
}

int tg_session_touch(struct tg_store *store, const char *digest, int64_t now_s)
{
    return change(store, "UPDATE provider_session SET last_used_s = $2 WHERE digest = $1",
                  TG_VALUES(TG_CSTR(digest), TG_INT(now_s)));
}

int tg_session_end(struct tg_store *store, const char *digest)
{
    return change(store, "DELETE FROM provider_session WHERE digest = $1", TG_VALUES(TG_CSTR(digest)));
}

int tg_session_prune(struct tg_store *store, int64_t older_than_s, int limit)
{
    return tg_record_write(store->transient,
                           "DELETE FROM provider_session WHERE digest IN"
                           " (SELECT digest FROM provider_session WHERE last_used_s < $1 ORDER BY last_used_s LIMIT $2)",
                           TG_VALUES(TG_INT(older_than_s), TG_INT(limit)));
}

int tg_session_list(struct tg_store *store, const char *account, struct tg_session *out, size_t capacity, size_t *count)
{
    TG_ROWS *rows = NULL;

    *count = 0;
    tg_try(tg_db_query(store->transient,
                       "SELECT " COLUMNS " FROM provider_session WHERE account = $1"
                       " ORDER BY last_used_s DESC, created_s DESC, digest LIMIT $2",
                       TG_VALUES(TG_CSTR(account), TG_INT((int64_t)capacity)), &rows));
    while (*count < capacity && tg_try(tg_rows_next(rows)) == 0)
        read_session(rows, &out[(*count)++]);
    return 0;
}

int tg_session_end_all(struct tg_store *store, const char *account)
{
    static const char *const statements[] = {
        "DELETE FROM provider_session WHERE account = $1",
        "DELETE FROM code WHERE account = $1",
        "DELETE FROM access_token WHERE account = $1",
    };
    TG_TRANSACTION *transaction = store->transient;

    tg_try(tg_db_begin_write(transaction));
    for (size_t i = 0; i < tg_count(statements); i++)
        tg_try(tg_record_write(store->transient, statements[i], TG_VALUES(TG_CSTR(account))));
    return tg_db_commit(transaction);
}
