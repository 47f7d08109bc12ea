#include "store/consent.h"
#include "store/record.h"

static int give_word(struct tg_store *store, const struct tg_consent *consent, struct tg_text word, int64_t now_s)
{
    return tg_record_write(store->truth,
                           "INSERT INTO consent (account, client, scope, given_s) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                           TG_VALUES(TG_CSTR(consent->account), TG_CSTR(consent->client), TG_STR(word), TG_INT(now_s)));
}

int tg_consent_give(struct tg_store *store, const struct tg_consent *consent, int64_t now_s)
{
    TG_TRANSACTION *transaction = store->truth;
    struct tg_text rest = tg_text(consent->scope);

    tg_try(tg_db_begin_write(transaction));
    while (rest.base != NULL)
        tg_try(give_word(store, consent, tg_text_cut(&rest, ' '), now_s));
    return tg_db_commit(transaction);
}

static int find_word(struct tg_store *store, const struct tg_consent *consent, struct tg_text word)
{
    TG_ROWS *rows = NULL;

    return tg_record_one(store->truth, "SELECT 1 FROM consent WHERE account = $1 AND client = $2 AND scope = $3",
                         TG_VALUES(TG_CSTR(consent->account), TG_CSTR(consent->client), TG_STR(word)), &rows);
}

int tg_consent_find(struct tg_store *store, const struct tg_consent *consent)
{
    struct tg_text rest = tg_text(consent->scope);

    while (rest.base != NULL) {
        if (tg_try(find_word(store, consent, tg_text_cut(&rest, ' '))) == TG_RECORD_NONE)
            return TG_CONSENT_MISSING;
    }
    return 0;
}
