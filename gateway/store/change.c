#include <stdio.h>
#include "base/clock.h"
#include "store/doorbell.h"
#include "store/record.h"
#include "store/store.h"

enum { KEPT_S = 86400 };

int tg_change_add(struct tg_store *store, enum tg_change_kind kind, const char *subject)
{
    bool fits = strlen(subject) < sizeof(((struct tg_change *)0)->subject);

    if (store->button != NULL)
        tg_button_arm(store->button);
    tg_try(tg_record_write(store->truth, "UPDATE counter SET value = value + 1 WHERE name = 'change'", NULL, 0));
    return tg_record_write(store->truth,
                           "INSERT INTO change (number, kind, subject, made_s)"
                           " VALUES ((SELECT value FROM counter WHERE name = 'change'), $1, $2, $3)",
                           TG_VALUES(TG_INT(kind), TG_CSTR(fits ? subject : ""), TG_INT(tg_now_s())));
}

int tg_change_last(struct tg_store *store, int64_t *number)
{
    TG_ROWS *rows = NULL;

    if (tg_try(tg_record_one(store->truth, "SELECT value FROM counter WHERE name = 'change'", NULL, 0, &rows)) == TG_RECORD_NONE)
        return tg_fail("the counter of changes is gone");
    *number = tg_row_int(rows, 0);
    return 0;
}

static int read_changes(struct tg_store *store, int64_t number, struct tg_change *out, size_t capacity, size_t *count)
{
    TG_ROWS *rows = NULL;

    tg_try(tg_db_query(store->truth, "SELECT number, kind, subject FROM change WHERE number > $1 ORDER BY number LIMIT $2",
                       TG_VALUES(TG_INT(number), TG_INT((int64_t)capacity)), &rows));
    while (*count < capacity && tg_try(tg_rows_next(rows)) == 0) {
        struct tg_change *change = &out[(*count)++];

        change->number = tg_row_int(rows, 0);
        change->kind = (enum tg_change_kind)tg_row_int(rows, 1);
        TG_FIELD(rows, 2, change->subject);
    }
    return 0;
}

/*
 * One snapshot, so that a pruned row is told from one that is not there yet. A number from the future means that an older
 * database was put back.
 */
int tg_change_after(struct tg_store *store, int64_t number, struct tg_change *out, size_t capacity, size_t *count)
{
    TG_TRANSACTION *transaction = store->truth;
    int64_t last;

    *count = 0;
    tg_try(tg_db_begin_read(transaction));
    tg_try(tg_change_last(store, &last));
    tg_try(read_changes(store, number, out, capacity, count));
    tg_try(tg_db_commit(transaction));

    bool is_next = *count > 0 ? out[0].number == number + 1 : last == number || capacity == 0;
    if (is_next)
        return 0;
    *count = 0;
    return TG_CHANGE_GAP;
}

/* By number, not by time: a clock that was set back must not leave holes in the middle. */
int tg_change_prune(struct tg_store *store, int64_t now_s)
{
    return tg_record_write(store->truth,
                           "DELETE FROM change WHERE number < COALESCE((SELECT MIN(number) FROM change WHERE made_s >= $1),"
                           " (SELECT value + 1 FROM counter WHERE name = 'change'))",
                           TG_VALUES(TG_INT(now_s - KEPT_S)));
}
