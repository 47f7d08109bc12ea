/* doors.c - see doors.h */
#include <stdlib.h>
#include "front/doors.h"
#include "front/path.h"

/* A row's pattern, cut at "/". */
struct shape {
    struct tg_text segments[TG_DOOR_PATTERN_SEGMENTS];
    size_t count;
    char first; /* byte of every path that fits; 0: any */
    bool open;  /* ends with "**" */
};

static struct shape shapes[TG_DOOR_ROWS_MAX];

void tg_doors_init(void)
{
    for (size_t i = 0; tg_door_rows[i].pattern != NULL; ++i) {
        struct tg_text rest = tg_text(tg_door_rows[i].pattern);
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
        shapes[i] = shape;
    }
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

enum tg_door tg_door_of(struct tg_text method, const struct tg_path *path, const char *source)
{
    unsigned bit = tg_door_method(method);
    char first = path->count != 0 ? path->segments[0].base[0] : '\0';

    for (size_t i = 0; tg_door_rows[i].pattern != NULL; ++i)
        if ((tg_door_rows[i].methods & bit) != 0 && (shapes[i].first == '\0' || shapes[i].first == first) && path_fits(&shapes[i], path))
            return refine(tg_door_rows[i].door, path, source);
    return TG_DOOR_OTHER;
}
