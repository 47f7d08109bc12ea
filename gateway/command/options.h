/*
 * options.h - what a command line may hold, as const tables; the help is printed from them
 *
 * A command is a noun and a verb, or a noun alone (its verb has no name). Options stand anywhere behind the program's name: --name VALUE,
 * --name=VALUE, -n VALUE; "--" ends them. Every command knows --config, --json and --help. One thread.
 */
#ifndef TG_COMMAND_OPTIONS_H
#define TG_COMMAND_OPTIONS_H

#include "base/text.h"

struct tg_run;

struct tg_option {
    const char *name;
    size_t offset;          /* into the verb's values: bool for a flag, const char * otherwise */
    const char *value;      /* what help calls the value; NULL: a flag */
    bool required;
    const char *help;       /* lower case, no full stop */
};

enum { TG_WORDS = 4 };
struct tg_verb {
    const char *name;       /* NULL: the noun itself is the command */
    const char *words;      /* as help shows them, "LOGIN"; NULL: none */
    size_t word_count;      /* exactly so many, but see optional_count */
    const struct tg_option *options; /* ends with a NULL name; NULL: none */
    size_t size;            /* of the values */
    int (*run)(struct tg_run *run, const void *values); /* answers with the exit status */
    const char *help;
    size_t optional_count;      /* so many of the last words may be missing; they are NULL then */
};

struct tg_noun {
    const char *name;
    const struct tg_verb *verbs; /* ends with a NULL run */
    const char *help;
    bool is_internal;       /* not for people: not in the help */
};

/* What every command has. */
struct tg_common {
    const char *config;
    bool json, help;
};

struct tg_line {
    const struct tg_noun *noun;
    const struct tg_verb *verb;      /* NULL: help was asked for */
    const char *words[TG_WORDS];     /* without noun and verb */
    struct tg_common common;
    void *values;                    /* allocated; the verb's struct */
};

/* Reads a command line. TG_LINE_WRONG: errors says what and how to go on; nothing is allocated. */
enum { TG_LINE_WRONG = 1 };
int tg_line_read(const struct tg_noun *nouns, int argc, char **argv, struct tg_line *line, struct tg_string *errors);

/* Help for all (noun NULL), for a noun, or for one of its verbs. */
void tg_help_write(struct tg_string *out, const struct tg_noun *nouns, const struct tg_noun *noun, const struct tg_verb *verb);

#define TG_CONFIG_PATH "/etc/teagate/teagate.yaml"

#endif
