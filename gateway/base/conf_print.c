/* Tables of keys as a commented example and as a reference. */
#include <ctype.h>
#include <stdio.h>
#include "base/conf_parts.h"
#include "base/result.h"

enum { WIDTH = 100 };

/* A value in a form that reads back as itself. */
static void add_value(struct tg_string *out, const char *value)
{
    size_t len = strlen(value);
    bool needs_quotes = len == 0 || strchr("[]{}&*!|>'\"%@`#,?~- ", value[0]) != NULL || value[len - 1] == ':' ||
                        value[len - 1] == ' ' || strstr(value, ": ") != NULL || strstr(value, " #") != NULL ||
                        strcmp(value, "null") == 0;

    if (!needs_quotes || (value[0] == '-' && len > 1 && isdigit((unsigned char)value[1]))) {
        tg_string_add(out, tg_text(value));
        return;
    }
    tg_string_add(out, TG_TEXT("\""));
    for (; *value != '\0'; value++)
        tg_string_addf(out, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
    tg_string_add(out, TG_TEXT("\""));
}

static const char *sample_of(enum tg_key_type type)
{
    switch (type) {
    case TG_PATH:
        return "/path/to/file";
    case TG_FLAG:
        return "no";
    case TG_SECONDS:
        return "15m";
    case TG_BYTES:
        return "64k";
    case TG_URL:
        return "https://name.example.net";
    case TG_HOST:
        return "name.example.net";
    case TG_ADDRESS:
        return "127.0.0.1:8080";
    case TG_NETWORK:
        return "10.0.0.0/8";
    case TG_ZONE:
        return "UTC";
    case TG_NUMBER:
        return "1";
    default:
        return "text";
    }
}

static void add_sample(struct tg_string *out, const struct tg_key *key)
{
    const char *written = key->initial != NULL ? key->initial : key->example;

    if ((key->type == TG_LIST || key->type == TG_SECTIONS) && written != NULL)
        tg_string_add(out, tg_text(written));
    else if (written != NULL)
        add_value(out, written);
    else if (key->type == TG_CHOICE)
        add_value(out, key->choices[0]);
    else
        add_value(out, sample_of(key->type == TG_LIST ? key->item_type : key->type));
}

/* A sentence as comment lines of at most WIDTH columns. */
static void add_comment(struct tg_string *out, int indent, const char *text)
{
    struct tg_text rest = tg_text(text);
    size_t room = (size_t)(WIDTH - indent - 2);

    while (rest.base != NULL && rest.len > 0) {
        size_t len = rest.len;

        if (len > room) {
            len = room;
            while (len > 0 && rest.base[len] != ' ')
                len--;
            if (len == 0) /* one word that is wider */
                len = strcspn(rest.base, " ");
        }
        tg_string_addf(out, "%*s# %.*s\n", indent, "", (int)len, rest.base);
        len += len < rest.len;
        rest = tg_text_n(rest.base + len, rest.len - len);
    }
}

static void add_help(struct tg_string *out, const struct tg_key *key, int indent)
{
    struct tg_arena arena = {NULL};
    const char *limits = tg_conf_limits(&arena, key);
    bool is_range = strstr(limits, " to ") != NULL && key->choices == NULL;
    char *text = tg_arena_format(&arena, "%s%s%s%s%s%s", key->help, limits[0] != '\0' ? " (" : "", is_range ? "from " : "",
                                 limits, limits[0] != '\0' ? ")" : "", key->required ? "; required" : "");

    text[0] = (char)toupper((unsigned char)text[0]);
    add_comment(out, indent, tg_arena_format(&arena, "%s.", text));
    tg_arena_done(&arena);
}

static void print_keys(struct tg_string *out, const struct tg_key *keys, int indent, bool is_commented);

static void print_parts(struct tg_string *out, const struct tg_key *key, int indent, bool is_commented)
{
    bool is_list = key->type == TG_SECTIONS;
    bool is_out = is_commented || (is_list && !key->required); /* a section without keys in it reads well */

    tg_string_addf(out, "%*s%s%s:\n", indent, "", is_out ? "#" : "", key->name);
    if (is_list)
        tg_string_addf(out, "%*s%s-\n", indent + 2, "", is_out ? "#" : "");
    print_keys(out, key->keys, indent + (is_list ? 4 : 2), is_out);
}

/* An example of a list that may be written short means: in that form, its sections are those of a key before. */
static bool shows_parts(const struct tg_key *key)
{
    return key->type == TG_SECTION || (key->type == TG_SECTIONS && !(key->is_short && key->example != NULL));
}

static void print_keys(struct tg_string *out, const struct tg_key *keys, int indent, bool is_commented)
{
    for (const struct tg_key *key = keys; key->name != NULL; key++) {
        if (key != keys)
            tg_string_add(out, TG_TEXT("\n"));
        add_help(out, key, indent);
        if (shows_parts(key)) {
            print_parts(out, key, indent, is_commented);
            continue;
        }
        tg_string_addf(out, "%*s%s%s: ", indent, "", is_commented || !key->required ? "#" : "", key->name);
        add_sample(out, key);
        tg_string_add(out, TG_TEXT("\n"));
    }
}

void tg_conf_print_example(struct tg_string *out, const struct tg_key *keys)
{
    tg_string_add(out, TG_TEXT(""));
    print_keys(out, keys, 0, false);
}

static const char *type_words(const struct tg_key *key)
{
    static const char *const words[] = {
        [TG_STRING_KEY] = "text", [TG_PATH] = "path",     [TG_FLAG] = "yes or no",  [TG_NUMBER] = "number",
        [TG_SECONDS] = "time",    [TG_BYTES] = "size",    [TG_CHOICE] = "word",     [TG_URL] = "URL",
        [TG_HOST] = "host name",  [TG_ADDRESS] = "address", [TG_NETWORK] = "network", [TG_ZONE] = "time zone",
        [TG_SECTION] = "section",
        [TG_SECTIONS] = "list of sections",
    };

    return words[key->type == TG_LIST ? key->item_type : key->type];
}

static void add_cell(struct tg_string *out, const char *text)
{
    for (; *text != '\0'; text++)
        tg_string_addf(out, *text == '|' ? "\\%c" : "%c", *text);
    tg_string_add(out, TG_TEXT(" | "));
}

static void print_row(struct tg_string *out, const struct tg_key *key)
{
    struct tg_arena arena = {NULL};
    const char *initial = key->initial != NULL && key->initial[0] != '\0' ? tg_arena_format(&arena, "`%s`", key->initial)
                          : key->required                                 ? "required"
                                                                          : "none";

    if (key->type == TG_SECTION)
        initial = "";
    tg_string_addf(out, "| `%s` | %s", key->name, key->type == TG_LIST ? "list: " : "");
    tg_string_addf(out, "%s%s", key->is_short ? type_words(key->keys) : "", key->is_short ? ", or " : "");
    add_cell(out, type_words(key));
    add_cell(out, initial);
    add_cell(out, tg_conf_limits(&arena, key));
    add_cell(out, key->help);
    out->base[--out->len] = '\0'; /* without the space behind the last bar */
    tg_string_add(out, TG_TEXT("\n"));
    tg_arena_done(&arena);
}

static void print_section(struct tg_string *out, const struct tg_key *keys, const char *path, const char *help)
{
    if (path[0] == '\0')
        tg_string_addf(out, "## At the top\n\n");
    else
        tg_string_addf(out, "\n## `%s`\n\n%c%s.\n\n", path, toupper((unsigned char)help[0]), help + 1);
    tg_string_addf(out, "| key | type | default | limits | meaning |\n|---|---|---|---|---|\n");
    for (const struct tg_key *key = keys; key->name != NULL; key++)
        print_row(out, key);
    for (const struct tg_key *key = keys; key->name != NULL; key++) {
        const char *dot = path[0] != '\0' ? "." : "";
        TG_FREED char *below = tg_format("%s%s%s%s", path, dot, key->name, key->type == TG_SECTIONS ? "[]" : "");

        if (key->keys != NULL && shows_parts(key))
            print_section(out, key->keys, below, key->help);
    }
}

void tg_conf_print_reference(struct tg_string *out, const struct tg_key *keys)
{
    print_section(out, keys, "", "");
}
