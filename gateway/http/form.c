#include "http/form.h"

#include "base/result.h"

enum { PAIRS = 128 };

static struct tg_text *target(const struct tg_field *field, void *out)
{
    return (struct tg_text *)((char *)out + field->offset);
}

static const struct tg_field *find_field(const struct tg_field *fields, struct tg_text name)
{
    for (; fields->name != NULL; fields++) {
        if (tg_text_is(name, fields->name))
            return fields;
    }
    return NULL;
}

static int read_pair(struct tg_arena *arena, struct tg_text pair, const struct tg_field *fields, void *out, const char **name)
{
    struct tg_text encoded = pair, key, value;
    const struct tg_field *field;

    *name = NULL;
    if (tg_url_decode(arena, tg_text_cut(&encoded, '='), true, &key) != 0)
        return TG_FORM_MALFORMED;
    field = find_field(fields, key);
    *name = field != NULL ? field->name : NULL;
    if (tg_url_decode(arena, encoded, true, &value) != 0)
        return TG_FORM_MALFORMED;
    if (field == NULL)
        return 0;

    if (target(field, out)->base != NULL)
        return TG_FORM_REPEATED;
    if (value.len > field->limit)
        return TG_FORM_MALFORMED;
    *target(field, out) = value;
    return 0;
}

/* A parameter without a value counts as omitted (RFC 6749 3.1), but it may not come twice all the same. */
static void drop_empty(const struct tg_field *fields, void *out)
{
    for (; fields->name != NULL; fields++) {
        if (target(fields, out)->len == 0)
            *target(fields, out) = (struct tg_text){NULL, 0};
    }
}

int tg_form_read(struct tg_arena *arena, struct tg_text text, const struct tg_field *fields, void *out, const char **name)
{
    const char *unused;
    size_t pairs = 0;

    if (name == NULL)
        name = &unused;
    *name = NULL;
    for (const struct tg_field *field = fields; field->name != NULL; field++)
        *target(field, out) = (struct tg_text){NULL, 0};

    while (text.len > 0) {
        struct tg_text pair = tg_text_cut(&text, '&');
        int answer;

        if (pair.len == 0)
            continue;
        if (++pairs > PAIRS)
            return TG_FORM_MALFORMED;
        answer = read_pair(arena, pair, fields, out, name);
        if (answer != 0)
            return answer;
    }
    *name = NULL;
    drop_empty(fields, out);
    return 0;
}

bool tg_form_is_type(struct tg_text content_type)
{
    return tg_text_is_nocase(tg_text_trim(tg_text_cut(&content_type, ';')), "application/x-www-form-urlencoded");
}
