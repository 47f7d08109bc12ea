/* owner.c - see owner.h */
#include "front/owner.h"
#include "base/result.h"
#include "front/path.h"

/* What stands before an owner; the first that fits counts. */
static const char *const prefixes[][4] = {
    {"api", "v1", "repos"}, {"api", "v1", "packages"}, {"api", "v1", "users"}, {"api", "v1", "orgs"}, {"api", "packages"}, {"v2"}, {NULL},
};

static bool starts_with(const struct tg_path *path, const char *const prefix[4], size_t *count)
{
    for (*count = 0; prefix[*count] != NULL; ++*count)
        if (*count >= path->count || !tg_text_is(path->segments[*count], prefix[*count]))
            return false;
    return true;
}

static bool decode(struct tg_text segment, char owner[TG_OWNER])
{
    size_t len = 0;

    for (size_t i = 0; i < segment.len; ++i) {
        char c = segment.base[i];

        if (c == '%' && segment.len - i >= 3) {
            c = (char)(tg_hex_value(segment.base[i + 1]) << 4 | tg_hex_value(segment.base[i + 2]));
            i += 2;
        }
        if (len == TG_OWNER - 1)
            return false;
        owner[len++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    owner[len] = '\0';
    return len != 0;
}

bool tg_owner_of(const struct tg_path *path, char owner[TG_OWNER])
{
    size_t count;

    for (size_t i = 0; i < tg_count(prefixes); ++i)
        if (starts_with(path, prefixes[i], &count))
            return (count != 0 || path->count >= 2) && path->count > count &&
                   (count != 0 || !tg_text_is(path->segments[0], "api")) && decode(path->segments[count], owner);
    return false;
}
