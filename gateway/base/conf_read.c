#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "base/conf_parts.h"
#include "base/result.h"

enum { MOST_ERRORS = 100 };

/* Where a field was set, the latest first. */
struct place {
    const void *field;
    int line;
    const char *path;
    struct place *before;
};

struct tg_conf_lines {
    struct place *last;
    size_t errors;
};

static void remember(struct tg_conf_file *file, const void *field, int line, const char *path)
{
    struct place *place = tg_arena_alloc(&file->arena, sizeof(*place));

    *place = (struct place){field, line, path, file->lines->last};
    file->lines->last = place;
}

static void add_line(struct tg_conf_file *file, struct tg_string *out, int line, const char *path, const char *text)
{
    tg_string_addf(out, "%s:", file->path);
    if (line > 0)
        tg_string_addf(out, "%d:", line);
    if (path != NULL)
        tg_string_addf(out, " %s:", path);
    tg_string_addf(out, " %s\n", text);
}

static void add_error(struct tg_conf_file *file, int line, const char *path, const char *text)
{
    size_t said = file->lines->errors++;

    if (said < MOST_ERRORS)
        add_line(file, &file->errors, line, path, text);
    else if (said == MOST_ERRORS)
        add_line(file, &file->errors, 0, NULL, "more was found than is shown here");
}

/* vasprintf that aborts; the caller frees. */
static char *format_text(const char *format, va_list args)
{
    char *text;

    if (vasprintf(&text, format, args) < 0)
        abort();
    return text;
}

void tg_conf_report(struct tg_conf_file *file, int line, const char *path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    TG_FREED char *text = format_text(format, args);
    va_end(args);
    add_error(file, line, path, text);
}

/* The latest is the innermost: a section and its first key may share an address. */
static const struct place *find_place(const struct tg_conf_file *file, const void *field)
{
    static const struct place nowhere = {NULL, 0, NULL, NULL};

    for (const struct place *place = file->lines->last; place != NULL; place = place->before) {
        if (place->field == field)
            return place;
    }
    return &nowhere;
}

void tg_conf_error_at(struct tg_conf_file *file, const void *field, const char *format, ...)
{
    const struct place *place = find_place(file, field);
    va_list args;

    va_start(args, format);
    TG_FREED char *text = format_text(format, args);
    va_end(args);
    add_error(file, place->line, place->path, text);
}

void tg_conf_warn_at(struct tg_conf_file *file, const void *field, const char *format, ...)
{
    const struct place *place = find_place(file, field);
    va_list args;

    va_start(args, format);
    TG_FREED char *text = format_text(format, args);
    va_end(args);
    add_line(file, &file->warnings, place->line, place->path, text);
}

const char *tg_conf_quote(struct tg_arena *arena, struct tg_text value)
{
    enum { LONGEST_SHOWN = 60 };
    bool is_cut = value.len > LONGEST_SHOWN;
    size_t len = is_cut ? LONGEST_SHOWN : value.len;

    while (is_cut && ((unsigned char)value.base[len] & 0xc0) == 0x80) /* not inside of a character */
        len--;
    char *shown = tg_arena_copy(arena, tg_text_n(value.base, len));
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)shown[i] < 0x20 || shown[i] == 0x7f)
            shown[i] = '?';
    }
    return tg_arena_format(arena, "\"%s%s\"", shown, is_cut ? "..." : "");
}

/* A reading of one file: the table at the top is where a key that stands in the wrong section may belong. */
struct reader {
    struct tg_conf_file *file;
    const struct tg_key *root;
};

/* A section's struct and where it stands in the file. */
struct section {
    char *values;
    int line;
    const char *path; /* "" at the top */
};

static void read_value(struct reader *r, const struct tg_key *key, const struct tg_conf_node *node, struct section at);

static const char *join_path(struct reader *r, const char *section, const char *name)
{
    return section[0] == '\0' ? name : tg_arena_format(&r->file->arena, "%s.%s", section, name);
}

/* The path of a key of that name anywhere below; NULL when there is none. */
static const char *find_elsewhere(struct reader *r, const struct tg_key *keys, const char *path, struct tg_text name)
{
    for (const struct tg_key *key = keys; key->name != NULL; key++) {
        const char *here = join_path(r, path, key->name);
        const char *below = key->keys != NULL ? find_elsewhere(r, key->keys, here, name) : NULL;

        if (tg_text_is(name, key->name))
            return here;
        if (below != NULL)
            return below;
    }
    return NULL;
}

static void report_unknown(struct reader *r, const struct tg_conf_node *node, const struct tg_key *keys, const char *path)
{
    struct tg_nearest nearest = {.wanted = node->key};
    const char *name = tg_conf_quote(&r->file->arena, node->key);
    bool is_word = node->key.len > 0 && node->key.len <= 60;

    for (size_t i = 0; i < node->key.len && is_word; i++)
        is_word = (unsigned char)node->key.base[i] > 0x20 && node->key.base[i] != 0x7f;
    if (is_word)
        name = tg_arena_copy(&r->file->arena, node->key);
    for (const struct tg_key *key = keys; key->name != NULL; key++)
        tg_nearest_try(&nearest, key->name);

    const char *meant = nearest.name != NULL ? join_path(r, path, nearest.name) : find_elsewhere(r, r->root, "", node->key);
    tg_conf_report(r->file, node->line, join_path(r, path, name), "no such key%s%s%s", meant != NULL ? "; did you mean " : "",
                   meant != NULL ? meant : "", meant != NULL ? "?" : "");
}

static void report_shape(struct reader *r, const struct tg_key *key, const struct tg_conf_node *node, const char *path)
{
    const char *wanted = key->type == TG_SECTION    ? "a section: its keys stand below it, indented"
                         : key->type == TG_SECTIONS ? "a list of sections: each begins with \"- \" below it"
                         : key->type == TG_LIST     ? "a list: [one, two], or lines below it that begin with \"- \""
                                                    : tg_conf_expected(&r->file->arena, key);
    const char *given = node->kind == TG_NODE_MAP ? "keys" : node->kind == TG_NODE_SEQUENCE ? "a list" : "one value";

    tg_conf_report(r->file, node->line, path, "has %s, but must be %s (%s)", given, wanted, key->help);
}

static void read_scalar(struct reader *r, const struct tg_key *key, const struct tg_conf_node *node, struct section at)
{
    const char *why;

    if (node->kind == TG_NODE_EMPTY) {
        tg_conf_report(r->file, node->line, at.path, "is empty; it must be %s (%s)", tg_conf_expected(&r->file->arena, key),
                       key->help);
        return;
    }
    if (node->kind != TG_NODE_SCALAR) {
        report_shape(r, key, node, at.path);
        return;
    }
    if (!tg_conf_value(r->file, key, node->text, at.values, &why))
        tg_conf_report(r->file, node->line, at.path, "%s is not %s%s%s (%s)", tg_conf_quote(&r->file->arena, node->text),
                       tg_conf_expected(&r->file->arena, key), why != NULL ? "; " : "", why != NULL ? why : "", key->help);
}

static size_t count_children(const struct tg_conf_node *node)
{
    size_t count = 0;

    for (const struct tg_conf_node *child = node->first; child != NULL; child = child->next)
        count++;
    return count;
}

/* Both kinds of lists: item is the key that reads each. */
static void read_items(struct reader *r, const struct tg_key *item, const struct tg_conf_node *node, struct section at)
{
    size_t size = item->type == TG_SECTION ? item->item_size : tg_conf_value_size(item->type);
    struct tg_conf_list *list = (void *)at.values;
    size_t index = 0;

    list->count = count_children(node);
    list->items = tg_arena_alloc(&r->file->arena, size * (list->count > 0 ? list->count : 1));
    for (const struct tg_conf_node *child = node->first; child != NULL; child = child->next, index++) {
        struct section place = {
            .values = (char *)list->items + index * size,
            .line = child->line,
            .path = tg_arena_format(&r->file->arena, "%s[%zu]", at.path, index + 1),
        };

        remember(r->file, place.values, place.line, place.path);
        read_value(r, item, child, place);
    }
}

static void read_list(struct reader *r, const struct tg_key *key, const struct tg_conf_node *node, struct section at)
{
    bool is_plain = key->type == TG_LIST, takes_values = is_plain || key->is_short;
    struct tg_key item = tg_conf_item_key(key);
    struct tg_conf_node one = *node, around = {.kind = TG_NODE_SEQUENCE, .line = node->line, .first = &one};

    if (node->kind == TG_NODE_EMPTY) /* all items are commented out: the default stands */
        return;
    one.next = NULL;
    if (node->kind == TG_NODE_SCALAR && takes_values)
        node = &around;
    if (node->kind != TG_NODE_SEQUENCE) {
        report_shape(r, key, node, at.path);
        return;
    }
    if (!is_plain)
        item.type = TG_SECTION;
    read_items(r, &item, node, at);
}

static size_t field_size(enum tg_key_type type)
{
    return type == TG_LIST || type == TG_SECTIONS ? sizeof(struct tg_conf_list) : tg_conf_value_size(type);
}

static void set_default(struct reader *r, const struct tg_key *key, struct section at)
{
    struct tg_conf_node scalar = {.kind = TG_NODE_SCALAR, .text = tg_text(key->initial)};
    struct tg_conf_node *node = &scalar;

    memset(at.values, 0, field_size(key->type));
    if (key->initial == NULL && key->unset != 0)
        *(int64_t *)(void *)at.values = key->unset;
    if (key->initial == NULL)
        return;
    if (key->type == TG_LIST || key->type == TG_SECTIONS) { /* as it would be written: [one, two] */
        node = tg_conf_parse(r->file, tg_text(key->initial));
        if (node == NULL)
            return;
        for (struct tg_conf_node *child = node->first; child != NULL; child = child->next)
            child->line = at.line;
    }
    node->line = at.line;
    read_value(r, key, node, at);
}

static void set_defaults(struct reader *r, const struct tg_key *keys, struct section at)
{
    for (const struct tg_key *key = keys; key->name != NULL; key++) {
        struct section place = {at.values + key->offset, at.line, join_path(r, at.path, key->name)};

        remember(r->file, place.values, place.line, place.path);
        if (key->type == TG_SECTION)
            set_defaults(r, key->keys, place);
        else
            set_default(r, key, place);
    }
}

static size_t count_keys(const struct tg_key *keys)
{
    size_t count = 0;

    while (keys[count].name != NULL)
        count++;
    return count;
}

static const struct tg_key *find_key(const struct tg_key *keys, struct tg_text name)
{
    for (; keys->name != NULL; keys++) {
        if (tg_text_is(name, keys->name))
            return keys;
    }
    return NULL;
}

static bool is_given(const struct tg_key *key, int line, struct section at)
{
    const struct tg_conf_list *list = (void *)(at.values + key->offset);

    return line > 0 && ((key->type != TG_LIST && key->type != TG_SECTIONS) || list->count > 0);
}

/* lines: where each key stands; NULL when the whole section is absent, which then lacks what it must have. */
static void report_missing(struct reader *r, const struct tg_key *keys, const int *lines, struct section at)
{
    for (const struct tg_key *key = keys; key->name != NULL; key++) {
        struct section place = {at.values + key->offset, at.line, join_path(r, at.path, key->name)};
        int line = lines != NULL ? lines[key - keys] : 0;

        if (key->type == TG_SECTION && line == 0)
            report_missing(r, key->keys, NULL, place);
        else if (key->required && !is_given(key, line, at))
            tg_conf_report(r->file, place.line, place.path, "is missing (%s)", key->help);
    }
}

/* The members of a map into a struct that has its defaults. */
static void read_members(struct reader *r, const struct tg_key *keys, const struct tg_conf_node *map, struct section at)
{
    int *lines = tg_arena_alloc(&r->file->arena, (count_keys(keys) + 1) * sizeof(*lines)); /* where each key stands; 0: nowhere */

    for (const struct tg_conf_node *node = map->first; node != NULL; node = node->next) {
        const struct tg_key *key = find_key(keys, node->key);

        if (key == NULL) {
            report_unknown(r, node, keys, at.path);
            continue;
        }
        struct section place = {at.values + key->offset, node->line, join_path(r, at.path, key->name)};
        int *line = &lines[key - keys];
        if (*line > 0) {
            tg_conf_report(r->file, node->line, place.path, "stands here a second time; the first is in line %d", *line);
            continue;
        }
        *line = node->line;
        remember(r->file, place.values, place.line, place.path);
        read_value(r, key, node, place);
    }
    report_missing(r, keys, lines, at);
}

static void read_section(struct reader *r, const struct tg_key *key, const struct tg_conf_node *node, struct section at)
{
    bool is_value = node->kind == TG_NODE_SCALAR && key->is_short;

    if (node->kind != TG_NODE_MAP && node->kind != TG_NODE_EMPTY && !is_value) {
        report_shape(r, key, node, at.path);
        return;
    }
    set_defaults(r, key->keys, at);
    if (is_value)
        read_value(r, key->keys, node, (struct section){at.values + key->keys->offset, at.line, at.path});
    else
        read_members(r, key->keys, node, at);
}

static void read_value(struct reader *r, const struct tg_key *key, const struct tg_conf_node *node, struct section at)
{
    if (node->kind == TG_NODE_BROKEN)
        return;
    if (key->type == TG_SECTION)
        read_section(r, key, node, at);
    else if (key->type == TG_LIST || key->type == TG_SECTIONS)
        read_list(r, key, node, at);
    else
        read_scalar(r, key, node, at);
}

/* The absolute directory of the file, which need not exist. */
static const char *directory_of(struct tg_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    char here[PATH_MAX];
    const char *directory = slash == NULL   ? "."
                            : slash == path ? "/"
                                            : tg_arena_copy(arena, tg_text_n(path, (size_t)(slash - path)));

    if (realpath(directory, here) != NULL)
        return tg_arena_copy(arena, tg_text(here));
    if (directory[0] == '/' || getcwd(here, sizeof(here)) == NULL)
        return directory;
    return tg_arena_format(arena, "%s/%s", here, directory);
}

void tg_conf_read(struct tg_conf_file *file, const char *path, struct tg_text text, const struct tg_key *keys, void *values)
{
    *file = (struct tg_conf_file){.path = NULL};
    file->path = tg_arena_copy(&file->arena, tg_text(path));
    file->directory = directory_of(&file->arena, path);
    file->lines = tg_arena_alloc(&file->arena, sizeof(*file->lines));

    struct reader r = {.file = file, .root = keys};
    struct section top = {.values = values, .line = 1, .path = ""};
    const struct tg_conf_node *root = tg_conf_parse(file, text);

    set_defaults(&r, keys, top);
    if (root == NULL || root->kind == TG_NODE_BROKEN)
        return;
    if (root->kind == TG_NODE_MAP || root->kind == TG_NODE_EMPTY)
        read_members(&r, keys, root, top);
    else
        tg_conf_report(file, root->line, NULL, "the file must be made of keys, as in name: value");
}

void tg_conf_done(struct tg_conf_file *file)
{
    if (file == NULL)
        return;
    tg_string_done(&file->errors);
    tg_string_done(&file->warnings);
    tg_arena_done(&file->arena);
    *file = (struct tg_conf_file){.path = NULL};
}
