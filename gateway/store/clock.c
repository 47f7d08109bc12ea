#include "store/clock.h"
#include "base/clock.h"
#include "store/record.h"

int tg_clock_read(struct tg_store *store, struct tg_clock *out)
{
    TG_ROWS *rows = NULL;

    *out = (struct tg_clock){0};
    if (tg_try(tg_record_one(store->truth, "SELECT known_s, boot, offset_ms, accepted_s, doubt, amount FROM clock", NULL, 0,
                             &rows)) == TG_RECORD_NONE)
        return TG_CLOCK_NONE;
    out->known_s = tg_row_int(rows, 0);
    TG_FIELD(rows, 1, out->boot);
    out->offset_ms = tg_row_int(rows, 2);
    out->accepted_s = tg_row_int(rows, 3);
    out->doubt = (enum tg_clock_doubt)tg_row_int(rows, 4);
    out->amount = tg_row_int(rows, 5);
    return 0;
}

struct tg_clock tg_clock_here(void)
{
    struct tg_clock clock = {.offset_ms = tg_now_ms() - tg_uptime_ms(), .known_s = tg_now_s()};

    tg_boot_name(clock.boot);
    return clock;
}

/* Runs what changes the row, and tells of it. */
static int write_row(struct tg_store *store, const char *sql, const struct tg_value *values, size_t count, bool tell)
{
    TG_TRANSACTION *transaction = store->truth;
    int64_t changed = 0;

    tg_try(tg_db_begin_write(transaction));
    if (tg_try(tg_db_run(store->truth, sql, values, count, &changed)) == TG_DB_CONFLICT || changed == 0)
        return TG_CLOCK_CHANGED;
    if (tell)
        tg_try(tg_change_add(store, TG_CHANGE_CLOCK, ""));
    return tg_db_commit(transaction);
}

#define INSERT_CLOCK                                                                                                          \
    "INSERT INTO clock (only, known_s, boot, offset_ms, accepted_s, doubt, amount) VALUES (1, $1, $2, $3, $4, 0, 0)"

int tg_clock_keep(struct tg_store *store, const struct tg_clock *before, const struct tg_clock *now)
{
    bool is_news = strcmp(before->boot, now->boot) != 0;

    const char *sql = before->known_s == 0
                          ? INSERT_CLOCK
                          : "UPDATE clock SET known_s = $1, boot = $2, offset_ms = $3 WHERE doubt = 0 AND accepted_s = $4";

    return write_row(store, sql,
                     TG_VALUES(TG_INT(now->known_s), TG_CSTR(now->boot), TG_INT(now->offset_ms), TG_INT(before->accepted_s)),
                     is_news || before->known_s == 0);
}

int tg_clock_doubt(struct tg_store *store, const struct tg_clock *before, enum tg_clock_doubt doubt, int64_t amount)
{
    return write_row(store, "UPDATE clock SET doubt = $1, amount = $2 WHERE doubt = 0 AND accepted_s = $3",
                     TG_VALUES(TG_INT(doubt), TG_INT(amount), TG_INT(before->accepted_s)), true);
}

int tg_clock_accept(struct tg_store *store)
{
    struct tg_clock here = tg_clock_here();

    return write_row(store,
                     INSERT_CLOCK " ON CONFLICT (only) DO UPDATE SET known_s = excluded.known_s, boot = excluded.boot,"
                                  " offset_ms = excluded.offset_ms, accepted_s = excluded.accepted_s, doubt = 0, amount = 0",
                     TG_VALUES(TG_INT(here.known_s), TG_CSTR(here.boot), TG_INT(here.offset_ms), TG_INT(here.known_s)), true);
}

void tg_clock_obey(const struct tg_clock *clock)
{
    char boot[TG_BOOT];

    tg_boot_name(boot);
    if (clock->doubt != TG_CLOCK_SURE || strcmp(clock->boot, boot) != 0) {
        tg_judge_hold(clock->known_s);
        return;
    }
    if (boot[0] != '\0')
        tg_judge_trust(clock->offset_ms);
    tg_judge_release();
}

int tg_clock_follow(struct tg_store *store)
{
    struct tg_clock clock;

    if (tg_try(tg_clock_read(store, &clock)) == 0)
        tg_clock_obey(&clock);
    return 0;
}
