/*
 * interstitial.h - the page between signing in and going on, for who should renew soon
 *
 * While a subscription is expiring or in grace, once a day (the account's own day) and once for each of both. Blocking.
 */
#ifndef TG_SUBSCRIPTION_INTERSTITIAL_H
#define TG_SUBSCRIPTION_INTERSTITIAL_H

#include "subscription/standing.h"

/* DUE: the page stands between. */
enum { TG_INTERSTITIAL_DUE = 1 };
int tg_interstitial_find(struct tg_store *store, const struct tg_facts *facts, const struct tg_standing *standing);

/* It was read: not again today. */
int tg_interstitial_read(struct tg_store *store, const struct tg_facts *facts, const struct tg_standing *standing,
                         const char *zone);

/* When the day that it is there ends. */
int64_t tg_interstitial_day_end(int64_t now_s, const char *zone);

#endif
