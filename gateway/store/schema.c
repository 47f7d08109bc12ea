#include "store/schema.h"
#include <inttypes.h>
#include "store/record.h"

/* The version table, as everything here, is written once for SQLite and PostgreSQL. */
#define VERSION_TABLE "CREATE TABLE schema_version (version BIGINT NOT NULL); INSERT INTO schema_version (version) VALUES (0);"

/*
 * counter: a change takes its number by raising the counter, which makes every later writer wait until this one has committed:
 * numbers have no gaps and become visible in order. A counter outlives the rows it counted, so that no number comes twice.
 */
static const char truth_1[] =
    "CREATE TABLE counter (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);"
    "INSERT INTO counter (name, value) VALUES ('change', 0);"
    "CREATE TABLE change ("
    " number BIGINT NOT NULL PRIMARY KEY, kind BIGINT NOT NULL, subject TEXT NOT NULL, made_s BIGINT NOT NULL);"

    "CREATE TABLE account ("
    " id TEXT NOT NULL PRIMARY KEY, sub TEXT NOT NULL UNIQUE,"
    " login TEXT NOT NULL, login_key TEXT NOT NULL UNIQUE," /* keys: in lower case */
    " email TEXT NOT NULL, email_key TEXT NOT NULL UNIQUE,"
    " full_name TEXT NOT NULL, zone TEXT NOT NULL, password_hash TEXT NOT NULL,"
    " is_operator BIGINT NOT NULL CHECK (is_operator IN (0, 1)), locked BIGINT NOT NULL CHECK (locked IN (0, 1)),"
    " session_epoch BIGINT NOT NULL, created_s BIGINT NOT NULL);"

    "CREATE TABLE subscription ("
    " account TEXT NOT NULL PRIMARY KEY REFERENCES account (id), paid_until_s BIGINT NOT NULL, set_s BIGINT NOT NULL);"
    "CREATE TABLE hold ("
    " account TEXT NOT NULL REFERENCES account (id), kind TEXT NOT NULL, level BIGINT NOT NULL CHECK (level IN (1, 2)),"
    " reason TEXT NOT NULL, since_s BIGINT NOT NULL, PRIMARY KEY (account, kind));"

    "CREATE TABLE client ("
    " id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, kind BIGINT NOT NULL, instance TEXT UNIQUE,"
    " secret_digest TEXT NOT NULL, redirect_uri TEXT NOT NULL, logout_uri TEXT NOT NULL, scope TEXT NOT NULL,"
    " is_public BIGINT NOT NULL CHECK (is_public IN (0, 1)), created_s BIGINT NOT NULL);"
    "CREATE TABLE consent (" /* one row for each word of the scope */
    " account TEXT NOT NULL REFERENCES account (id), client TEXT NOT NULL REFERENCES client (id), scope TEXT NOT NULL,"
    " given_s BIGINT NOT NULL, PRIMARY KEY (account, client, scope));"
    "CREATE INDEX consent_client ON consent (client);"
    "CREATE TABLE instance ("
    " host TEXT NOT NULL PRIMARY KEY, source_id BIGINT NOT NULL, source_name TEXT NOT NULL, client TEXT REFERENCES client (id));"
    "CREATE TABLE member ("
    " host TEXT NOT NULL REFERENCES instance (host), account TEXT NOT NULL REFERENCES account (id), gitea_user BIGINT NOT NULL,"
    " PRIMARY KEY (host, account), UNIQUE (host, gitea_user));"
    "CREATE TABLE flag (" /* Gitea's prohibit_login: flag.h */
    " host TEXT NOT NULL REFERENCES instance (host), account TEXT NOT NULL REFERENCES account (id),"
    " desired BIGINT NOT NULL CHECK (desired IN (0, 1)), observed BIGINT NOT NULL CHECK (observed IN (0, 1)),"
    " origin BIGINT NOT NULL CHECK (origin IN (0, 1, 2)), judge_s BIGINT NOT NULL, due_ms BIGINT NOT NULL,"
    " doubt_s BIGINT NOT NULL, tries BIGINT NOT NULL, error TEXT NOT NULL, version BIGINT NOT NULL,"
    " PRIMARY KEY (host, account));"
    "CREATE INDEX flag_account ON flag (account);"
    "CREATE INDEX flag_judge ON flag (host, judge_s);"
    "CREATE INDEX flag_due ON flag (host, desired, due_ms) WHERE due_ms > 0;"

    "CREATE TABLE signing_key ("
    " kid TEXT NOT NULL PRIMARY KEY, state BIGINT NOT NULL CHECK (state IN (0, 1, 2)), created_s BIGINT NOT NULL,"
    " since_s BIGINT NOT NULL, sealed TEXT NOT NULL);"
    "CREATE UNIQUE INDEX signing_key_single ON signing_key (state) WHERE state <> 2;"; /* one key signs, one may follow */

static const char transient_1[] =
    "CREATE TABLE provider_session ("
    " digest TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, epoch BIGINT NOT NULL, auth_time_s BIGINT NOT NULL,"
    " amr TEXT NOT NULL, created_s BIGINT NOT NULL, last_used_s BIGINT NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL);"
    "CREATE INDEX provider_session_used ON provider_session (last_used_s);"
    "CREATE INDEX provider_session_account ON provider_session (account);"
    "CREATE TABLE throttle ("
    " digest TEXT NOT NULL PRIMARY KEY, tries BIGINT NOT NULL, until_ms BIGINT NOT NULL, forget_ms BIGINT NOT NULL);"
    "CREATE INDEX throttle_forget ON throttle (forget_ms);"

    "CREATE TABLE code ("
    " digest TEXT NOT NULL PRIMARY KEY, client TEXT NOT NULL, account TEXT NOT NULL, session TEXT NOT NULL,"
    " redirect_uri TEXT NOT NULL, scope TEXT NOT NULL, nonce TEXT NOT NULL, challenge TEXT NOT NULL,"
    " auth_time_s BIGINT NOT NULL, expires_s BIGINT NOT NULL, taken_ms BIGINT NOT NULL,"
    " replayed BIGINT NOT NULL CHECK (replayed IN (0, 1)));"
    "CREATE INDEX code_expires ON code (expires_s);"
    "CREATE TABLE access_token ("
    " digest TEXT NOT NULL PRIMARY KEY, code TEXT NOT NULL, client TEXT NOT NULL, account TEXT NOT NULL, scope TEXT NOT NULL,"
    " expires_s BIGINT NOT NULL);"
    "CREATE INDEX access_token_code ON access_token (code);"
    "CREATE INDEX access_token_expires ON access_token (expires_s);"

    "CREATE TABLE credential ("
    " host TEXT NOT NULL, digest TEXT NOT NULL, gitea_user BIGINT NOT NULL, seen_s BIGINT NOT NULL, PRIMARY KEY (host, digest));"
    "CREATE INDEX credential_seen ON credential (seen_s);";

/* What the clock was when it was last beyond doubt, in one row; and when time alone changes an account (0: to be found out). */
static const char truth_2[] =
    "CREATE TABLE clock ("
    " only BIGINT NOT NULL PRIMARY KEY CHECK (only = 1), known_s BIGINT NOT NULL, boot TEXT NOT NULL, offset_ms BIGINT NOT NULL,"
    " accepted_s BIGINT NOT NULL, doubt BIGINT NOT NULL CHECK (doubt IN (0, 1, 2)), amount BIGINT NOT NULL);"
    "ALTER TABLE subscription ADD COLUMN next_s BIGINT NOT NULL DEFAULT 0;"
    "ALTER TABLE subscription ADD COLUMN level BIGINT NOT NULL DEFAULT 0;"
    "CREATE INDEX subscription_next ON subscription (next_s, account);";

/* Until when somebody has read the page about his subscription: notice.h. */
static const char transient_2[] =
    "CREATE TABLE notice ("
    " account TEXT NOT NULL PRIMARY KEY, matter TEXT NOT NULL, until_s BIGINT NOT NULL);";

static const char *const truth_migrations[] = {truth_1, truth_2};
static const char *const transient_migrations[] = {transient_1, transient_2};

const struct tg_schema tg_schema_truth = {
    .file = "truth.db",
    .sync = TG_DB_FULL,
    .migrations = truth_migrations,
    .version = tg_count(truth_migrations),
    .is_copied = true,
};

const struct tg_schema tg_schema_transient = {
    .file = "transient.db",
    .sync = TG_DB_NORMAL,
    .migrations = transient_migrations,
    .version = tg_count(transient_migrations),
};

int tg_schema_version(struct tg_db *db, int64_t *version)
{
    TG_ROWS *rows = NULL;
    bool there;

    *version = 0;
    tg_try(tg_db_has_table(db, "schema_version", &there));
    if (!there)
        return 0;
    if (tg_try(tg_record_one(db, "SELECT version FROM schema_version", NULL, 0, &rows)) == TG_RECORD_NONE)
        return tg_fail("the table schema_version is empty: restore a copy");
    *version = tg_row_int(rows, 0);
    return 0;
}

static int run_migrations(struct tg_db *db, const struct tg_schema *schema)
{
    TG_TRANSACTION *transaction = db;
    int64_t version;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_schema_version(db, &version));
    if (version >= schema->version)
        return 0; /* somebody else was first */
    if (version == 0)
        tg_try(tg_db_script(db, VERSION_TABLE));
    for (; version < schema->version; version++)
        tg_try(tg_db_script(db, schema->migrations[version]));
    tg_try(tg_record_write(db, "UPDATE schema_version SET version = $1", TG_VALUES(TG_INT(schema->version))));
    return tg_db_commit(transaction);
}

int tg_schema_migrate(struct tg_db *db, const struct tg_schema *schema, const char *path)
{
    int64_t version;

    tg_try(tg_schema_version(db, &version));
    if (version >= schema->version)
        return 0;
    if (version > 0 && schema->is_copied) {
        TG_FREED char *copy = tg_format("%s.%" PRId64, path, version);
        tg_try(tg_db_copy(db, copy));
    }
    return run_migrations(db, schema);
}
