#include "store/grant.h"
#include "base/clock.h"
#include "store/record.h"

#define COLUMNS "client, account, session, redirect_uri, scope, nonce, challenge, auth_time_s, expires_s, taken_ms"

static void read_grant(struct tg_rows *rows, struct tg_grant *out)
{
    TG_FIELD(rows, 0, out->client);
    TG_FIELD(rows, 1, out->account);
    TG_FIELD(rows, 2, out->session);
    TG_FIELD(rows, 3, out->redirect_uri);
    TG_FIELD(rows, 4, out->scope);
    TG_FIELD(rows, 5, out->nonce);
    TG_FIELD(rows, 6, out->challenge);
    out->auth_time_s = tg_row_int(rows, 7);
    out->expires_s = tg_row_int(rows, 8);
    out->taken_ms = tg_row_int(rows, 9);
}

int tg_grant_add(struct tg_store *store, struct tg_text code, const struct tg_grant *grant)
{
    char digest[TG_TOKEN];

    tg_record_digest(code, digest);
    return tg_record_write(store->transient,
                           "INSERT INTO code (digest, " COLUMNS ", replayed)"
                           " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0)",
                           TG_VALUES(TG_CSTR(digest), TG_CSTR(grant->client), TG_CSTR(grant->account), TG_CSTR(grant->session),
                                     TG_CSTR(grant->redirect_uri), TG_CSTR(grant->scope), TG_CSTR(grant->nonce),
                                     TG_CSTR(grant->challenge), TG_INT(grant->auth_time_s), TG_INT(grant->expires_s)));
}

static int look(struct tg_store *store, const char *digest, struct tg_grant *out)
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->transient, "SELECT " COLUMNS " FROM code WHERE digest = $1", TG_VALUES(TG_CSTR(digest)),
                             &rows)) == TG_RECORD_NONE)
        return TG_GRANT_UNKNOWN;
    read_grant(rows, out);
    return 0;
}

/* The mark on the code also voids a token that the first use is about to get: tg_access_add looks at it. */
static int void_tokens(struct tg_store *store, const char *digest)
{
    tg_try(tg_record_write(store->transient, "UPDATE code SET replayed = 1 WHERE digest = $1", TG_VALUES(TG_CSTR(digest))));
    return tg_record_write(store->transient, "DELETE FROM access_token WHERE code = $1", TG_VALUES(TG_CSTR(digest)));
}

/* Why the code was not taken. Whose it is comes first: another client must not be able to revoke anything. */
static int explain(struct tg_store *store, const char *digest, const char *client)
{
    struct tg_grant grant;

    if (tg_try(look(store, digest, &grant)) == TG_GRANT_UNKNOWN)
        return TG_GRANT_UNKNOWN;
    if (strcmp(grant.client, client) != 0)
        return TG_GRANT_FOREIGN;
    if (grant.taken_ms == 0)
        return TG_GRANT_EXPIRED;
    tg_try(void_tokens(store, digest));
    return TG_GRANT_REPLAYED;
}

int tg_grant_take(struct tg_store *store, struct tg_text code, const char *client, struct tg_grant *out)
{
    TG_TRANSACTION *transaction = store->transient;
    char digest[TG_TOKEN];
    int64_t taken = 0;

    tg_record_digest(code, digest);
    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_db_run(store->transient,
                     "UPDATE code SET taken_ms = $3 WHERE digest = $1 AND client = $2 AND taken_ms = 0 AND expires_s > $4",
                     TG_VALUES(TG_CSTR(digest), TG_CSTR(client), TG_INT(tg_now_ms()), TG_INT(tg_now_s())), &taken));
    int answer = tg_try(taken > 0 ? look(store, digest, out) : explain(store, digest, client));
    tg_try(tg_db_commit(transaction));
    return answer;
}

int tg_grant_session(struct tg_store *store, const struct tg_grant *grant, int64_t account_epoch)
{
    TG_ROWS *rows = NULL;
    int answer = tg_try(tg_record_one(store->transient, "SELECT 1 FROM provider_session WHERE digest = $1 AND epoch >= $2",
                                      TG_VALUES(TG_CSTR(grant->session), TG_INT(account_epoch)), &rows));

    return answer == TG_RECORD_NONE ? TG_GRANT_UNKNOWN : 0;
}

int tg_grant_look(struct tg_store *store, struct tg_text code, struct tg_grant *out)
{
    char digest[TG_TOKEN];

    tg_record_digest(code, digest);
    return look(store, digest, out);
}

int tg_access_add(struct tg_store *store, struct tg_text token, struct tg_text code, const struct tg_access *access)
{
    char token_digest[TG_TOKEN], code_digest[TG_TOKEN];

    tg_record_digest(token, token_digest);
    tg_record_digest(code, code_digest);
    return tg_record_write(store->transient,
                           "INSERT INTO access_token (digest, code, client, account, scope, expires_s)"
                           " SELECT $1, $2, $3, $4, $5, CAST($6 AS BIGINT)"
                           " WHERE NOT EXISTS (SELECT 1 FROM code WHERE digest = $2 AND replayed = 1)",
                           TG_VALUES(TG_CSTR(token_digest), TG_CSTR(code_digest), TG_CSTR(access->client),
                                     TG_CSTR(access->account), TG_CSTR(access->scope), TG_INT(access->expires_s)));
}

int tg_access_find(struct tg_store *store, struct tg_text token, int64_t now_s, struct tg_access *out)
{
    TG_ROWS *rows = NULL;
    char digest[TG_TOKEN];

    tg_record_digest(token, digest);
    if (tg_try(tg_record_one(store->transient, "SELECT client, account, scope, expires_s FROM access_token WHERE digest = $1",
                             TG_VALUES(TG_CSTR(digest)), &rows)) == TG_RECORD_NONE)
        return TG_ACCESS_UNKNOWN;
    TG_FIELD(rows, 0, out->client);
    TG_FIELD(rows, 1, out->account);
    TG_FIELD(rows, 2, out->scope);
    out->expires_s = tg_row_int(rows, 3);
    return out->expires_s > now_s ? 0 : TG_ACCESS_EXPIRED;
}

int tg_grant_prune(struct tg_store *store, int64_t now_s, int limit)
{
    tg_try(tg_record_write(store->transient,
                           "DELETE FROM code WHERE digest IN"
                           " (SELECT digest FROM code WHERE expires_s <= $1 ORDER BY expires_s LIMIT $2)",
                           TG_VALUES(TG_INT(now_s), TG_INT(limit))));
    return tg_record_write(store->transient,
                           "DELETE FROM access_token WHERE digest IN"
                           " (SELECT digest FROM access_token WHERE expires_s <= $1 ORDER BY expires_s LIMIT $2)",
                           TG_VALUES(TG_INT(now_s), TG_INT(limit)));
}
