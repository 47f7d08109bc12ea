/* doors.c - see doors.h */
#include <stdlib.h>
#include "front/doors.h"
#include "front/path.h"

/* A row's pattern, cut at "/". */
struct shape {
    struct tg_text key; /* the last segment that is fixed, which tells rows apart best; base NULL: none is */
    size_t key_at;
    struct tg_text segments[TG_DOOR_PATTERN_SEGMENTS];
    size_t count;
    char first; /* byte of every path that fits; 0: any */
    bool open;  /* ends with "**" */
};

static struct shape shapes[TG_DOOR_ROWS_MAX];

/* For each kind of method, first byte that rows begin with (0: any other) and number of segments (4: or more): where the list of the rows
   that may fit begins, in their order. Of a hundred rows, a request meets five. */
enum { METHODS = 5, INITIALS = 32, COUNTS = 5, LISTED_MAX = 16384 };
static const uint8_t NO_ROW = UINT8_MAX;
static uint8_t initials[256];
static uint16_t candidates[METHODS][INITIALS][COUNTS];
static struct {
    uint8_t row, key_at, key_len; /* key_len 0: it has none */
    char key_first;
} listed[LISTED_MAX];

_Static_assert((unsigned)TG_DOOR_ROWS_MAX < UINT8_MAX, "a row's number is a byte");

static struct shape read_pattern(const char *pattern)
{
    struct tg_text rest = tg_text(pattern);
    struct shape shape = {.count = 0};

    while (rest.base != NULL) {
        struct tg_text segment = tg_text_cut(&rest, '/');

        if (tg_text_is(segment, "**"))
            shape.open = true;
        else if (segment.len != 0)
            shape.segments[shape.count++] = segment;
    }
    if (shape.count != 0 && shape.segments[0].base[0] != '*')
        shape.first = shape.segments[0].base[0];
    for (size_t i = 0; i < shape.count; ++i)
        if (memchr(shape.segments[i].base, '*', shape.segments[i].len) == NULL) {
            shape.key = shape.segments[i];
            shape.key_at = i;
        }
    return shape;
}

static bool may_fit(size_t row, unsigned method, unsigned initial, unsigned count)
{
    const struct shape *shape = &shapes[row];

    if ((tg_door_rows[row].methods >> method & 1) == 0 || (shape->first != '\0' && initials[(uint8_t)shape->first] != initial))
        return false;
    return count == COUNTS - 1 ? shape->open || shape->count >= count : shape->count == count || (shape->open && shape->count < count);
}

static void list_row(uint8_t row, size_t place)
{
    const struct shape *shape = &shapes[row];

    listed[place].row = row;
    if (shape->key.base == NULL)
        return;
    listed[place].key_at = (uint8_t)shape->key_at;
    listed[place].key_len = (uint8_t)shape->key.len;
    listed[place].key_first = shape->key.base[0];
}

static size_t list_candidates(size_t rows, unsigned method, unsigned initial, size_t used)
{
    for (unsigned count = 0; count < COUNTS; ++count) {
        candidates[method][initial][count] = (uint16_t)used;
        for (size_t row = 0; row < rows; ++row) {
            if (used + 2 > LISTED_MAX)
                abort(); /* the table of doors has outgrown its index */
            if (may_fit(row, method, initial, count))
                list_row((uint8_t)row, used++);
        }
        listed[used++].row = NO_ROW;
    }
    return used;
}

void tg_doors_init(void)
{
    uint8_t last = 0;
    size_t rows, used = 0;

    for (rows = 0; tg_door_rows[rows].pattern != NULL; ++rows) {
        shapes[rows] = read_pattern(tg_door_rows[rows].pattern);
        uint8_t first = (uint8_t)shapes[rows].first;

        if (first != 0 && initials[first] == 0)
            initials[first] = ++last;
        if (last >= INITIALS)
            abort();
    }
    for (unsigned method = 0; method < METHODS; ++method)
        for (unsigned initial = 0; initial < INITIALS; ++initial)
            used = list_candidates(rows, method, initial, used);
}

unsigned tg_door_method(struct tg_text method)
{
    if (tg_text_is(method, "GET"))
        return TG_DOOR_GET;
    if (tg_text_is(method, "POST"))
        return TG_DOOR_POST;
    if (tg_text_is(method, "HEAD"))
        return TG_DOOR_HEAD;
    return tg_text_is(method, "OPTIONS") ? TG_DOOR_OPTIONS : TG_DOOR_CHANGE;
}

static bool segment_fits(struct tg_text pattern, struct tg_text segment)
{
    if (pattern.base[0] == '*') {
        size_t end = pattern.len - 1;

        return segment.len >= end && (end == 0 || memcmp(segment.base + segment.len - end, pattern.base + 1, end) == 0);
    }
    if (pattern.base[pattern.len - 1] == '*')
        return segment.len >= pattern.len - 1 && memcmp(segment.base, pattern.base, pattern.len - 1) == 0;
    return segment.len == pattern.len && memcmp(segment.base, pattern.base, pattern.len) == 0;
}

static bool path_fits(const struct shape *shape, const struct tg_path *path)
{
    if (path->count < shape->count || (path->count > shape->count && !shape->open))
        return false;
    for (size_t i = 0; i < shape->count; ++i)
        if (!segment_fits(shape->segments[i], path->segments[i]))
            return false;
    return true;
}

/* Only what is surely a fetch is one: any other way to name the service might be read as a push by Gitea. */
static enum tg_door git_service(const struct tg_path *path)
{
    if (path->query.len == 0 || tg_text_is(path->query, "service=git-upload-pack"))
        return TG_DOOR_GIT_READ;
    return TG_DOOR_GIT_WRITE;
}

static enum tg_door refine(enum tg_door door, const struct tg_path *path, const char *source)
{
    switch (door) {
    case TG_DOOR_LOGIN_START:
    case TG_DOOR_LOGIN_CALLBACK:
        return tg_text_is(path->segments[2], source) ? door : TG_DOOR_CLOSED;
    case TG_DOOR_GIT_READ:
        return path->count == 4 && tg_text_is(path->segments[3], "refs") ? git_service(path) : door;
    case TG_DOOR_WEB_READ: /* the go command fetches module pages with the credentials of .netrc */
        return tg_text_is(path->query, "go-get=1") ? TG_DOOR_DOWNLOAD : door;
    default:
        return door;
    }
}

/* Nearly every row is told by this. */
static bool has_other_key(size_t place, const struct tg_path *path)
{
    const struct tg_text *key = &path->segments[listed[place].key_at];

    if (listed[place].key_len == 0)
        return false;
    return listed[place].key_at >= path->count || key->len != listed[place].key_len || key->base[0] != listed[place].key_first;
}

enum tg_door tg_door_of(struct tg_text method, const struct tg_path *path, const char *source)
{
    int place = __builtin_ctz(tg_door_method(method));
    uint8_t initial = path->count != 0 ? initials[(uint8_t)path->segments[0].base[0]] : 0;
    size_t count = path->count < COUNTS ? path->count : COUNTS - 1;

    for (size_t i = candidates[place][initial][count]; listed[i].row != NO_ROW; ++i) {
        if (has_other_key(i, path))
            continue;
        if (path_fits(&shapes[listed[i].row], path))
            return refine(tg_door_rows[listed[i].row].door, path, source);
    }
    return TG_DOOR_OTHER;
}
