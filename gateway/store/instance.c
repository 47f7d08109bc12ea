#include "store/instance.h"
#include "base/clock.h"
#include "store/flag.h"
#include "store/record.h"

static int find_instance(struct tg_store *store, const char *sql, const char *host, struct tg_instance *out)
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->truth, sql, TG_VALUES(TG_CSTR(host)), &rows)) == TG_RECORD_NONE)
        return TG_INSTANCE_UNKNOWN;
    TG_FIELD(rows, 0, out->host);
    out->source_id = tg_row_int(rows, 1);
    TG_FIELD(rows, 2, out->source_name);
    TG_FIELD(rows, 3, out->client);
    return 0;
}

int tg_instance_find(struct tg_store *store, const char *host, struct tg_instance *out)
{
    return find_instance(store, "SELECT host, source_id, source_name, client FROM instance WHERE host = $1", host, out);
}

int tg_instance_next(struct tg_store *store, const char *after, struct tg_instance *out)
{
    return find_instance(store, "SELECT host, source_id, source_name, client FROM instance WHERE host > $1 ORDER BY host LIMIT 1",
                         after, out);
}

int tg_instance_put(struct tg_store *store, const struct tg_instance *instance)
{
    TG_TRANSACTION *transaction = store->truth;
    struct tg_value client = instance->client[0] != '\0' ? TG_CSTR(instance->client) : TG_NO_VALUE;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_record_write(store->truth,
                           "INSERT INTO instance (host, source_id, source_name, client) VALUES ($1, $2, $3, $4)"
                           " ON CONFLICT (host) DO UPDATE SET source_id = excluded.source_id, source_name = excluded.source_name,"
                           " client = excluded.client",
                           TG_VALUES(TG_CSTR(instance->host), TG_INT(instance->source_id), TG_CSTR(instance->source_name),
                                     client)));
    tg_try(tg_change_add(store, TG_CHANGE_INSTANCE, instance->host));
    return tg_db_commit(transaction);
}

int tg_member_user(struct tg_store *store, const char *host, const char *account, int64_t *gitea_user)
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->truth, "SELECT gitea_user FROM member WHERE host = $1 AND account = $2",
                             TG_VALUES(TG_CSTR(host), TG_CSTR(account)), &rows)) == TG_RECORD_NONE)
        return TG_MEMBER_UNKNOWN;
    *gitea_user = tg_row_int(rows, 0);
    return 0;
}

int tg_member_account(struct tg_store *store, const char *host, int64_t gitea_user, char account[TG_ID])
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->truth, "SELECT account FROM member WHERE host = $1 AND gitea_user = $2",
                             TG_VALUES(TG_CSTR(host), TG_INT(gitea_user)), &rows)) == TG_RECORD_NONE)
        return TG_MEMBER_UNKNOWN;
    tg_record_text(rows, 0, account, TG_ID);
    return 0;
}

/* Whoever was that user before is not any more: a Gitea that was put up anew counts its users from one again. */
static int unmap(struct tg_store *store, const char *host, int64_t gitea_user)
{
    char before[TG_ID];

    if (tg_try(tg_member_account(store, host, gitea_user, before)) == TG_MEMBER_UNKNOWN)
        return 0;
    tg_try(tg_record_write(store->truth, "DELETE FROM member WHERE host = $1 AND gitea_user = $2",
                           TG_VALUES(TG_CSTR(host), TG_INT(gitea_user))));
    tg_try(tg_flag_forget(store, host, before)); /* it was that user's, and nobody would ever look at it again */
    return tg_change_add(store, TG_CHANGE_ACCOUNT, before);
}

static int map(struct tg_store *store, const char *host, const char *account, int64_t gitea_user)
{
    TG_TRANSACTION *transaction = store->truth;

    tg_try(tg_db_begin_write(transaction));
    tg_try(unmap(store, host, gitea_user));
    if (tg_try(tg_db_run(store->truth,
                         "INSERT INTO member (host, account, gitea_user) VALUES ($1, $2, $3)"
                         " ON CONFLICT (host, account) DO UPDATE SET gitea_user = excluded.gitea_user",
                         TG_VALUES(TG_CSTR(host), TG_CSTR(account), TG_INT(gitea_user)), NULL)) == TG_DB_CONFLICT)
        return TG_MEMBER_UNKNOWN;
    tg_try(tg_change_add(store, TG_CHANGE_ACCOUNT, account));
    return tg_db_commit(transaction);
}

int tg_member_put(struct tg_store *store, const char *host, const char *account, int64_t gitea_user)
{
    int64_t known;

    /* Confirmed before every code, and nearly always what is there already: then nothing waits for the writer's lock. */
    if (tg_try(tg_member_user(store, host, account, &known)) == 0 && known == gitea_user)
        return 0;
    return map(store, host, account, gitea_user);
}

int tg_member_forget(struct tg_store *store, const char *host, const char *account)
{
    TG_TRANSACTION *transaction = store->truth;
    const struct tg_value values[] = {TG_CSTR(host), TG_CSTR(account)};
    int64_t changed = 0;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_db_run(store->truth, "DELETE FROM member WHERE host = $1 AND account = $2", values, 2, &changed));
    if (changed == 0)
        return TG_MEMBER_UNKNOWN;
    tg_try(tg_flag_forget(store, host, account));
    tg_try(tg_change_add(store, TG_CHANGE_ACCOUNT, account));
    return tg_db_commit(transaction);
}

int tg_member_list(struct tg_store *store, const char *host, const char *after, struct tg_member_page *out)
{
    TG_ROWS *rows = NULL;

    out->count = 0;
    tg_try(tg_db_query(store->truth,
                       "SELECT account, gitea_user FROM member WHERE host = $1 AND account > $2 ORDER BY account LIMIT $3",
                       TG_VALUES(TG_CSTR(host), TG_CSTR(after), TG_INT(tg_count(out->members))), &rows));
    while (out->count < tg_count(out->members) && tg_try(tg_rows_next(rows)) == 0) {
        struct tg_member *member = &out->members[out->count++];

        TG_FIELD(rows, 0, member->account);
        member->gitea_user = tg_row_int(rows, 1);
    }
    return 0;
}

int tg_credential_put(struct tg_store *store, const char *host, const uint8_t digest[TG_DIGEST], int64_t gitea_user)
{
    char text[TG_TOKEN];

    tg_base64url(digest, TG_DIGEST, text);
    return tg_record_write(store->transient,
                           "INSERT INTO credential (host, digest, gitea_user, seen_s) VALUES ($1, $2, $3, $4)"
                           " ON CONFLICT (host, digest) DO UPDATE SET gitea_user = excluded.gitea_user, seen_s = excluded.seen_s",
                           TG_VALUES(TG_CSTR(host), TG_CSTR(text), TG_INT(gitea_user), TG_INT(tg_now_s())));
}

int tg_credential_find(struct tg_store *store, const char *host, const uint8_t digest[TG_DIGEST], int64_t *gitea_user)
{
    TG_ROWS *rows = NULL;
    char text[TG_TOKEN];

    tg_base64url(digest, TG_DIGEST, text);
    if (tg_try(tg_record_one(store->transient, "SELECT gitea_user FROM credential WHERE host = $1 AND digest = $2",
                             TG_VALUES(TG_CSTR(host), TG_CSTR(text)), &rows)) == TG_RECORD_NONE)
        return TG_CREDENTIAL_UNKNOWN;
    *gitea_user = tg_row_int(rows, 0);
    return 0;
}

int tg_credential_prune(struct tg_store *store, int64_t older_than_s, int limit)
{
    return tg_record_write(store->transient,
                           "DELETE FROM credential WHERE (host, digest) IN"
                           " (SELECT host, digest FROM credential WHERE seen_s < $1 ORDER BY seen_s LIMIT $2)",
                           TG_VALUES(TG_INT(older_than_s), TG_INT(limit)));
}
