#include "store/client.h"
#include "base/clock.h"
#include "store/record.h"

#define COLUMNS "id, name, kind, instance, secret_digest, redirect_uri, logout_uri, scope, is_public, created_s"

static int read_client(struct tg_rows *rows, struct tg_client *out)
{
    size_t len;

    TG_FIELD(rows, 0, out->id);
    TG_FIELD(rows, 1, out->name);
    out->kind = tg_row_int(rows, 2) == TG_CLIENT_GITEA ? TG_CLIENT_GITEA : TG_CLIENT_OTHER;
    TG_FIELD(rows, 3, out->instance);
    if (tg_base64url_decode(tg_row_text(rows, 4), out->secret_digest, TG_DIGEST, &len) != 0 || len != TG_DIGEST)
        return tg_fail("the secret of client %s is not a digest", out->id);
    TG_FIELD(rows, 5, out->redirect_uri);
    TG_FIELD(rows, 6, out->logout_uri);
    TG_FIELD(rows, 7, out->scope);
    out->is_public = tg_row_int(rows, 8) != 0;
    out->created_s = tg_row_int(rows, 9);
    return 0;
}

static int insert(struct tg_store *store, const struct tg_client *client)
{
    char digest[TG_TOKEN];
    struct tg_value instance = client->instance[0] != '\0' ? TG_CSTR(client->instance) : TG_NO_VALUE; /* many may have none */

    tg_base64url(client->secret_digest, TG_DIGEST, digest);
    return tg_db_run(store->truth, "INSERT INTO client (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                     TG_VALUES(TG_CSTR(client->id), TG_CSTR(client->name), TG_INT(client->kind), instance, TG_CSTR(digest),
                               TG_CSTR(client->redirect_uri), TG_CSTR(client->logout_uri), TG_CSTR(client->scope),
                               TG_INT(client->is_public), TG_INT(client->created_s)),
                     NULL);
}

int tg_client_add(struct tg_store *store, struct tg_client *client)
{
    TG_TRANSACTION *transaction = store->truth;

    tg_random_id(client->id);
    client->created_s = tg_now_s();
    tg_try(tg_db_begin_write(transaction));
    if (tg_try(insert(store, client)) == TG_DB_CONFLICT)
        return TG_CLIENT_TAKEN;
    tg_try(tg_change_add(store, TG_CHANGE_CLIENT, client->id));
    return tg_db_commit(transaction);
}

static int find(struct tg_store *store, const char *sql, struct tg_text key, struct tg_client *out)
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->truth, sql, TG_VALUES(TG_STR(key)), &rows)) == TG_RECORD_NONE)
        return TG_CLIENT_UNKNOWN;
    return read_client(rows, out);
}

int tg_client_find(struct tg_store *store, struct tg_text id, struct tg_client *out)
{
    return find(store, "SELECT " COLUMNS " FROM client WHERE id = $1", id, out);
}

int tg_client_find_instance(struct tg_store *store, const char *host, struct tg_client *out)
{
    return find(store, "SELECT " COLUMNS " FROM client WHERE instance = $1", tg_text(host), out);
}

static int update(struct tg_store *store, const char *sql, const char *id, const char *value)
{
    TG_TRANSACTION *transaction = store->truth;
    int64_t changed = 0;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_db_run(store->truth, sql, TG_VALUES(TG_CSTR(id), TG_CSTR(value)), &changed));
    if (changed == 0)
        return TG_CLIENT_UNKNOWN;
    tg_try(tg_change_add(store, TG_CHANGE_CLIENT, id));
    return tg_db_commit(transaction);
}

int tg_client_set_secret(struct tg_store *store, const char *id, const uint8_t digest[TG_DIGEST])
{
    char text[TG_TOKEN];

    tg_base64url(digest, TG_DIGEST, text);
    return update(store, "UPDATE client SET secret_digest = $2 WHERE id = $1", id, text);
}

int tg_client_set_redirect(struct tg_store *store, const char *id, const char *redirect_uri)
{
    return update(store, "UPDATE client SET redirect_uri = $2 WHERE id = $1", id, redirect_uri);
}

/* A crash in between leaves codes and tokens of nobody, which soon expire. */
static int forget_tokens(struct tg_store *store, const char *id)
{
    tg_try(tg_record_write(store->transient, "DELETE FROM code WHERE client = $1", TG_VALUES(TG_CSTR(id))));
    return tg_record_write(store->transient, "DELETE FROM access_token WHERE client = $1", TG_VALUES(TG_CSTR(id)));
}

static int remove_row(struct tg_store *store, const char *id)
{
    TG_TRANSACTION *transaction = store->truth;
    int64_t changed = 0;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_record_write(store->truth, "DELETE FROM consent WHERE client = $1", TG_VALUES(TG_CSTR(id))));
    if (tg_try(tg_db_run(store->truth, "DELETE FROM client WHERE id = $1", TG_VALUES(TG_CSTR(id)), &changed)) == TG_DB_CONFLICT)
        return TG_CLIENT_IN_USE;
    if (changed == 0)
        return TG_CLIENT_UNKNOWN;
    tg_try(tg_change_add(store, TG_CHANGE_CLIENT, id));
    return tg_db_commit(transaction);
}

int tg_client_remove(struct tg_store *store, const char *id)
{
    int answer = tg_try(remove_row(store, id));

    return answer == 0 ? forget_tokens(store, id) : answer;
}

int tg_client_each(struct tg_store *store, int (*each)(const struct tg_client *client, void *context), void *context)
{
    TG_ROWS *rows = NULL;
    struct tg_client client;
    int result = 0;

    tg_try(tg_db_query(store->truth, "SELECT " COLUMNS " FROM client ORDER BY name, id", NULL, 0, &rows));
    while (result == 0 && tg_try(tg_rows_next(rows)) == 0) {
        tg_try(read_client(rows, &client));
        result = each(&client, context);
    }
    return result;
}
