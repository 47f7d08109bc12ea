/*
 * clock.h - the one notion of now
 *
 * Wall time decides subscriptions and token life; monotonic time measures waiting. Any thread.
 */
#ifndef TG_BASE_CLOCK_H
#define TG_BASE_CLOCK_H

#include <stdint.h>

int64_t tg_now_s(void);        /* seconds since 1970, wall clock */
int64_t tg_now_ms(void);       /* milliseconds since 1970, wall clock */
int64_t tg_monotonic_ms(void); /* never steps; origin is arbitrary */

/* "2026-11-30T17:00:00Z" into out (TG_TIME_ISO bytes, terminated). */
enum { TG_TIME_ISO = 21, TG_TIME_WORDS = 96 };
void tg_time_iso(int64_t when_s, char out[TG_TIME_ISO]);

/* The two lengths in which pages and messages name a time, in the given IANA zone; UTC when the zone is unknown:
   "Monday 30 November 2026, 18:00 CET (UTC+1)" and "30 November 2026, 18:00 CET". */
void tg_time_long(int64_t when_s, const char *zone, char out[TG_TIME_WORDS]);
void tg_time_short(int64_t when_s, const char *zone, char out[TG_TIME_WORDS]);

enum { TG_TIME_UNREADABLE = 1 };
/* "2026-12-31", "2026-12-31T18:00:00Z", "+30d", "-3d", "+12h", "+15m", "+90s" relative to now_s.
   A date alone means its end in UTC (24:00). TG_TIME_UNREADABLE otherwise. */
int tg_time_parse(const char *text, int64_t now_s, int64_t *out_s);

/* When clocks in that zone show what those in UTC show at local_s. What they show twice is the first of both, what they leave out
   is taken as if they had not. Unchanged when the zone is unknown. */
int64_t tg_time_in_zone(int64_t local_s, const char *zone);

/*
 * Loads the zone database once, before threads; later calls only read it. For tests, the environment's TG_FAULT_CLOCK_OFFSET_S
 * puts the wall clock of this process ahead by so many seconds, or behind.
 */
void tg_time_init(void);

#endif
