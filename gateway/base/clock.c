#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/text.h"
#include "base/zone.h"

static int64_t fault_ms; /* TG_FAULT_CLOCK_OFFSET_S; written before there are threads */

static int64_t read_clock_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t tg_now_s(void)
{
    return tg_now_ms() / 1000;
}

int64_t tg_now_ms(void)
{
    return read_clock_ms(CLOCK_REALTIME) + fault_ms;
}

int64_t tg_monotonic_ms(void)
{
    return read_clock_ms(CLOCK_MONOTONIC);
}

void tg_time_init(void)
{
    const char *offset_s = getenv("TG_FAULT_CLOCK_OFFSET_S");

    fault_ms = offset_s != NULL ? strtoll(offset_s, NULL, 10) * 1000 : 0;
    tg_zone_load();
}

enum { DAY = 86400 };
static const int64_t earliest = -62135596800; /* 0001-01-01T00:00:00Z */
static const int64_t latest = 253402300799;   /* 9999-12-31T23:59:59Z */

/* A time taken apart. */
struct moment {
    struct tg_date date;
    int weekday; /* Sunday is 0 */
    int hour, minute, second;
};

/* Times that have no year of four digits are shown as the nearest that has. */
static int64_t clamp(int64_t when_s)
{
    return when_s < earliest ? earliest : when_s > latest ? latest : when_s;
}

static struct moment take_apart(int64_t local_s)
{
    int64_t days = (local_s >= 0 ? local_s : local_s - (DAY - 1)) / DAY;
    int rest = (int)(local_s - days * DAY);
    struct moment m = {
        .date = tg_date_of_days(days),
        .weekday = (int)(((days + 4) % 7 + 7) % 7),
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
    };

    return m;
}

void tg_time_iso(int64_t when_s, char out[TG_TIME_ISO])
{
    struct moment m = take_apart(clamp(when_s));
    char text[96];

    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)m.date.year, m.date.month, m.date.day, m.hour, m.minute,
             m.second);
    memcpy(out, text, TG_TIME_ISO - 1);
    out[TG_TIME_ISO - 1] = '\0';
}

static void offset_words(int32_t seconds, char out[static 16])
{
    int minutes = (seconds < 0 ? -seconds : seconds) / 60;

    if (minutes == 0)
        snprintf(out, 16, "UTC");
    else if (minutes % 60 == 0)
        snprintf(out, 16, "UTC%c%d", seconds < 0 ? '-' : '+', minutes / 60);
    else
        snprintf(out, 16, "UTC%c%d:%02d", seconds < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* The date, the time and the name of the offset; *offset is the distance from UTC in words. */
static struct moment short_words(int64_t when_s, const char *zone_name, char offset[static 16], char out[TG_TIME_WORDS])
{
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    const struct tg_zone *zone = tg_zone_find(zone_name);
    struct tg_zone_offset there = {0, "UTC"};

    when_s = clamp(when_s);
    if (zone != NULL)
        tg_zone_offset(zone, when_s, &there);
    offset_words(there.seconds, offset);

    struct moment m = take_apart(clamp(when_s + there.seconds));
    bool has_name = there.abbreviation[0] != '+' && there.abbreviation[0] != '-'; /* "+0330" is not a name */
    snprintf(out, TG_TIME_WORDS, "%d %s %d, %02d:%02d %s", m.date.day, months[m.date.month - 1], (int)m.date.year, m.hour,
             m.minute, has_name ? there.abbreviation : offset);
    return m;
}

void tg_time_short(int64_t when_s, const char *zone, char out[TG_TIME_WORDS])
{
    char offset[16];

    short_words(when_s, zone, offset, out);
}

void tg_time_long(int64_t when_s, const char *zone, char out[TG_TIME_WORDS])
{
    static const char *const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
    char offset[16], words[TG_TIME_WORDS];
    struct moment m = short_words(when_s, zone, offset, words);
    bool says_offset = tg_text_ends(tg_text(words), offset);

    snprintf(out, TG_TIME_WORDS, "%s %.64s%s%s%s", weekdays[m.weekday], words, says_offset ? "" : " (", says_offset ? "" : offset,
             says_offset ? "" : ")");
}

/* Digits at *at, exactly `count`, then the terminator if it is not NUL. */
static bool take_digits(const char **at, int count, char terminator, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++) {
        if ((*at)[i] < '0' || (*at)[i] > '9')
            return false;
        *out = *out * 10 + ((*at)[i] - '0');
    }
    *at += count;
    if (terminator == '\0')
        return true;
    return *(*at)++ == terminator;
}

static int parse_absolute(const char *text, int64_t *out_s)
{
    int year, month, day, hour = 24, minute = 0, second = 0;

    if (!take_digits(&text, 4, '-', &year) || !take_digits(&text, 2, '-', &month) || !take_digits(&text, 2, '\0', &day))
        return TG_TIME_UNREADABLE;
    if (year < 1 || month < 1 || month > 12)
        return TG_TIME_UNREADABLE;
    struct tg_date date = {year, month, day};
    int64_t days = tg_days_of_date(date);
    struct tg_date back = tg_date_of_days(days);
    if (back.day != day || back.month != month) /* 31 April */
        return TG_TIME_UNREADABLE;

    if (*text == 'T') {
        text++;
        if (!take_digits(&text, 2, ':', &hour) || !take_digits(&text, 2, ':', &minute) || !take_digits(&text, 2, 'Z', &second))
            return TG_TIME_UNREADABLE;
        if (hour > 23 || minute > 59 || second > 59)
            return TG_TIME_UNREADABLE;
    }
    int64_t when_s = days * DAY + hour * 3600 + minute * 60 + second;
    if (*text != '\0' || when_s > latest)
        return TG_TIME_UNREADABLE;
    *out_s = when_s;
    return 0;
}

static int parse_relative(const char *text, int64_t now_s, int64_t *out_s)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'d', DAY}, {'h', 3600}, {'m', 60}, {'s', 1}};
    bool negative = *text == '-';
    size_t len = strlen(text + 1);
    uint64_t amount;

    if (len < 2 || !tg_text_number(tg_text_n(text + 1, len - 1), &amount) || amount > (uint64_t)latest)
        return TG_TIME_UNREADABLE;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (text[len] != units[i].unit)
            continue;
        int64_t distance = (int64_t)amount * units[i].seconds; /* below 2^38 times 2^17 */
        int64_t when_s = clamp(now_s) + (negative ? -distance : distance);

        if (when_s < earliest || when_s > latest)
            return TG_TIME_UNREADABLE;
        *out_s = when_s;
        return 0;
    }
    return TG_TIME_UNREADABLE;
}

int tg_time_parse(const char *text, int64_t now_s, int64_t *out_s)
{
    if (text[0] == '+' || text[0] == '-')
        return parse_relative(text, now_s, out_s);
    return parse_absolute(text, out_s);
}

int64_t tg_time_in_zone(int64_t local_s, const char *zone_name)
{
    const struct tg_zone *zone = tg_zone_find(zone_name);
    struct tg_zone_offset before, after;

    if (zone == NULL)
        return local_s;
    tg_zone_offset(zone, local_s - DAY, &before);
    tg_zone_offset(zone, local_s - before.seconds, &after);
    if (after.seconds == before.seconds)
        return local_s - before.seconds;
    tg_zone_offset(zone, local_s - after.seconds, &after); /* left out: the clocks have gone on since */
    return after.seconds == before.seconds ? local_s - before.seconds : local_s - after.seconds;
}
