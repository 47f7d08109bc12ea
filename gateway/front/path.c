/* path.c - see path.h */
#include "front/path.h"

/* The length of the escape at text[at] (1: none, 3), its byte in *byte; 0: a bad one. */
static size_t read_byte(struct tg_text text, size_t at, unsigned char *byte)
{
    int high, low;

    *byte = (unsigned char)text.base[at];
    if (*byte != '%')
        return 1;
    if (text.len - at < 3 || (high = tg_hex_value(text.base[at + 1])) < 0 || (low = tg_hex_value(text.base[at + 2])) < 0)
        return 0;
    *byte = (unsigned char)(high << 4 | low);
    return 3;
}

/* A piece between slashes, encoded ones too, as it is decoded. */
struct piece {
    size_t len, dots;
};

static bool is_dots(const struct piece *piece)
{
    return piece->len == piece->dots && (piece->len == 1 || piece->len == 2);
}

static bool is_sound(struct tg_text path)
{
    struct piece piece = {0, 0};

    for (size_t at = 0, step; at < path.len; at += step) {
        unsigned char byte;

        if ((step = read_byte(path, at, &byte)) == 0 || byte < 0x20 || byte == 0x7f || byte == '\\')
            return false;
        if (step == 1 && (byte == ' ' || byte == '#')) /* behind "#": a fragment, which is no part of a target and is cut off by some */
            return false;
        if (byte == '/') {
            if (is_dots(&piece))
                return false;
            piece = (struct piece){0, 0};
        } else {
            ++piece.len;
            piece.dots += byte == '.';
        }
    }
    return !is_dots(&piece);
}

/* What the bytes of a path can be; all but a few are just themselves. */
enum byte_class { OTHER, SLASH, ODD };

static const uint8_t byte_classes[256] = {
    [0 ... ' '] = ODD, ['#'] = ODD, ['%'] = ODD, ['/'] = SLASH, ['\\'] = ODD, [0x7f] = ODD,
};

/* Cuts the path at its slashes in one pass; false: it holds something that has to be looked at closely, such as a segment that begins
   with a dot. */
static bool split_plain(struct tg_path *out)
{
    struct tg_text path = out->raw;
    size_t start = 1;

    for (size_t at = 1; at <= path.len; ++at) {
        enum byte_class class = at < path.len ? byte_classes[(uint8_t)path.base[at]] : SLASH;

        if (class == OTHER)
            continue;
        if (class == ODD || (at != start && path.base[start] == '.'))
            return false;
        if (at != start && out->count < TG_PATH_SEGMENTS)
            out->segments[out->count++] = tg_text_n(path.base + start, at - start);
        start = at + 1;
    }
    return true;
}

static bool is_query(struct tg_text text)
{
    for (size_t i = 0; i < text.len; ++i)
        if ((unsigned char)text.base[i] <= ' ' || text.base[i] == 0x7f || text.base[i] == '#')
            return false;
    return true;
}

int tg_path_split(struct tg_text target, struct tg_path *out)
{
    const char *mark = target.len != 0 ? memchr(target.base, '?', target.len) : NULL;
    struct tg_text rest;

    out->raw = mark != NULL ? tg_text_n(target.base, (size_t)(mark - target.base)) : target;
    out->query = mark != NULL ? tg_text_n(mark + 1, target.len - out->raw.len - 1) : (struct tg_text){NULL, 0};
    out->count = 0;
    if (out->raw.len == 0 || out->raw.base[0] != '/' || !is_query(out->query))
        return TG_PATH_MALFORMED;
    if (split_plain(out))
        return 0;
    out->count = 0;
    if (!is_sound(out->raw))
        return TG_PATH_MALFORMED;
    for (rest = out->raw; rest.base != NULL && out->count < TG_PATH_SEGMENTS;) {
        struct tg_text segment = tg_text_cut(&rest, '/');

        if (segment.len != 0)
            out->segments[out->count++] = segment;
    }
    return 0;
}

/* Compares a query name, percent-decoded, "+" being a space. A bad escape stands for itself: then it is no name of ours. */
static bool name_is(struct tg_text name, const char *wanted)
{
    size_t at = 0, step;

    for (; *wanted != '\0'; ++wanted, at += step) {
        unsigned char byte;

        if (at >= name.len || (step = read_byte(name, at, &byte)) == 0 || byte != (unsigned char)*wanted)
            return false;
    }
    return at == name.len;
}

/* Go cuts at "&" only and drops a pair that holds ";". Both cut here, so that neither reading hides a name. */
struct tg_text tg_query_value(struct tg_text query, const char *name, size_t *count)
{
    struct tg_text found = {NULL, 0};

    *count = 0;
    while (query.base != NULL) {
        struct tg_text part = tg_text_cut(&query, '&');

        while (part.base != NULL) {
            struct tg_text value = tg_text_cut(&part, ';');
            struct tg_text key = tg_text_cut(&value, '=');

            if (name_is(key, name) && (*count)++ == 0)
                found = value.base != NULL ? value : tg_text_n(key.base + key.len, 0);
        }
    }
    return found;
}
