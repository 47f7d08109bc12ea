#include "base/zone.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/result.h"
#include "base/text.h"

/* A zone keeps the part of its file with 8-byte times as it is, big-endian; lookups read it in place. */
struct tg_zone {
    const char *name;
    const uint8_t *times, *types, *infos; /* 8 bytes, 1 byte, 6 bytes each */
    const char *abbreviations;
    size_t time_count, type_count, char_count;
    const char *rule; /* holds after the last time; NULL: none */
};

enum { HEADER = 44, LARGEST_FILE = 256 * 1024, DEEPEST = 3 };

static const char directory[] = "/usr/share/zoneinfo";
static struct tg_zone *zones;
static size_t zone_count;
static struct tg_arena memory; /* of the process */

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_i64(const uint8_t *p)
{
    return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

struct counts {
    size_t ut, std, leap, time, type, chars;
};

static bool read_header(struct tg_text data, struct counts *out)
{
    const uint8_t *p = (const uint8_t *)data.base;

    if (data.len < HEADER || !tg_text_starts(data, "TZif") || p[4] < '2')
        return false;
    *out = (struct counts){read_u32(p + 20), read_u32(p + 24), read_u32(p + 28),
                           read_u32(p + 32), read_u32(p + 36), read_u32(p + 40)};
    /* each is far below the largest file, so sums cannot overflow */
    return out->ut <= LARGEST_FILE && out->std <= LARGEST_FILE && out->leap <= LARGEST_FILE && out->time <= LARGEST_FILE &&
           out->type > 0 && out->type <= 256 && out->chars > 0 && out->chars <= LARGEST_FILE;
}

static size_t body_size(const struct counts *n, size_t time_size)
{
    return n->time * (time_size + 1) + n->type * 6 + n->chars + n->leap * (time_size + 4) + n->std + n->ut;
}

static bool skip_bytes(struct tg_text *data, size_t len)
{
    if (data->len < len)
        return false;
    data->base += len;
    data->len -= len;
    return true;
}

static bool refers_inside(const struct tg_zone *zone)
{
    for (size_t i = 0; i < zone->time_count; i++) {
        if (zone->types[i] >= zone->type_count)
            return false;
    }
    for (size_t i = 0; i < zone->type_count; i++) {
        if (zone->infos[i * 6 + 5] >= zone->char_count)
            return false;
    }
    return zone->abbreviations[zone->char_count - 1] == '\0';
}

/* Data must live as long as the zone. */
static bool read_zone(struct tg_text data, struct tg_zone *zone)
{
    struct counts n;
    struct tg_zone_offset unused;

    if (!read_header(data, &n) || !skip_bytes(&data, HEADER + body_size(&n, 4)))
        return false;
    if (!read_header(data, &n) || data.len < HEADER + body_size(&n, 8))
        return false;

    zone->times = (const uint8_t *)data.base + HEADER;
    zone->types = zone->times + n.time * 8;
    zone->infos = zone->types + n.time;
    zone->abbreviations = (const char *)zone->infos + n.type * 6;
    zone->time_count = n.time;
    zone->type_count = n.type;
    zone->char_count = n.chars;
    if (!refers_inside(zone))
        return false;

    skip_bytes(&data, HEADER + body_size(&n, 8));
    if (data.len > 2 && data.base[0] == '\n' && data.base[data.len - 1] == '\n') {
        zone->rule = tg_arena_copy(&memory, tg_text_n(data.base + 1, data.len - 2));
        if (!tg_zone_rule_offset(zone->rule, 0, &unused))
            return false;
    }
    return true;
}

static void load_file(const char *path, const char *name)
{
    TG_STRING bytes = {NULL, 0, 0};
    struct tg_zone zone = {.name = NULL};

    if (tg_file_read(path, LARGEST_FILE, &bytes) != 0 || !tg_text_starts(tg_string_text(&bytes), "TZif"))
        return;
    if (!read_zone(tg_arena_text(&memory, tg_string_text(&bytes)), &zone))
        return;
    zone.name = tg_arena_copy(&memory, tg_text(name));
    if ((zone_count & (zone_count - 1)) == 0)
        zones = tg_realloc(zones, (zone_count > 0 ? zone_count * 2 : 1) * sizeof(*zones));
    zones[zone_count++] = zone;
}

static void load_directory(const char *path, const char *prefix, int depth)
{
    DIR *listing = opendir(path);
    struct dirent *entry;

    if (listing == NULL)
        return;
    while ((entry = readdir(listing)) != NULL) {
        TG_FREED char *child = tg_format("%s/%s", path, entry->d_name);
        TG_FREED char *name = tg_format("%s%s", prefix, entry->d_name);
        TG_FREED char *child_prefix = tg_format("%s/", name);
        struct stat info;

        /* names begin with a capital; the rest are other editions of the same zones (posix, right) and tables */
        if (entry->d_name[0] < 'A' || entry->d_name[0] > 'Z' || stat(child, &info) != 0)
            continue;
        if (S_ISREG(info.st_mode))
            load_file(child, name);
        else if (S_ISDIR(info.st_mode) && depth < DEEPEST)
            load_directory(child, child_prefix, depth + 1);
    }
    closedir(listing);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tg_zone *)a)->name, ((const struct tg_zone *)b)->name);
}

static void load_all(void)
{
    load_directory(directory, "", 1);
    if (zone_count > 0)
        qsort(zones, zone_count, sizeof(*zones), by_name);
}

void tg_zone_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_all);
}

const struct tg_zone *tg_zone_find(const char *name)
{
    struct tg_zone wanted = {.name = name};

    tg_zone_load();
    if (name == NULL || zone_count == 0)
        return NULL;
    return bsearch(&wanted, zones, zone_count, sizeof(*zones), by_name);
}

const char *tg_zone_name(size_t index)
{
    tg_zone_load();
    return index < zone_count ? zones[index].name : NULL;
}

void tg_zone_offset(const struct tg_zone *zone, int64_t when_s, struct tg_zone_offset *out)
{
    size_t low = 0, high = zone->time_count;

    while (low < high) { /* the first time that is later than when_s */
        size_t middle = low + (high - low) / 2;

        if (read_i64(zone->times + middle * 8) <= when_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->time_count && zone->rule != NULL && tg_zone_rule_offset(zone->rule, when_s, out))
        return;

    const uint8_t *info = zone->infos + (low > 0 ? zone->types[low - 1] : 0) * 6;
    out->seconds = (int32_t)read_u32(info);
    snprintf(out->abbreviation, sizeof(out->abbreviation), "%s", zone->abbreviations + info[5]);
}
