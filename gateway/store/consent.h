/*
 * consent.h - what an account has allowed a client to know about it, so that it is asked once
 *
 * One row for each word of a scope. Blocking.
 */
#ifndef TG_STORE_CONSENT_H
#define TG_STORE_CONSENT_H

#include "store/client.h"

struct tg_consent {
    const char *account, *client;
    const char *scope;               /* words separated by spaces */
};

int tg_consent_give(struct tg_store *store, const struct tg_consent *consent, int64_t now_s);
/* 0 when all of the scope has been allowed before. */
enum { TG_CONSENT_MISSING = 1 };
int tg_consent_find(struct tg_store *store, const struct tg_consent *consent);

#endif
