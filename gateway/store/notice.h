/*
 * notice.h - who has read the page about his subscription, and need not see it again for a while
 *
 * A row for each account; a page about another matter is shown all the same. May be lost: then it is shown once more. Blocking.
 */
#ifndef TG_STORE_NOTICE_H
#define TG_STORE_NOTICE_H

#include "store/store.h"

/* UNREAD: it should be shown. */
enum { TG_NOTICE_UNREAD = 1 };
int tg_notice_find(struct tg_store *store, const char *account, const char *matter, int64_t now_s);

/* It was read, and is not shown again before until_s. */
int tg_notice_read(struct tg_store *store, const char *account, const char *matter, int64_t until_s);

#endif
