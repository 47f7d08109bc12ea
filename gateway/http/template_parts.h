/*
 * template_parts.h - a template as it was parsed; private to template.c and template_parse.c
 */
#ifndef TG_HTTP_TEMPLATE_PARTS_H
#define TG_HTTP_TEMPLATE_PARTS_H

#include "base/text.h"

enum tg_template_node_kind {
    TG_NODE_LITERAL,
    TG_NODE_SLOT,
    TG_NODE_IF,     /* {{#name}}: the nodes up to end count when the slot has a text */
    TG_NODE_UNLESS, /* {{^name}} */
    TG_NODE_PART,
};

struct tg_template;

struct tg_template_node {
    enum tg_template_node_kind kind;
    struct tg_text text;             /* the literal, or the name */
    size_t end;                      /* IF, UNLESS: index behind the section's last node */
    size_t line;
    const struct tg_template *part;  /* PART, once linked */
};

struct tg_template {
    struct tg_text name;             /* "sign-in" */
    const char *origin;              /* for messages: its path */
    struct tg_text source;           /* nodes point into it */
    struct tg_template_node *nodes;
    size_t count, capacity;
};

/* Fills nodes from the source; parts are not linked yet. On failure tg_failure() says origin, line and remedy. */
int tg_template_parse(struct tg_template *template);

#endif
