#include "base/json.h"

#include <stdlib.h>
#include "base/result.h"

/* jansson's own limit is 2048 levels and cannot be set, so brackets outside of strings are counted before it recurses. */
static bool is_too_deep(struct tg_text text)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.base[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '[' || c == '{') && ++depth > TG_JSON_DEPTH)
            return true;
        else if (!in_string && (c == ']' || c == '}'))
            depth--;
    }
    return false;
}

int tg_json_parse(struct tg_text text, json_t **out)
{
    json_error_t error;

    if (text.len == 0 || is_too_deep(text))
        return TG_JSON_MALFORMED;
    json_t *value = json_loadb(text.base, text.len, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        return TG_JSON_MALFORMED;
    *out = value;
    return 0;
}

/* The member when it is there and of the type. */
static int find(const json_t *object, const char *name, json_type type, const json_t **out)
{
    if (!json_is_object(object))
        return TG_JSON_WRONG;
    const json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return TG_JSON_ABSENT;
    if (json_typeof(value) != type)
        return TG_JSON_WRONG;
    *out = value;
    return 0;
}

int tg_json_text(const json_t *object, const char *name, size_t limit, struct tg_arena *arena, struct tg_text *out)
{
    const json_t *value;
    int result = find(object, name, JSON_STRING, &value);

    if (result != 0)
        return result;
    struct tg_text text = tg_text_n(json_string_value(value), json_string_length(value));
    if (text.len > limit)
        return TG_JSON_WRONG;
    *out = tg_arena_text(arena, text);
    return 0;
}

int tg_json_int(const json_t *object, const char *name, int64_t *out)
{
    const json_t *value;
    int result = find(object, name, JSON_INTEGER, &value);

    if (result == 0)
        *out = json_integer_value(value);
    return result;
}

int tg_json_flag(const json_t *object, const char *name, bool *out)
{
    const json_t *value;

    if (find(object, name, JSON_TRUE, &value) == 0) {
        *out = true;
        return 0;
    }
    int result = find(object, name, JSON_FALSE, &value);
    if (result == 0)
        *out = false;
    return result;
}

int tg_json_object(const json_t *object, const char *name, const json_t **out)
{
    return find(object, name, JSON_OBJECT, out);
}

int tg_json_array(const json_t *object, const char *name, size_t limit, const json_t **out)
{
    const json_t *value;
    int result = find(object, name, JSON_ARRAY, &value);

    if (result != 0)
        return result;
    if (json_array_size(value) > limit)
        return TG_JSON_WRONG;
    *out = value;
    return 0;
}

static int add_piece(const char *piece, size_t len, void *string)
{
    tg_string_add(string, tg_text_n(piece, len));
    return 0;
}

void tg_json_add(struct tg_string *out, const json_t *value)
{
    if (json_dump_callback(value, add_piece, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        abort(); /* no memory, or a value that jansson made wrongly: there is no other way to fail */
}
