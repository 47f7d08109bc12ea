#include "store/account.h"
#include <stdio.h>
#include "base/clock.h"
#include "store/record.h"

enum { PAGE = 64 };

#define COLUMNS                                                                                                                    \
    "id, sub, login, email, full_name, zone, password_hash, is_operator, locked, session_epoch, created_s"

/* What makes a name unique without case; logins and addresses are ASCII. */
static void fold(char *key, size_t size, struct tg_text text)
{
    size_t len = text.len < size ? text.len : 0;

    for (size_t i = 0; i < len; i++) {
        char c = text.base[i];
        key[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    key[len] = '\0';
}

static void read_account(struct tg_rows *rows, struct tg_account *out)
{
    TG_FIELD(rows, 0, out->id);
    TG_FIELD(rows, 1, out->sub);
    TG_FIELD(rows, 2, out->login);
    TG_FIELD(rows, 3, out->email);
    TG_FIELD(rows, 4, out->full_name);
    TG_FIELD(rows, 5, out->zone);
    TG_FIELD(rows, 6, out->password_hash);
    out->is_operator = tg_row_int(rows, 7) != 0;
    out->locked = tg_row_int(rows, 8) != 0;
    out->session_epoch = tg_row_int(rows, 9);
    out->created_s = tg_row_int(rows, 10);
}

static int insert(struct tg_store *store, const struct tg_account *account)
{
    char login_key[TG_LOGIN], email_key[TG_EMAIL];

    fold(login_key, sizeof(login_key), tg_text(account->login));
    fold(email_key, sizeof(email_key), tg_text(account->email));
    return tg_db_run(store->truth,
                     "INSERT INTO account (" COLUMNS ", login_key, email_key)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                     TG_VALUES(TG_CSTR(account->id), TG_CSTR(account->sub), TG_CSTR(account->login), TG_CSTR(account->email),
                               TG_CSTR(account->full_name), TG_CSTR(account->zone), TG_CSTR(account->password_hash),
                               TG_INT(account->is_operator), TG_INT(account->locked), TG_INT(account->session_epoch),
                               TG_INT(account->created_s), TG_CSTR(login_key), TG_CSTR(email_key)),
                     NULL);
}

int tg_account_add(struct tg_store *store, struct tg_account *account)
{
    TG_TRANSACTION *transaction = store->truth;

    tg_random_id(account->id);
    tg_random_id(account->sub);
    account->created_s = tg_now_s();
    tg_try(tg_db_begin_write(transaction));
    if (tg_try(insert(store, account)) == TG_DB_CONFLICT)
        return TG_ACCOUNT_TAKEN;
    tg_try(tg_change_add(store, TG_CHANGE_ACCOUNT, account->id));
    return tg_db_commit(transaction);
}

static int find(struct tg_store *store, const char *sql, const char *key, struct tg_account *out)
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->truth, sql, TG_VALUES(TG_CSTR(key)), &rows)) == TG_RECORD_NONE)
        return TG_ACCOUNT_UNKNOWN;
    read_account(rows, out);
    return 0;
}

int tg_account_find(struct tg_store *store, const char *id, struct tg_account *out)
{
    return find(store, "SELECT " COLUMNS " FROM account WHERE id = $1", id, out);
}

int tg_account_find_sub(struct tg_store *store, const char *sub, struct tg_account *out)
{
    return find(store, "SELECT " COLUMNS " FROM account WHERE sub = $1", sub, out);
}

/* No login has an "@", every address has one: nobody's login is another's address. */
int tg_account_find_login(struct tg_store *store, struct tg_text login_or_email, struct tg_account *out)
{
    char key[TG_EMAIL];

    if (login_or_email.len == 0 || memchr(login_or_email.base, '\0', login_or_email.len) != NULL)
        return TG_ACCOUNT_UNKNOWN;
    fold(key, sizeof(key), login_or_email);
    if (strchr(key, '@') != NULL)
        return find(store, "SELECT " COLUMNS " FROM account WHERE email_key = $1", key, out);
    return find(store, "SELECT " COLUMNS " FROM account WHERE login_key = $1", key, out);
}

/* Updates one account and says so to the caches. */
static int update(struct tg_store *store, const char *id, const char *sql, const struct tg_value *values, size_t count)
{
    TG_TRANSACTION *transaction = store->truth;
    int64_t changed = 0;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_db_run(store->truth, sql, values, count, &changed));
    if (changed == 0)
        return TG_ACCOUNT_UNKNOWN;
    tg_try(tg_change_add(store, TG_CHANGE_ACCOUNT, id));
    return tg_db_commit(transaction);
}

int tg_account_set_password(struct tg_store *store, const char *id, const char *hash, bool keep_sessions)
{
    return update(store, id, "UPDATE account SET password_hash = $2, session_epoch = session_epoch + $3 WHERE id = $1",
                  TG_VALUES(TG_CSTR(id), TG_CSTR(hash), TG_INT(!keep_sessions)));
}

/* The hash is in no cache, so there is no change to tell. */
int tg_account_rehash(struct tg_store *store, const char *id, const char *old_hash, const char *new_hash)
{
    int64_t changed = 0;

    tg_try(tg_db_run(store->truth, "UPDATE account SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
                     TG_VALUES(TG_CSTR(id), TG_CSTR(old_hash), TG_CSTR(new_hash)), &changed));
    return changed > 0 ? 0 : TG_ACCOUNT_UNKNOWN;
}

int tg_account_set_locked(struct tg_store *store, const char *id, bool locked)
{
    return update(store, id, "UPDATE account SET locked = $2, session_epoch = session_epoch + $2 WHERE id = $1",
                  TG_VALUES(TG_CSTR(id), TG_INT(locked)));
}

int tg_account_set_operator(struct tg_store *store, const char *id, bool is_operator)
{
    return update(store, id, "UPDATE account SET is_operator = $2, session_epoch = session_epoch + 1 - $2 WHERE id = $1",
                  TG_VALUES(TG_CSTR(id), TG_INT(is_operator)));
}

int tg_account_raise_epoch(struct tg_store *store, const char *id)
{
    return update(store, id, "UPDATE account SET session_epoch = session_epoch + 1 WHERE id = $1", TG_VALUES(TG_CSTR(id)));
}

/* The accounts behind the login in key, in order, at most PAGE. */
static int read_page(struct tg_store *store, const char *key, struct tg_account *page, size_t *count)
{
    TG_ROWS *rows = NULL;

    *count = 0;
    tg_try(tg_db_query(store->truth, "SELECT " COLUMNS " FROM account WHERE login_key > $1 ORDER BY login_key LIMIT $2",
                       TG_VALUES(TG_CSTR(key), TG_INT(PAGE)), &rows));
    while (*count < PAGE && tg_try(tg_rows_next(rows)) == 0)
        read_account(rows, &page[(*count)++]);
    return 0;
}

/* Page by page, so that no query is open while the callback does what it likes with the store. */
int tg_account_each(struct tg_store *store, int (*each)(const struct tg_account *account, void *context), void *context)
{
    TG_FREED struct tg_account *page = tg_alloc(PAGE * sizeof(*page));
    char key[TG_LOGIN] = "";
    size_t count;

    do {
        tg_try(read_page(store, key, page, &count));
        for (size_t i = 0; i < count; i++) {
            int result = each(&page[i], context);
            if (result != 0)
                return result;
        }
        if (count > 0)
            fold(key, sizeof(key), tg_text(page[count - 1].login));
    } while (count == PAGE);
    return 0;
}
