/*
 * conf_parts.h - what the files conf_*.c share; nobody else includes it
 *
 * conf_tree.c turns YAML into nodes, conf_value.c a scalar into a value, conf_read.c walks nodes along the tables, conf_print.c
 * prints tables, conf_nearest.c finds what was meant.
 */
#ifndef TG_BASE_CONF_PARTS_H
#define TG_BASE_CONF_PARTS_H

#include "base/conf.h"

struct tg_conf_node {
    enum {
        TG_NODE_SCALAR,
        TG_NODE_EMPTY, /* nothing behind the colon, or ~ or null */
        TG_NODE_MAP,
        TG_NODE_SEQUENCE,
        TG_NODE_BROKEN, /* already reported */
    } kind;
    int line;
    struct tg_text text;        /* of a scalar */
    struct tg_text key;         /* when it is a member of a map */
    struct tg_conf_node *first; /* child */
    struct tg_conf_node *next;  /* sibling */
};

/* NULL when the text cannot be read as a whole: then exactly that was reported. An empty text is an empty map. */
struct tg_conf_node *tg_conf_parse(struct tg_conf_file *file, struct tg_text text);

/* Adds "FILE:LINE: PATH: ..." to the errors; path NULL or line 0 are left out. */
void tg_conf_report(struct tg_conf_file *file, int line, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A value as it can stand in a message: quoted, short, without control bytes. */
const char *tg_conf_quote(struct tg_arena *arena, struct tg_text value);

/* Reads one value of a type without parts into the field. False: it is none; *why (may stay NULL) says what is the matter. */
bool tg_conf_value(struct tg_conf_file *file, const struct tg_key *key, struct tg_text text, void *field, const char **why);
size_t tg_conf_value_size(enum tg_key_type type);

/* "a time from 10s to 10m, as in 90, 15m or 2h" */
const char *tg_conf_expected(struct tg_arena *arena, const struct tg_key *key);
/* "10s to 10m", "at least 5", "a, b or c"; "" when there are none. */
const char *tg_conf_limits(struct tg_arena *arena, const struct tg_key *key);
/* The key of a list's items. */
struct tg_key tg_conf_item_key(const struct tg_key *list);

/* Of `names`, the one that was probably meant; NULL when none is near. */
struct tg_nearest {
    struct tg_text wanted;
    const char *name;
    size_t distance;
};
void tg_nearest_try(struct tg_nearest *nearest, const char *name);

#endif
