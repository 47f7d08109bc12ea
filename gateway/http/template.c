#include "http/template.h"

#include <dirent.h>
#include <stdio.h>
#include "base/file.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/template_data.h"
#include "http/template_parts.h"

enum { FILE_LIMIT = 256 * 1024, TEMPLATES = 128, PART_DEPTH = 8 };

static const char style_name[] = "style.css";
static const char suffix[] = ".html";

struct tg_templates {
    struct tg_arena arena;             /* names, origins, sources */
    struct tg_template all[TEMPLATES];
    size_t count;
    struct tg_text style;
    char style_etag[TG_BASE64(TG_DIGEST) + 2];
    struct tg_brand brand;
};

static const struct tg_slot brand_slots[] = {
    {"operator_name", offsetof(struct tg_brand, operator_name)},
    {"help_url", offsetof(struct tg_brand, help_url)},
    {"privacy_url", offsetof(struct tg_brand, privacy_url)},
    {"imprint_url", offsetof(struct tg_brand, imprint_url)},
    {"style_url", offsetof(struct tg_brand, style_url)},
    {NULL},
};

static struct tg_template *find(struct tg_templates *templates, struct tg_text name)
{
    for (size_t i = 0; i < templates->count; i++) {
        if (tg_text_same(templates->all[i].name, name))
            return &templates->all[i];
    }
    return NULL;
}

/* The operator's file of that name, if there is one: *origin is then its path. */
static int read_own(struct tg_templates *templates, const char *directory, const char *file, const char **origin, struct tg_text *source)
{
    TG_STRING text = {NULL};
    const char *path;
    int answer;

    if (directory == NULL)
        return TG_FILE_ABSENT;
    path = tg_arena_format(&templates->arena, "%s/%s", directory, file);
    answer = tg_try(tg_file_read(path, FILE_LIMIT, &text));
    if (answer == TG_FILE_TOO_LARGE)
        return tg_fail("%s: a template is at most %d KiB", path, FILE_LIMIT / 1024);
    if (answer != 0)
        return answer;
    *origin = path;
    *source = tg_arena_text(&templates->arena, tg_string_text(&text));
    return 0;
}

static int add(struct tg_templates *templates, const char *file, const char *origin, struct tg_text source)
{
    struct tg_template *template;

    if (templates->count == TEMPLATES)
        return tg_fail("%s: there are more than %d templates", origin, TEMPLATES);
    template = &templates->all[templates->count++];
    template->name = tg_arena_text(&templates->arena, tg_text_n(file, strlen(file) - strlen(suffix)));
    template->origin = origin;
    template->source = source;
    return tg_template_parse(template);
}

static int load_ours(struct tg_templates *templates, const char *directory)
{
    for (const struct tg_template_data *data = tg_template_data; data->name != NULL; data++) {
        const char *origin = tg_arena_format(&templates->arena, "built-in %s", data->name);
        struct tg_text source = tg_text_n(data->bytes, data->len);

        tg_try(read_own(templates, directory, data->name, &origin, &source));
        if (strcmp(data->name, style_name) == 0)
            templates->style = source;
        else
            tg_try(add(templates, data->name, origin, source));
    }
    return 0;
}

/* Finds what {{>name}} means; a part that only the operator has is read here. */
static int link_parts(struct tg_templates *templates, const char *directory)
{
    for (size_t i = 0; i < templates->count; i++) { /* count may grow */
        struct tg_template *template = &templates->all[i];

        for (size_t n = 0; n < template->count; n++) {
            struct tg_template_node *node = &template->nodes[n];
            const char *file, *origin = NULL;
            struct tg_text source;

            if (node->kind != TG_NODE_PART || (node->part = find(templates, node->text)) != NULL)
                continue;
            file = tg_arena_format(&templates->arena, "%.*s%s", TG_TEXT_ARGS(node->text), suffix);
            if (tg_try(read_own(templates, directory, file, &origin, &source)) != 0)
                return tg_fail("%s:%zu: there is no part %s; put %s beside it", template->origin, node->line, file, file);
            tg_try(add(templates, file, origin, source));
            node->part = find(templates, node->text);
        }
    }
    return 0;
}

static int check_depth(const struct tg_template *template, int depth)
{
    if (depth > PART_DEPTH)
        return tg_fail("%s: parts are nested deeper than %d, or include each other", template->origin, PART_DEPTH);
    for (size_t n = 0; n < template->count; n++) {
        if (template->nodes[n].kind == TG_NODE_PART)
            tg_try(check_depth(template->nodes[n].part, depth + 1));
    }
    return 0;
}

/* A file that replaces nothing is a name written wrong. */
static int check_directory(struct tg_templates *templates, const char *directory)
{
    int result = 0;
    DIR *entries = opendir(directory);

    if (entries == NULL)
        return tg_fail_errno("cannot open the template directory %s", directory);
    for (struct dirent *entry; result == 0 && (entry = readdir(entries)) != NULL;) {
        struct tg_text name = tg_text(entry->d_name);

        if (!tg_text_ends(name, suffix))
            continue;
        name.len -= strlen(suffix);
        if (find(templates, name) == NULL)
            result = tg_fail("%s/%s replaces no template, and none includes it; the names are those of conf/templates", directory,
                             entry->d_name);
    }
    closedir(entries);
    return result;
}

static void tag_style(struct tg_templates *templates)
{
    uint8_t digest[TG_DIGEST];
    char encoded[TG_BASE64(TG_DIGEST)];

    tg_digest(templates->style, digest);
    tg_base64url(digest, sizeof(digest), encoded);
    snprintf(templates->style_etag, sizeof(templates->style_etag), "\"%s\"", encoded);
}

static int load(struct tg_templates *templates, const char *directory)
{
    tg_try(load_ours(templates, directory));
    tg_try(link_parts(templates, directory));
    for (size_t i = 0; i < templates->count; i++)
        tg_try(check_depth(&templates->all[i], 0));
    if (directory != NULL)
        tg_try(check_directory(templates, directory));
    tag_style(templates);
    return 0;
}

int tg_templates_load(const char *directory, struct tg_templates **templates)
{
    struct tg_templates *loaded = tg_alloc(sizeof(*loaded));
    int result = load(loaded, directory);

    if (result != 0) {
        tg_templates_free(loaded);
        return result;
    }
    tg_templates_set_brand(loaded, &(struct tg_brand){.operator_name = TG_TEXT("Teagate")});
    *templates = loaded;
    return 0;
}

void tg_templates_free(struct tg_templates *templates)
{
    if (templates == NULL)
        return;
    for (size_t i = 0; i < templates->count; i++)
        free(templates->all[i].nodes);
    tg_arena_done(&templates->arena);
    free(templates);
}

void tg_templates_set_brand(struct tg_templates *templates, const struct tg_brand *brand)
{
    templates->brand = *brand;
    if (brand->style_url.base == NULL)
        templates->brand.style_url = TG_TEXT(TG_STYLE_PATH);
}

const char *tg_templates_zone(const struct tg_templates *templates)
{
    return templates->brand.zone != NULL ? templates->brand.zone : "UTC";
}

struct tg_text tg_templates_style(struct tg_templates *templates)
{
    return templates->style;
}

struct tg_text tg_templates_style_etag(struct tg_templates *templates)
{
    return tg_text(templates->style_etag);
}

static const struct tg_slot *find_slot(const struct tg_slot *slots, struct tg_text name)
{
    for (; slots->name != NULL; slots++) {
        if (tg_text_is(name, slots->name))
            return slots;
    }
    return NULL;
}

static int fail_slot(const struct tg_template *template, const struct tg_template_node *node, const struct tg_slot *slots)
{
    TG_STRING names = {NULL};

    for (; slots->name != NULL; slots++)
        tg_string_addf(&names, "%s%s", names.len > 0 ? ", " : "", slots->name);
    return tg_fail("%s:%zu: the page has no slot %.*s; it has %s", template->origin, node->line, TG_TEXT_ARGS(node->text),
                   names.base != NULL ? names.base : "none");
}

static int check_slots(const struct tg_template *template, const struct tg_slot *slots)
{
    for (size_t n = 0; n < template->count; n++) {
        const struct tg_template_node *node = &template->nodes[n];

        if (node->kind == TG_NODE_LITERAL)
            continue;
        if (node->kind == TG_NODE_PART)
            tg_try(check_slots(node->part, slots));
        else if (find_slot(slots, node->text) == NULL && find_slot(brand_slots, node->text) == NULL)
            return fail_slot(template, node, slots);
    }
    return 0;
}

int tg_templates_check(struct tg_templates *templates, const struct tg_page *page)
{
    const struct tg_template *template = find(templates, tg_text(page->template));

    if (template == NULL)
        return tg_fail("there is no template %s%s", page->template, suffix);
    return check_slots(template, page->slots);
}

/* What one page is filled from, and where to. */
struct filling {
    const struct tg_slot *slots;
    const void *values;
    const struct tg_brand *brand;
    struct tg_string *out;
};

/* https and http addresses and absolute paths of this host; nothing that runs or that leaves its attribute. */
static bool is_url(struct tg_text url)
{
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.base[i];

        if (c <= ' ' || c == 0x7f || c == '\\')
            return false;
    }
    if (tg_text_starts(url, "https://") || tg_text_starts(url, "http://"))
        return !tg_text_ends(url, "://");
    return url.len > 0 && url.base[0] == '/' && (url.len == 1 || url.base[1] != '/');
}

/* The slot's text; len 0 when it is absent, unfit or not declared. */
static struct tg_text value_of(const struct filling *f, struct tg_text name)
{
    const void *values = f->values;
    const struct tg_slot *slot = find_slot(f->slots, name);
    struct tg_text text = {NULL, 0};

    if (slot == NULL) {
        slot = find_slot(brand_slots, name);
        values = f->brand;
    }
    if (slot == NULL)
        return text;
    memcpy(&text, (const char *)values + slot->offset, sizeof(text));
    if (text.base == NULL || (tg_text_ends(name, "_url") && !is_url(text)))
        return (struct tg_text){NULL, 0};
    return text;
}

static void fill(const struct filling *f, const struct tg_template *template)
{
    for (size_t n = 0; n < template->count; n++) {
        const struct tg_template_node *node = &template->nodes[n];

        switch (node->kind) {
        case TG_NODE_LITERAL:
            tg_string_add(f->out, node->text);
            break;
        case TG_NODE_SLOT:
            tg_html_escape(f->out, value_of(f, node->text));
            break;
        case TG_NODE_IF:
        case TG_NODE_UNLESS:
            /* what counts follows; what does not is stepped over */
            if ((value_of(f, node->text).len > 0) != (node->kind == TG_NODE_IF))
                n = node->end - 1;
            break;
        case TG_NODE_PART:
            fill(f, node->part);
            break;
        }
    }
}

struct tg_text tg_templates_fill(struct tg_templates *templates, const struct tg_page *page, const void *values, struct tg_arena *arena)
{
    const struct tg_template *template = find(templates, tg_text(page->template));
    TG_STRING out = {NULL};
    struct filling filling = {.slots = page->slots, .values = values, .brand = &templates->brand, .out = &out};

    if (template == NULL)
        abort(); /* the page was never checked */
    fill(&filling, template);
    return tg_arena_text(arena, tg_string_text(&out));
}
