#include "store/signing_key.h"
#include "base/jose.h"
#include "base/secret.h"
#include "store/record.h"

static const char purpose[] = "signing key";

enum { SEALED = 16 << 10 }; /* an RSA key of 4096 bits takes a quarter of it */

/* Opens the sealed key of a row: a terminated text, the caller's. */
static int open_key(const struct tg_keyring *ring, struct tg_text text, char **pem)
{
    uint8_t sealed[SEALED];
    size_t sealed_len, len;

    if (tg_base64url_decode(text, sealed, sizeof(sealed), &sealed_len) != 0 || sealed_len < TG_SEALED(0))
        return tg_fail("a signing key in the database is damaged: restore a copy");
    char *plain = tg_alloc(sealed_len);
    if (tg_unseal(ring, purpose, tg_text_n((const char *)sealed, sealed_len), (uint8_t *)plain, &len) != 0) {
        free(plain);
        return tg_fail("a signing key in the database does not open with the key ring: put back the file it was sealed with");
    }
    plain[len] = '\0';
    *pem = plain;
    return 0;
}

static int read_key(struct tg_rows *rows, const struct tg_keyring *ring, struct tg_signing_key *out)
{
    TG_FIELD(rows, 0, out->kid);
    out->state = (enum tg_signing_state)tg_row_int(rows, 1);
    out->created_s = tg_row_int(rows, 2);
    out->since_s = tg_row_int(rows, 3);
    return open_key(ring, tg_row_text(rows, 4), &out->pem);
}

static int read_keys(struct tg_rows *rows, const struct tg_keyring *ring, struct tg_signing_key *out, size_t *count)
{
    while (tg_try(tg_rows_next(rows)) == 0) {
        tg_try(read_key(rows, ring, &out[*count]));
        (*count)++;
    }
    return 0;
}

int tg_signing_key_list(struct tg_store *store, const struct tg_keyring *ring, struct tg_signing_key *out, size_t capacity,
                        size_t *count)
{
    TG_ROWS *rows = NULL;

    *count = 0;
    tg_try(tg_db_query(store->truth,
                       "SELECT kid, state, created_s, since_s, sealed FROM signing_key ORDER BY created_s DESC, kid LIMIT $1",
                       TG_VALUES(TG_INT((int64_t)capacity)), &rows));
    int result = read_keys(rows, ring, out, count);
    if (result < 0) {
        while (*count > 0)
            tg_wipe(out[--*count].pem);
    }
    return result;
}

int tg_signing_key_add(struct tg_store *store, const struct tg_keyring *ring, const struct tg_signing_key *key)
{
    TG_TRANSACTION *transaction = store->truth;
    struct tg_text pem = tg_text(key->pem);

    if (TG_SEALED(pem.len) > SEALED)
        return tg_fail("a signing key of %zu bytes is too large", pem.len);
    TG_FREED uint8_t *sealed = tg_alloc(TG_SEALED(pem.len));
    TG_FREED char *text = tg_alloc(TG_BASE64(TG_SEALED(pem.len)));
    tg_seal(ring, purpose, pem, sealed);
    tg_base64url(sealed, TG_SEALED(pem.len), text);

    tg_try(tg_db_begin_write(transaction));
    if (tg_try(tg_db_run(store->truth, "INSERT INTO signing_key (kid, state, created_s, since_s, sealed)"
                         " VALUES ($1, $2, $3, $3, $4)",
                         TG_VALUES(TG_CSTR(key->kid), TG_INT(key->state), TG_INT(key->created_s), TG_CSTR(text)), NULL)) ==
        TG_DB_CONFLICT)
        return TG_SIGNING_KEY_EXISTS;
    tg_try(tg_change_add(store, TG_CHANGE_KEYS, ""));
    return tg_db_commit(transaction);
}

int tg_signing_key_promote(struct tg_store *store, int64_t now_s)
{
    TG_TRANSACTION *transaction = store->truth;
    int64_t changed = 0;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_record_write(store->truth, "UPDATE signing_key SET state = 2, since_s = $1 WHERE state = 1",
                           TG_VALUES(TG_INT(now_s))));
    tg_try(tg_db_run(store->truth, "UPDATE signing_key SET state = 1, since_s = $1 WHERE state = 0",
                     TG_VALUES(TG_INT(now_s)), &changed));
    if (changed == 0)
        return TG_SIGNING_KEY_NONE;
    tg_try(tg_change_add(store, TG_CHANGE_KEYS, ""));
    return tg_db_commit(transaction);
}

static int has(struct tg_store *store, enum tg_signing_state state, int64_t since_s)
{
    TG_ROWS *rows = NULL;

    return tg_record_one(store->truth, "SELECT 1 FROM signing_key WHERE state = $1 AND since_s <= $2 LIMIT 1",
                         TG_VALUES(TG_INT(state), TG_INT(since_s)), &rows);
}

static int forget_retired(struct tg_store *store, int64_t now_s)
{
    TG_TRANSACTION *transaction = store->truth;

    tg_try(tg_db_begin_write(transaction));
    tg_try(tg_record_write(store->truth, "DELETE FROM signing_key WHERE state = 2 AND since_s <= $1",
                           TG_VALUES(TG_INT(now_s - TG_SIGNING_KEEP_S))));
    tg_try(tg_change_add(store, TG_CHANGE_KEYS, ""));
    return tg_db_commit(transaction);
}

int tg_signing_key_advance(struct tg_store *store, int64_t now_s)
{
    if (tg_try(has(store, TG_SIGNING_NEXT, now_s - TG_SIGNING_PUBLISH_S)) == 0)
        tg_try(tg_signing_key_promote(store, now_s)); /* NONE: somebody else was first */
    if (tg_try(has(store, TG_SIGNING_RETIRED, now_s - TG_SIGNING_KEEP_S)) == 0)
        tg_try(forget_retired(store, now_s));
    return 0;
}
