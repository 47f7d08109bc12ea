#include "store/notice.h"
#include "store/record.h"

int tg_notice_find(struct tg_store *store, const char *account, const char *matter, int64_t now_s)
{
    TG_ROWS *rows = NULL;
    int found = tg_try(tg_record_one(store->transient,
                                     "SELECT until_s FROM notice WHERE account = $1 AND matter = $2 AND until_s > $3",
                                     TG_VALUES(TG_CSTR(account), TG_CSTR(matter), TG_INT(now_s)), &rows));

    return found == TG_RECORD_NONE ? TG_NOTICE_UNREAD : 0;
}

int tg_notice_read(struct tg_store *store, const char *account, const char *matter, int64_t until_s)
{
    return tg_record_write(store->transient,
                           "INSERT INTO notice (account, matter, until_s) VALUES ($1, $2, $3)"
                           " ON CONFLICT (account) DO UPDATE SET matter = excluded.matter, until_s = excluded.until_s",
                           TG_VALUES(TG_CSTR(account), TG_CSTR(matter), TG_INT(until_s)));
}
