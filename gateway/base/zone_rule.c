/* The calendar, and POSIX TZ rules: what holds after the last line of a zone's table. */
#include "base/zone.h"

#include <string.h>

enum { DAY = 86400 };

/* Days are counted in years that begin in March, so that the leap day is the last of its year, and in eras of 400 years. */
int64_t tg_days_of_date(struct tg_date date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (date.month > 2 ? date.month - 3 : date.month + 9) + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

struct tg_date tg_date_of_days(int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (int)((5 * day_of_year + 2) / 153); /* from March */
    struct tg_date date = {
        .year = year_of_era + era * 400 + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };

    return date;
}

/* When a year's clock changes: Mm.w.d, Jn (no leap day) or n (from 0), at `time` seconds of that day. */
struct change {
    enum { MONTH_WEEK_DAY, JULIAN, ZERO_BASED } kind;
    int64_t month, week, day;
    int64_t time;
};

struct rule {
    struct tg_zone_offset standard, summer;
    bool has_summer;
    struct change begin, end;
};

static bool read_number(const char **at, int64_t max, int64_t *out)
{
    int64_t value = 0;
    const char *p = *at;

    while (*p >= '0' && *p <= '9' && value <= max)
        value = value * 10 + (*p++ - '0');
    if (p == *at || value > max)
        return false;
    *at = p;
    *out = value;
    return true;
}

static bool skip(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool read_time(const char **at, int64_t *out)
{
    int64_t hours, minutes = 0, seconds = 0;
    bool negative = skip(at, '-');

    if (!negative)
        skip(at, '+');
    if (!read_number(at, 167, &hours))
        return false;
    if (skip(at, ':') && !read_number(at, 59, &minutes))
        return false;
    if (skip(at, ':') && !read_number(at, 59, &seconds))
        return false;
    *out = (hours * 60 + minutes) * 60 + seconds;
    if (negative)
        *out = -*out;
    return true;
}

static bool is_name_byte(char c, bool quoted)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

    return letter || (quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'));
}

static bool read_name(const char **at, char out[static 12])
{
    bool quoted = skip(at, '<');
    size_t len = 0;

    while (is_name_byte((*at)[len], quoted))
        len++;
    if (len < 3 || len > 11)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len;
    return !quoted || skip(at, '>');
}

static bool read_change(const char **at, struct change *out)
{
    bool good;

    if (skip(at, 'M')) {
        out->kind = MONTH_WEEK_DAY;
        good = read_number(at, 12, &out->month) && out->month > 0 && skip(at, '.') && read_number(at, 5, &out->week) &&
               out->week > 0 && skip(at, '.') && read_number(at, 6, &out->day);
    } else if (skip(at, 'J')) {
        out->kind = JULIAN;
        good = read_number(at, 365, &out->day) && out->day > 0;
    } else {
        out->kind = ZERO_BASED;
        good = read_number(at, 365, &out->day);
    }
    out->time = 2 * 3600;
    return good && (!skip(at, '/') || read_time(at, &out->time));
}

static bool read_rule(const char *text, struct rule *out)
{
    int64_t west;

    if (!read_name(&text, out->standard.abbreviation) || !read_time(&text, &west))
        return false;
    out->standard.seconds = (int32_t)-west;
    out->has_summer = *text != '\0';
    if (!out->has_summer)
        return true;

    if (!read_name(&text, out->summer.abbreviation))
        return false;
    out->summer.seconds = out->standard.seconds + 3600;
    if (*text != ',') {
        if (!read_time(&text, &west))
            return false;
        out->summer.seconds = (int32_t)-west;
    }
    return skip(&text, ',') && read_change(&text, &out->begin) && skip(&text, ',') && read_change(&text, &out->end) &&
           *text == '\0';
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Local seconds since 1970 at which the change happens, by the clock that is in force before it. */
static int64_t change_in_year(const struct change *change, int64_t year)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t new_year = tg_days_of_date((struct tg_date){year, 1, 1});

    if (change->kind == ZERO_BASED)
        return (new_year + change->day) * DAY + change->time;
    if (change->kind == JULIAN)
        return (new_year + change->day - 1 + (is_leap(year) && change->day > 59)) * DAY + change->time;

    int64_t first = tg_days_of_date((struct tg_date){year, (int)change->month, 1});
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; Sunday is 0 */
    int64_t day = (change->day - weekday + 7) % 7 + (change->week - 1) * 7;
    int length = lengths[change->month - 1] + (change->month == 2 && is_leap(year));
    while (day >= length)
        day -= 7;
    return (first + day) * DAY + change->time;
}

static int64_t floor_days(int64_t seconds)
{
    return (seconds >= 0 ? seconds : seconds - (DAY - 1)) / DAY;
}

bool tg_zone_rule_offset(const char *text, int64_t when_s, struct tg_zone_offset *out)
{
    struct rule rule = {.has_summer = false};

    if (!read_rule(text, &rule))
        return false;
    *out = rule.standard;
    if (!rule.has_summer)
        return true;

    int64_t year = tg_date_of_days(floor_days(when_s + rule.standard.seconds)).year;
    int64_t begin = change_in_year(&rule.begin, year) - rule.standard.seconds;
    int64_t end = change_in_year(&rule.end, year) - rule.summer.seconds;
    bool is_summer = begin < end ? when_s >= begin && when_s < end : when_s >= begin || when_s < end; /* south of the equator */
    if (is_summer)
        *out = rule.summer;
    return true;
}
