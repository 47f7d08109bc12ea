#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>
#include "base/conf_parts.h"
#include "base/result.h"

enum { LARGEST_FILE = 1024 * 1024, DEEPEST = 8, MOST_NODES = 20000 };

struct builder {
    struct tg_conf_file *file;
    struct tg_text text;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    size_t nodes;
};

static int line_of(const yaml_event_t *event)
{
    return (int)event->start_mark.line + 1;
}

static struct tg_text line_text(struct tg_text text, int line)
{
    struct tg_text found = tg_text_cut(&text, '\n');

    for (int i = 1; i < line && text.base != NULL; i++)
        found = tg_text_cut(&text, '\n');
    return found;
}

static int line_at_offset(struct tg_text text, size_t offset)
{
    int line = 1;

    for (size_t i = 0; i < offset && i < text.len; i++)
        line += text.base[i] == '\n';
    return line;
}

static void report_syntax(struct builder *b)
{
    const char *problem = b->parser.problem != NULL ? b->parser.problem : "no reason given";

    if (b->parser.error == YAML_MEMORY_ERROR)
        abort();
    if (b->parser.error == YAML_READER_ERROR) {
        tg_conf_report(b->file, line_at_offset(b->text, b->parser.problem_offset), NULL,
                       "%s: the file must be UTF-8 text without control characters", problem);
        return;
    }
    int line = (int)b->parser.problem_mark.line + 1;
    struct tg_text there = line_text(b->text, line);
    bool has_tab = there.len > 0 && memchr(there.base, '\t', there.len) != NULL;
    TG_STRING context = {NULL, 0, 0};

    if (b->parser.context != NULL)
        tg_string_addf(&context, " %s (begun in line %d),", b->parser.context, (int)b->parser.context_mark.line + 1);
    tg_conf_report(b->file, line, NULL, "this is not YAML:%s %s%s", tg_string_text(&context).base, problem,
                   has_tab ? "; indent with spaces, not with tabs" : "");
}

/* Steps to the next event; false when there is none that can be read. */
static bool advance(struct builder *b)
{
    yaml_event_delete(&b->event);
    if (yaml_parser_parse(&b->parser, &b->event))
        return true;
    report_syntax(b);
    return false;
}

static bool refuse_extras(struct builder *b, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        tg_conf_report(b->file, line_of(&b->event), NULL,
                       "anchors (&name) have no place here; write the value where it is needed");
    if (tag != NULL)
        tg_conf_report(b->file, line_of(&b->event), NULL, "tags (!name) have no place here; write the plain value");
    return anchor != NULL || tag != NULL;
}

static void fill_scalar(struct builder *b, struct tg_conf_node *node)
{
    struct tg_text text = tg_text_n((const char *)b->event.data.scalar.value, b->event.data.scalar.length);
    bool is_plain = b->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool is_empty = is_plain && (text.len == 0 || tg_text_is(text, "~") || tg_text_is(text, "null"));

    node->kind = is_empty ? TG_NODE_EMPTY : TG_NODE_SCALAR;
    node->text = tg_arena_text(&b->file->arena, text);
    if (refuse_extras(b, b->event.data.scalar.anchor, b->event.data.scalar.tag))
        node->kind = TG_NODE_BROKEN;
}

static bool build(struct builder *b, int depth, struct tg_conf_node **out);

/* The current event begins a key; leaves the current event at its value. */
static bool read_key(struct builder *b, struct tg_text *key, int *line)
{
    *line = line_of(&b->event);
    if (b->event.type != YAML_SCALAR_EVENT) {
        tg_conf_report(b->file, *line, NULL, "a key must be a word, as in name: value");
        return false;
    }
    refuse_extras(b, b->event.data.scalar.anchor, b->event.data.scalar.tag);
    *key = tg_arena_text(&b->file->arena, tg_text_n((const char *)b->event.data.scalar.value, b->event.data.scalar.length));
    return advance(b);
}

static bool fill_children(struct builder *b, int depth, struct tg_conf_node *node)
{
    struct tg_conf_node **tail = &node->first;
    yaml_event_type_t end = node->kind == TG_NODE_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;

    while (b->event.type != end) {
        struct tg_text key = {NULL, 0};
        int line = 0;

        if (node->kind == TG_NODE_MAP && !read_key(b, &key, &line))
            return false;
        if (!build(b, depth + 1, tail) || !advance(b))
            return false;
        (*tail)->key = key;
        if (line > 0)
            (*tail)->line = line; /* the administrator looks for the key */
        tail = &(*tail)->next;
    }
    return true;
}

/* Makes the node that begins at the current event; leaves the current event at its last. */
static bool build(struct builder *b, int depth, struct tg_conf_node **out)
{
    struct tg_conf_node *node = tg_arena_alloc(&b->file->arena, sizeof(*node));

    node->line = line_of(&b->event);
    *out = node;
    if (++b->nodes > MOST_NODES) {
        tg_conf_report(b->file, node->line, NULL, "more than %d values in one file", MOST_NODES);
        return false;
    }
    if (depth > DEEPEST) {
        tg_conf_report(b->file, node->line, NULL, "nested deeper than %d levels", DEEPEST);
        return false;
    }
    switch (b->event.type) {
    case YAML_SCALAR_EVENT:
        fill_scalar(b, node);
        return true;
    case YAML_MAPPING_START_EVENT:
        node->kind = TG_NODE_MAP;
        refuse_extras(b, b->event.data.mapping_start.anchor, b->event.data.mapping_start.tag);
        return advance(b) && fill_children(b, depth, node);
    case YAML_SEQUENCE_START_EVENT:
        node->kind = TG_NODE_SEQUENCE;
        refuse_extras(b, b->event.data.sequence_start.anchor, b->event.data.sequence_start.tag);
        return advance(b) && fill_children(b, depth, node);
    default: /* YAML_ALIAS_EVENT: nothing else can stand here */
        node->kind = TG_NODE_BROKEN;
        tg_conf_report(b->file, node->line, NULL, "aliases (*name) have no place here; write the value itself");
        return true;
    }
}

static bool build_document(struct builder *b, struct tg_conf_node **root)
{
    if (!advance(b) || !advance(b)) /* stream start, document start */
        return false;
    if (b->event.type == YAML_STREAM_END_EVENT) {
        *root = tg_arena_alloc(&b->file->arena, sizeof(**root));
        (*root)->kind = TG_NODE_MAP;
        (*root)->line = 1;
        return true;
    }
    if (!advance(b) || !build(b, 1, root) || !advance(b) || !advance(b)) /* document end, stream end */
        return false;
    if (b->event.type != YAML_STREAM_END_EVENT)
        tg_conf_report(b->file, line_of(&b->event), NULL, "a second document begins here; one file holds one configuration");
    return true;
}

struct tg_conf_node *tg_conf_parse(struct tg_conf_file *file, struct tg_text text)
{
    struct builder b = {.file = file, .text = text};
    struct tg_conf_node *root = NULL;

    if (text.len > LARGEST_FILE) {
        tg_conf_report(file, 0, NULL, "larger than %d MiB", LARGEST_FILE / (1024 * 1024));
        return NULL;
    }
    if (!yaml_parser_initialize(&b.parser))
        abort();
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)(text.base != NULL ? text.base : ""), text.len);
    bool good = build_document(&b, &root);
    yaml_event_delete(&b.event);
    yaml_parser_delete(&b.parser);
    return good ? root : NULL;
}
