/* The parser of template.h: one pass over the source, one node for each literal, slot, section and part. */
#include "http/template_parts.h"

#include "base/result.h"

enum { SECTION_DEPTH = 8, NODES_AT_FIRST = 32 };

struct parser {
    struct tg_template *template;
    const char *at, *end;
    size_t line;
    size_t open[SECTION_DEPTH]; /* indices of the sections that are not closed yet */
    size_t depth;
};

/* One {{...}} of the source. */
struct tag {
    char sigil;          /* '#', '^', '/', '>', '!' or 0 for a slot */
    struct tg_text name;
    const char *start, *end; /* from the first brace to behind the last */
};

static struct tg_template_node *add_node(struct parser *p, enum tg_template_node_kind kind, struct tg_text text)
{
    struct tg_template *t = p->template;

    if (t->count == t->capacity) {
        t->capacity = t->capacity > 0 ? t->capacity * 2 : NODES_AT_FIRST;
        t->nodes = tg_realloc(t->nodes, t->capacity * sizeof(*t->nodes));
    }
    t->nodes[t->count] = (struct tg_template_node){.kind = kind, .text = text, .line = p->line};
    return &t->nodes[t->count++];
}

static void add_literal(struct parser *p, const char *from, const char *to)
{
    if (to > from)
        add_node(p, TG_NODE_LITERAL, tg_text_n(from, (size_t)(to - from)));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A tag that has a line for itself takes the line with it, so that sections leave no holes in the page. */
static bool stands_alone(const struct parser *p, const struct tag *tag, const char **line_start, const char **line_end)
{
    const char *before = tag->start, *behind = tag->end;

    while (before > p->template->source.base && is_blank(before[-1]))
        before--;
    while (behind < p->end && (is_blank(*behind) || *behind == '\r'))
        behind++;
    if (before > p->template->source.base && before[-1] != '\n')
        return false;
    if (behind < p->end && *behind != '\n')
        return false;
    *line_start = before;
    *line_end = behind < p->end ? behind + 1 : behind;
    return true;
}

static bool is_name(struct tg_text name)
{
    if (name.len == 0)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.base[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static int read_tag(struct parser *p, struct tag *tag)
{
    const char *inner = tag->start + 2;
    const char *close = memmem(inner, (size_t)(p->end - inner), "}}", 2);

    if (close == NULL)
        return tg_fail("%s:%zu: \"{{\" is not closed; write }} behind the name", p->template->origin, p->line);
    tag->end = close + 2;
    tag->sigil = inner < close && strchr("#^/>!", *inner) != NULL ? *inner++ : 0;
    tag->name = tg_text_trim(tg_text_n(inner, (size_t)(close - inner)));
    if (tag->sigil != '!' && !is_name(tag->name))
        return tg_fail("%s:%zu: \"{{%.*s}}\" is not a slot; names are of a-z, 0-9, _ and -", p->template->origin, p->line,
                       (int)(close - tag->start - 2 > 40 ? 40 : close - tag->start - 2), tag->start + 2);
    /* without quotes, a value with a space would become attributes of its own */
    if (tag->sigil == 0 && tag->start > p->template->source.base && tag->start[-1] == '=')
        return tg_fail("%s:%zu: the attribute with {{%.*s}} has no quotes; write =\"{{%.*s}}\"", p->template->origin, p->line,
                       TG_TEXT_ARGS(tag->name), TG_TEXT_ARGS(tag->name));
    return 0;
}

static int open_section(struct parser *p, const struct tag *tag)
{
    if (p->depth == SECTION_DEPTH)
        return tg_fail("%s:%zu: sections are nested deeper than %d", p->template->origin, p->line, SECTION_DEPTH);
    p->open[p->depth++] = p->template->count;
    add_node(p, tag->sigil == '#' ? TG_NODE_IF : TG_NODE_UNLESS, tag->name);
    return 0;
}

static int close_section(struct parser *p, const struct tag *tag)
{
    struct tg_template_node *section;

    if (p->depth == 0)
        return tg_fail("%s:%zu: {{/%.*s}} closes nothing", p->template->origin, p->line, TG_TEXT_ARGS(tag->name));
    section = &p->template->nodes[p->open[p->depth - 1]];
    if (!tg_text_same(section->text, tag->name))
        return tg_fail("%s:%zu: {{/%.*s}} comes before {{/%.*s}} of line %zu", p->template->origin, p->line, TG_TEXT_ARGS(tag->name),
                       TG_TEXT_ARGS(section->text), section->line);
    section->end = p->template->count;
    p->depth--;
    return 0;
}

static int take_tag(struct parser *p, const struct tag *tag)
{
    switch (tag->sigil) {
    case '#':
    case '^':
        return open_section(p, tag);
    case '/':
        return close_section(p, tag);
    case '>':
        add_node(p, TG_NODE_PART, tag->name);
        return 0;
    case '!':
        return 0;
    default:
        add_node(p, TG_NODE_SLOT, tag->name);
        return 0;
    }
}

static void count_lines(struct parser *p, const char *from, const char *to)
{
    for (; from < to; from++)
        p->line += *from == '\n';
}

int tg_template_parse(struct tg_template *template)
{
    struct parser p = {.template = template, .at = template->source.base, .end = template->source.base + template->source.len, .line = 1};

    while (p.at < p.end) {
        struct tag tag = {.start = memmem(p.at, (size_t)(p.end - p.at), "{{", 2)};
        const char *literal_end, *next;

        if (tag.start == NULL)
            break;
        count_lines(&p, p.at, tag.start);
        tg_try(read_tag(&p, &tag));
        if (tag.sigil == 0 || !stands_alone(&p, &tag, &literal_end, &next)) {
            literal_end = tag.start;
            next = tag.end;
        }
        add_literal(&p, p.at, literal_end);
        tg_try(take_tag(&p, &tag));
        count_lines(&p, tag.start, next);
        p.at = next;
    }
    add_literal(&p, p.at, p.end);
    if (p.depth > 0) {
        const struct tg_template_node *section = &template->nodes[p.open[p.depth - 1]];

        return tg_fail("%s:%zu: {{%c%.*s}} is not closed; write {{/%.*s}} where it ends", template->origin, section->line,
                       section->kind == TG_NODE_IF ? '#' : '^', TG_TEXT_ARGS(section->text), TG_TEXT_ARGS(section->text));
    }
    return 0;
}
