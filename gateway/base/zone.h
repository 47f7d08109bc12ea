/*
 * zone.h - the zone database of the machine, without the process-wide TZ
 *
 * Read once into memory (TZif files, RFC 9636); lookups neither lock nor touch the disk. Any thread. Used by clock.c and by the
 * configuration reader.
 */
#ifndef TG_BASE_ZONE_H
#define TG_BASE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_zone;

/* What a clock on the wall shows: seconds east of Greenwich and the abbreviation ("CET", or "+0330" where there is none). */
struct tg_zone_offset {
    int32_t seconds;
    char abbreviation[12];
};

void tg_zone_load(void);                             /* once per process; tg_zone_find does it when nobody did */
const struct tg_zone *tg_zone_find(const char *name); /* NULL: no such zone on this machine */
void tg_zone_offset(const struct tg_zone *zone, int64_t when_s, struct tg_zone_offset *out);
const char *tg_zone_name(size_t index);              /* in alphabetical order; NULL behind the last */

/* A proleptic Gregorian date; month and day from 1. */
struct tg_date {
    int64_t year;
    int month, day;
};
int64_t tg_days_of_date(struct tg_date date); /* since 1970-01-01 */
struct tg_date tg_date_of_days(int64_t days);

/* The rule behind a zone's table: a POSIX TZ text (RFC 9636 3.3.1) such as CET-1CEST,M3.5.0,M10.5.0/3. False: it cannot be
   read. */
bool tg_zone_rule_offset(const char *rule, int64_t when_s, struct tg_zone_offset *out);

#endif
