/*
 * policy.h - may this account do this here? Door and service level to a verdict
 */
#ifndef TG_FRONT_POLICY_H
#define TG_FRONT_POLICY_H

#include "front/doors.h"
#include "subscription/standing.h"

enum tg_ruling { TG_RULING_PASS, TG_RULING_NOTICE, TG_RULING_REFUSE };
enum { TG_LEVELS = TG_LEVEL_GONE + 1 };

/* verdict_table.c */
extern const uint8_t tg_rulings[TG_DOORS][TG_LEVELS];

/* door as classified; unsafe: the method changes things, which counts behind doors that do not tell by themselves. */
enum tg_ruling tg_rule(enum tg_door door, bool unsafe, enum tg_level level);

/* Whether what was let through may go on, by the facts of then and the time now. */
bool tg_policy_lasts(const struct tg_visit *visit);

#endif
