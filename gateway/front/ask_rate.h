/*
 * ask_rate.h - how often a Gitea is asked whose a credential is
 *
 * Token buckets for each instance and for each address there (/32, or /64 of IPv6), which hold what the instance may be asked in a second.
 * An address' is filled at a fourth of the rate, so that one address can not use up what all have for long. Whoever made up tokens is told to come back later; a credential that is known never comes here. Workers; locks.
 */
#ifndef TG_FRONT_ASK_RATE_H
#define TG_FRONT_ASK_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/secret.h"

struct tg_ask_rate;

struct tg_ask_rate *tg_ask_rate_new(size_t instances, const uint8_t key[TG_KEY]);
void tg_ask_rate_free(struct tg_ask_rate *rate);

/* Whether one more may be asked now; takes it from both buckets then. rate: a second. address: as text. */
bool tg_ask_rate_take(struct tg_ask_rate *rate, size_t instance, int64_t per_s, const char *address);

#endif
