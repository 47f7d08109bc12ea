#include "store/transition.h"
#include <string.h>
#include "store/record.h"

int tg_transition_page(struct tg_store *store, struct tg_transitions *page)
{
    TG_ROWS *rows = NULL;

    page->count = 0;
    tg_try(tg_db_query(store->truth,
                       "SELECT account, next_s, level, paid_until_s FROM subscription"
                       " WHERE next_s <= $1 AND (next_s, account) > ($2, $3) ORDER BY next_s, account LIMIT $4",
                       TG_VALUES(TG_INT(page->until_s), TG_INT(page->from_s), TG_CSTR(page->behind), TG_INT(TG_TRANSITIONS)),
                       &rows));
    while (page->count < TG_TRANSITIONS && tg_try(tg_rows_next(rows)) == 0) {
        struct tg_transition *due = &page->due[page->count++];

        TG_FIELD(rows, 0, due->account);
        due->next_s = tg_row_int(rows, 1);
        due->level = (int)tg_row_int(rows, 2);
        due->paid_until_s = tg_row_int(rows, 3);
    }
    if (page->count > 0) {
        page->from_s = page->due[page->count - 1].next_s;
        memcpy(page->behind, page->due[page->count - 1].account, sizeof(page->behind));
    }
    return 0;
}

static int write_note(struct tg_store *store, const struct tg_transition_note *note)
{
    const struct tg_transition *judged = note->judged;
    int64_t changed = 0;

    tg_try(tg_db_run(store->truth,
                     "UPDATE subscription SET next_s = $1, level = $2 WHERE account = $3 AND paid_until_s = $4 AND next_s = $5",
                     TG_VALUES(TG_INT(note->next_s), TG_INT(note->level), TG_CSTR(judged->account), TG_INT(judged->paid_until_s),
                               TG_INT(judged->next_s)), &changed));
    return changed != 0 && note->is_change ? tg_change_add(store, TG_CHANGE_SUBSCRIPTION, judged->account) : 0;
}

int tg_transition_notes(struct tg_store *store, const struct tg_transition_note *notes, size_t count)
{
    TG_TRANSACTION *transaction = store->truth;

    if (count == 0)
        return 0;
    tg_try(tg_db_begin_write(transaction));
    for (size_t i = 0; i < count; i++)
        tg_try(write_note(store, &notes[i]));
    return tg_db_commit(transaction);
}

int tg_transition_accounts(struct tg_store *store, int64_t *count)
{
    TG_ROWS *rows = NULL;

    *count = 0;
    if (tg_try(tg_record_one(store->truth, "SELECT COUNT(*) FROM account", NULL, 0, &rows)) == 0)
        *count = tg_row_int(rows, 0);
    return 0;
}
