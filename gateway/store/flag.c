#include "store/flag.h"
#include <stdio.h>
#include "base/clock.h"
#include "store/instance.h"
#include "store/record.h"

#define COLUMNS "host, account, desired, observed, origin, judge_s, due_ms, doubt_s, tries, error, version"
#define HOLD_OF_GITEA "'gitea'"

static void read_flag(struct tg_rows *rows, struct tg_flag *out)
{
    TG_FIELD(rows, 0, out->host);
    TG_FIELD(rows, 1, out->account);
    out->desired = tg_row_int(rows, 2) != 0;
    out->observed = tg_row_int(rows, 3) != 0;
    out->origin = (enum tg_flag_origin)tg_row_int(rows, 4);
    out->judge_s = tg_row_int(rows, 5);
    out->due_ms = tg_row_int(rows, 6);
    out->doubt_s = tg_row_int(rows, 7);
    out->tries = tg_row_int(rows, 8);
    TG_FIELD(rows, 9, out->error);
    out->version = tg_row_int(rows, 10);
}

int tg_flag_find(struct tg_store *store, const char *host, const char *account, struct tg_flag *out)
{
    TG_ROWS *rows = NULL;

    *out = (struct tg_flag){.judge_s = INT64_MAX};
    snprintf(out->host, sizeof(out->host), "%s", host);
    snprintf(out->account, sizeof(out->account), "%s", account);
    if (tg_try(tg_record_one(store->truth, "SELECT " COLUMNS " FROM flag WHERE host = $1 AND account = $2",
                             TG_VALUES(TG_CSTR(host), TG_CSTR(account)), &rows)) == TG_RECORD_NONE)
        return TG_FLAG_UNKNOWN;
    read_flag(rows, out);
    return 0;
}

/* The row as it is written; version is that of the row it replaces. CHANGED: that is not there. */
static int write_row(struct tg_store *store, const struct tg_flag *flag)
{
    int64_t changed = 0;
    int result = tg_try(tg_db_run(
        store->truth,
        "INSERT INTO flag (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 + 1)"
        " ON CONFLICT (host, account) DO UPDATE SET desired = excluded.desired, observed = excluded.observed,"
        " origin = excluded.origin, judge_s = excluded.judge_s, due_ms = excluded.due_ms, doubt_s = excluded.doubt_s,"
        " tries = excluded.tries, error = excluded.error, version = excluded.version WHERE flag.version = $11",
        TG_VALUES(TG_CSTR(flag->host), TG_CSTR(flag->account), TG_INT(flag->desired), TG_INT(flag->observed),
                  TG_INT(flag->origin),
                  TG_INT(flag->judge_s), TG_INT(flag->due_ms), TG_INT(flag->doubt_s), TG_INT(flag->tries), TG_CSTR(flag->error),
                  TG_INT(flag->version)),
        &changed));

    if (result == TG_DB_CONFLICT)
        return TG_FLAG_UNKNOWN;
    return changed > 0 ? 0 : TG_FLAG_CHANGED;
}

static int has_hold(struct tg_store *store, const char *account, bool *out)
{
    TG_ROWS *rows = NULL;

    *out = tg_try(tg_record_one(store->truth, "SELECT 1 FROM hold WHERE account = $1 AND kind = " HOLD_OF_GITEA,
                                TG_VALUES(TG_CSTR(account)), &rows)) == 0;
    return 0;
}

/* In the transaction that writes the row. */
static int place_hold(struct tg_store *store, const struct tg_flag *flag)
{
    TG_FREED char *reason = tg_format("somebody has prohibited the user in Gitea %s", flag->host);

    tg_try(tg_record_write(store->truth,
                           "INSERT INTO hold (account, kind, level, reason, since_s) VALUES ($1, " HOLD_OF_GITEA ", $2, $3, $4)"
                           " ON CONFLICT (account, kind) DO NOTHING",
                           TG_VALUES(TG_CSTR(flag->account), TG_INT(TG_HOLD_BLOCKED), TG_CSTR(reason), TG_INT(tg_now_s()))));
    return tg_change_add(store, TG_CHANGE_HOLD, flag->account);
}

/* The hold stays while another Gitea has such a flag. */
static int lift_hold(struct tg_store *store, const struct tg_flag *flag)
{
    int64_t changed = 0;

    tg_try(tg_db_run(store->truth,
                     "DELETE FROM hold WHERE account = $1 AND kind = " HOLD_OF_GITEA
                     " AND NOT EXISTS (SELECT 1 FROM flag WHERE account = $1 AND origin = $2 AND due_ms >= 0)",
                     TG_VALUES(TG_CSTR(flag->account), TG_INT(TG_FLAG_FOREIGN)), &changed));
    return changed > 0 ? tg_change_add(store, TG_CHANGE_HOLD, flag->account) : 0;
}

/* As tg_facts_read sees it. */
static bool may_be_set(const struct tg_flag *flag)
{
    return flag->origin == TG_FLAG_OURS && (flag->observed || flag->doubt_s > 0);
}

int tg_flag_save(struct tg_store *store, const struct tg_flag *flag)
{
    TG_TRANSACTION *transaction = store->truth;
    struct tg_flag before;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_flag_find(store, flag->host, flag->account, &before));
    int result = tg_try(write_row(store, flag));
    if (result != 0)
        return result;
    if (flag->origin == TG_FLAG_FOREIGN && before.origin != TG_FLAG_FOREIGN)
        tg_try(place_hold(store, flag));
    if (flag->origin != TG_FLAG_FOREIGN && before.origin == TG_FLAG_FOREIGN)
        tg_try(lift_hold(store, flag));
    if (may_be_set(&before) && !may_be_set(flag))
        /* somebody may remember that it is, or that Gitea refused */
        tg_try(tg_change_add(store, TG_CHANGE_ACCOUNT, flag->account));
    return tg_db_commit(transaction);
}

int tg_flag_forget(struct tg_store *store, const char *host, const char *account)
{
    struct tg_flag flag;

    if (tg_try(tg_flag_find(store, host, account, &flag)) != 0)
        return 0;
    tg_try(tg_record_write(store->truth, "DELETE FROM flag WHERE host = $1 AND account = $2",
                           TG_VALUES(TG_CSTR(host), TG_CSTR(account))));
    return flag.origin == TG_FLAG_FOREIGN ? lift_hold(store, &flag) : 0;
}

/* Whether the standing makes another row of it. */
static int apply_wish(struct tg_store *store, struct tg_flag *flag, bool desired, int64_t judge_s, bool *changes)
{
    bool held = true;

    if (flag->origin == TG_FLAG_FOREIGN)
        tg_try(has_hold(store, flag->account, &held));
    *changes = flag->version == 0 || flag->desired != desired || flag->judge_s != judge_s || !held;
    if (flag->desired != desired || !held) {
        flag->due_ms = tg_now_ms();
        flag->tries = 0;
        flag->error[0] = '\0';
    }
    if (!held)
        flag->origin = TG_FLAG_OURS;
    flag->desired = desired;
    flag->judge_s = judge_s;
    return 0;
}

int tg_flag_want(struct tg_store *store, const char *host, const char *account, bool desired, int64_t judge_s)
{
    TG_TRANSACTION *transaction = store->truth;
    struct tg_flag flag;
    int64_t user;
    bool changes;

    if (tg_try(tg_member_user(store, host, account, &user)) != 0)
        return TG_FLAG_UNKNOWN;
    tg_try(tg_flag_find(store, host, account, &flag)); /* mostly nothing changes, and then nothing waits for the writer's lock */
    tg_try(apply_wish(store, &flag, desired, judge_s, &changes));
    if (!changes)
        return 0;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_flag_find(store, host, account, &flag));
    tg_try(apply_wish(store, &flag, desired, judge_s, &changes));
    if (changes && tg_try(write_row(store, &flag)) != 0)
        return TG_FLAG_UNKNOWN; /* the account or the instance has gone */
    return tg_db_commit(transaction);
}

/* A clock that was set back must not keep anything waiting for long: what is due too far ahead is due now. */
int tg_flag_next(struct tg_store *store, const char *host, int64_t now_ms, struct tg_flag *out)
{
    enum { FAR_MS = 15 * 60 * 1000 };
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->truth,
                             "SELECT " COLUMNS " FROM flag WHERE host = $1 AND due_ms > 0 AND (due_ms <= $2 OR due_ms > $3)"
                             " ORDER BY desired, due_ms, account LIMIT 1",
                             TG_VALUES(TG_CSTR(host), TG_INT(now_ms), TG_INT(now_ms + FAR_MS)), &rows)) == TG_RECORD_NONE)
        return TG_FLAG_UNKNOWN;
    read_flag(rows, out);
    return 0;
}

int tg_flag_touch(struct tg_store *store, const char *host, const char *account, int64_t now_ms)
{
    int64_t changed = 0;

    tg_try(tg_db_run(store->truth,
                     "UPDATE flag SET due_ms = CASE WHEN due_ms > 0 AND due_ms < $3 THEN due_ms ELSE $3 END,"
                     " version = version + 1"
                     " WHERE host = $1 AND account = $2",
                     TG_VALUES(TG_CSTR(host), TG_CSTR(account), TG_INT(now_ms)), &changed));
    return changed > 0 ? 0 : TG_FLAG_UNKNOWN;
}

int tg_flag_judge_due(struct tg_store *store, const char *host, int64_t now_s, struct tg_account_list *out)
{
    TG_ROWS *rows = NULL;

    out->count = 0;
    tg_try(tg_db_query(store->truth, "SELECT account FROM flag WHERE host = $1 AND judge_s <= $2 ORDER BY judge_s LIMIT $3",
                       TG_VALUES(TG_CSTR(host), TG_INT(now_s), TG_INT(tg_count(out->ids))), &rows));
    while (out->count < tg_count(out->ids) && tg_try(tg_rows_next(rows)) == 0)
        tg_record_text(rows, 0, out->ids[out->count++], TG_ID);
    return 0;
}

int tg_flag_count(struct tg_store *store, const char *host, struct tg_flag_counts *out)
{
    TG_ROWS *rows = NULL;

    *out = (struct tg_flag_counts){0};
    if (tg_try(tg_record_one(store->truth,
                             "SELECT COALESCE(SUM(CASE WHEN due_ms > 0 THEN 1 ELSE 0 END), 0),"
                             " COALESCE(SUM(CASE WHEN desired <> observed THEN 1 ELSE 0 END), 0),"
                             " COALESCE(SUM(CASE WHEN origin = 1 THEN 1 ELSE 0 END), 0),"
                             " COALESCE(SUM(CASE WHEN origin = 2 THEN 1 ELSE 0 END), 0) FROM flag WHERE host = $1",
                             TG_VALUES(TG_CSTR(host)), &rows)) == TG_RECORD_NONE)
        return 0;
    *out = (struct tg_flag_counts){tg_row_int(rows, 0), tg_row_int(rows, 1), tg_row_int(rows, 2), tg_row_int(rows, 3)};
    return 0;
}

int tg_flag_abandon(struct tg_store *store, const char *host)
{
    return tg_record_write(store->truth, "UPDATE flag SET due_ms = -1, version = version + 1 WHERE host = $1 AND due_ms >= 0",
                           TG_VALUES(TG_CSTR(host)));
}

int tg_flag_resume(struct tg_store *store, const char *host)
{
    return tg_record_write(store->truth, "UPDATE flag SET due_ms = $2, version = version + 1 WHERE host = $1 AND due_ms < 0",
                           TG_VALUES(TG_CSTR(host), TG_INT(tg_now_ms())));
}

#define INHERITED                                                                                                                  \
    "account = $1 AND due_ms < 0 AND origin = 1 AND EXISTS"                                                                        \
    " (SELECT 1 FROM member m WHERE m.host = flag.host AND m.account = flag.account AND m.gitea_user = $2)"

int tg_flag_inherited(struct tg_store *store, const char *account, int64_t gitea_user, bool *out)
{
    TG_ROWS *rows = NULL;

    *out = tg_try(tg_record_one(store->truth, "SELECT 1 FROM flag WHERE " INHERITED " LIMIT 1",
                                TG_VALUES(TG_CSTR(account), TG_INT(gitea_user)), &rows)) == 0;
    return 0;
}

int tg_flag_inherit(struct tg_store *store, const char *account, int64_t gitea_user)
{
    return tg_record_write(store->truth, "UPDATE flag SET origin = 0, observed = 0, version = version + 1 WHERE " INHERITED,
                           TG_VALUES(TG_CSTR(account), TG_INT(gitea_user)));
}
