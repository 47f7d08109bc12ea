/*
 * conf.h - configuration keys as data
 *
 * A section of the configuration file is a C struct and a const table of its keys. The same table reads the file, checks it,
 * prints the commented example and the reference. All errors are collected, none stops the reading:
 *
 *   teagate.yaml:12: oidc.code-ttl: "5" is not a time from 10s to 10m, as in 90, 15m or 2h (how long a code may wait)
 *   teagate.yaml:14: oidc.code-tll: no such key; did you mean oidc.code-ttl?
 *
 * Used at start-up by one thread. Values live as long as the struct tg_conf_file.
 */
#ifndef TG_BASE_CONF_H
#define TG_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/network.h"
#include "base/text.h"

enum tg_key_type {
    TG_STRING_KEY, /* const char *; a line of text */
    TG_PATH,       /* const char *; absolute, or relative to the configuration file's directory (made absolute) */
    TG_FLAG,       /* bool; yes/no, true/false, on/off */
    TG_NUMBER,     /* int64_t, min..max */
    TG_SECONDS,    /* int64_t seconds, min..max; 90, 15m, 2h, 14d */
    TG_BYTES,      /* int64_t, min..max; 4096, 64k, 16m, 2g (powers of 1024) */
    TG_CHOICE,     /* int; index into .choices */
    TG_URL,        /* const char *; http(s)://host[:port][/path], no query, fragment, user or trailing slash */
    TG_HOST,       /* const char *; host name with optional port, lower-cased */
    TG_ADDRESS,    /* struct tg_address; IP:PORT, :PORT (all addresses), [IP6]:PORT or unix:/path */
    TG_NETWORK,    /* struct tg_network; 192.0.2.0/24, 2001:db8::/32 or one address */
    TG_ZONE,       /* const char *; IANA time zone */
    TG_LIST,       /* struct tg_conf_list of .item_type; a scalar counts as a list of one */
    TG_SECTION,    /* a struct at .offset with .keys */
    TG_SECTIONS,   /* struct tg_conf_list of structs of .item_size with .keys */
};

struct tg_address {
    const char *text;   /* as written; NULL when not given */
    const char *host;   /* NULL: all addresses, or a unix socket */
    const char *path;   /* of a unix socket; else NULL */
    uint16_t port;
};

struct tg_conf_list {
    void *items; /* an array of what .item_type says (const char *, struct tg_address, struct tg_network, int64_t) or of section structs */
    size_t count;
};

struct tg_key {
    const char *name;
    enum tg_key_type type;
    size_t offset;
    const char *initial;            /* as it would be written, a list in brackets; NULL: no default (zero, NULL, no items) */
    int64_t unset;                  /* TG_NUMBER, TG_SECONDS, TG_BYTES without a default: what stands there when it is not given */
    int64_t min, max;               /* TG_NUMBER, TG_SECONDS, TG_BYTES; both 0: no limit but being above 0;
                                       max below min, or INT64_MAX: no upper limit */
    const char *const *choices;     /* TG_CHOICE; NULL-terminated */
    enum tg_key_type item_type;     /* TG_LIST */
    size_t item_size;               /* TG_SECTIONS */
    bool is_short;                  /* TG_SECTIONS: an item that is one value is a section with nothing but its first key, and a single
                                       one needs no list, as in a TG_LIST */
    const struct tg_key *keys;      /* TG_SECTION, TG_SECTIONS; ends with a NULL name */
    bool required;                  /* TG_LIST, TG_SECTIONS: at least one item. Not for a TG_SECTION: its keys say it, and theirs
                                       are wanted even when the whole section is absent */
    const char *example;            /* printed in the commented example when there is no default; of a short TG_SECTIONS, in the
                                       place of its sections */
    const char *help;               /* one sentence without a full stop, lower case: "how long a code may wait to be redeemed" */
};

/* Everything that was found wrong, one line each, "FILE:LINE: KEY: what and the remedy\n"; len 0: nothing. */
struct tg_conf_file {
    struct tg_arena arena;      /* owns all values */
    struct tg_string errors;
    struct tg_string warnings;
    const char *path;           /* as given; used in messages */
    const char *directory;      /* absolute; relative paths start here */
    struct tg_conf_lines *lines; /* where each key stood: tg_conf_error_at */
};

/* Reads text (UTF-8 YAML 1.1, at most 1 MiB, depth 8, no anchors, aliases or tags) into the struct at values, defaults first.
   Never fails: look at errors. */
void tg_conf_read(struct tg_conf_file *file, const char *path, struct tg_text text, const struct tg_key *keys, void *values);
void tg_conf_done(struct tg_conf_file *file);

/* For checks that look at more than one key: adds a line at the place where the field was set (or where its section stands),
   with its path before the text: "teagate.yaml:12: oidc.issuer: TEXT". field: address of the value inside the struct. */
void tg_conf_error_at(struct tg_conf_file *file, const void *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void tg_conf_warn_at(struct tg_conf_file *file, const void *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The commented example (YAML) and the reference (Markdown) of a table. */
void tg_conf_print_example(struct tg_string *out, const struct tg_key *keys);
void tg_conf_print_reference(struct tg_string *out, const struct tg_key *keys);

#endif
