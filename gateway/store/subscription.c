#include "store/subscription.h"
#include "base/clock.h"
#include "store/record.h"

/* As the database has them; in the order of the enum. */
static const char *const kinds[] = {"nonpayment", "abuse", "fraud", "quota", "legal", "admin", "gitea"};

const char *tg_hold_kind_name(enum tg_hold_kind kind)
{
    return (size_t)kind < tg_count(kinds) ? kinds[kind] : "unknown";
}

/* A kind of a later release counts as an operator's: only he can lift it here. */
static enum tg_hold_kind kind_of(struct tg_text name)
{
    for (size_t i = 0; i < tg_count(kinds); i++) {
        if (tg_text_is(name, kinds[i]))
            return (enum tg_hold_kind)i;
    }
    return TG_HOLD_ADMIN;
}

static int read_account_facts(struct tg_store *store, const char *account, struct tg_facts *out)
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->truth,
                             "SELECT a.id, a.login, a.zone, a.session_epoch, a.is_operator, a.locked, s.paid_until_s,"
                             " EXISTS (SELECT 1 FROM flag f WHERE f.account = a.id AND f.origin = 1 AND f.due_ms >= 0"
                             " AND (f.observed = 1 OR f.doubt_s > 0))"
                             " FROM account a LEFT JOIN subscription s ON s.account = a.id WHERE a.id = $1",
                             TG_VALUES(TG_CSTR(account)), &rows)) == TG_RECORD_NONE)
        return TG_ACCOUNT_UNKNOWN;
    TG_FIELD(rows, 0, out->account);
    TG_FIELD(rows, 1, out->login);
    TG_FIELD(rows, 2, out->zone);
    out->session_epoch = tg_row_int(rows, 3);
    out->is_operator = tg_row_int(rows, 4) != 0;
    out->locked = tg_row_int(rows, 5) != 0;
    out->subscribed = !tg_row_null(rows, 6);
    out->paid_until_s = tg_row_int(rows, 6);
    out->flagged = tg_row_int(rows, 7) != 0;
    return 0;
}

static int read_worst_hold(struct tg_store *store, const char *account, struct tg_facts *out)
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->truth,
                             "SELECT level, kind, since_s FROM hold WHERE account = $1"
                             " ORDER BY level DESC, since_s, kind LIMIT 1",
                             TG_VALUES(TG_CSTR(account)), &rows)) == TG_RECORD_NONE)
        return 0;
    out->hold = tg_row_int(rows, 0) == TG_HOLD_READONLY ? TG_HOLD_READONLY : TG_HOLD_BLOCKED;
    out->hold_kind = kind_of(tg_row_text(rows, 1));
    out->hold_since_s = tg_row_int(rows, 2);
    return 0;
}

int tg_facts_read(struct tg_store *store, const char *account, struct tg_facts *out)
{
    TG_TRANSACTION *transaction = store->truth;

    *out = (struct tg_facts){0};
    tg_try(tg_db_begin_read(transaction));
    tg_try(tg_change_last(store, &out->change));
    if (tg_try(read_account_facts(store, account, out)) == TG_ACCOUNT_UNKNOWN)
        return TG_ACCOUNT_UNKNOWN;
    tg_try(read_worst_hold(store, account, out));
    return tg_db_commit(transaction);
}

/* Writes what belongs to an account, the first value, and its change row. */
static int write_fact(struct tg_store *store, enum tg_change_kind kind, const char *sql, const struct tg_value *values,
                      size_t count)
{
    TG_TRANSACTION *transaction = store->truth;

    tg_try(tg_db_begin_write(transaction));
    if (tg_try(tg_db_run(store->truth, sql, values, count, NULL)) == TG_DB_CONFLICT)
        return TG_ACCOUNT_UNKNOWN;
    tg_try(tg_change_add(store, kind, values[0].text.base));
    return tg_db_commit(transaction);
}

int tg_subscription_set(struct tg_store *store, const char *account, int64_t paid_until_s)
{
    return write_fact(store, TG_CHANGE_SUBSCRIPTION,
                 "INSERT INTO subscription (account, paid_until_s, set_s) VALUES ($1, $2, $3)"
                 " ON CONFLICT (account) DO UPDATE SET paid_until_s = excluded.paid_until_s, set_s = excluded.set_s, next_s = 0",
                 TG_VALUES(TG_CSTR(account), TG_INT(paid_until_s), TG_INT(tg_now_s())));
}

/* A hold that is placed again keeps its beginning. */
int tg_hold_place(struct tg_store *store, const char *account, enum tg_hold_kind kind, enum tg_hold_level level,
                  const char *reason)
{
    return write_fact(store, TG_CHANGE_HOLD,
                 "INSERT INTO hold (account, kind, level, reason, since_s) VALUES ($1, $2, $3, $4, $5)"
                 " ON CONFLICT (account, kind) DO UPDATE SET level = excluded.level, reason = excluded.reason",
                 TG_VALUES(TG_CSTR(account), TG_CSTR(tg_hold_kind_name(kind)), TG_INT(level), TG_CSTR(reason),
                           TG_INT(tg_now_s())));
}

int tg_hold_lift(struct tg_store *store, const char *account, enum tg_hold_kind kind)
{
    TG_TRANSACTION *transaction = store->truth;
    int64_t changed = 0;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_db_run(store->truth, "DELETE FROM hold WHERE account = $1 AND kind = $2",
                     TG_VALUES(TG_CSTR(account), TG_CSTR(tg_hold_kind_name(kind))), &changed));
    if (changed == 0)
        return TG_HOLD_UNKNOWN;
    tg_try(tg_change_add(store, TG_CHANGE_HOLD, account));
    return tg_db_commit(transaction);
}

int tg_hold_list(struct tg_store *store, const char *account, struct tg_hold *out, size_t capacity, size_t *count)
{
    TG_ROWS *rows = NULL;

    *count = 0;
    tg_try(tg_db_query(store->truth,
                       "SELECT level, kind, since_s, reason FROM hold WHERE account = $1 ORDER BY level DESC, since_s, kind LIMIT $2",
                       TG_VALUES(TG_CSTR(account), TG_INT((int64_t)capacity)), &rows));
    while (*count < capacity && tg_try(tg_rows_next(rows)) == 0) {
        struct tg_hold *hold = &out[(*count)++];

        hold->level = tg_row_int(rows, 0) == TG_HOLD_READONLY ? TG_HOLD_READONLY : TG_HOLD_BLOCKED;
        hold->kind = kind_of(tg_row_text(rows, 1));
        hold->since_s = tg_row_int(rows, 2);
        TG_FIELD(rows, 3, hold->reason);
    }
    return 0;
}
