/*
 * text.h - a span of bytes, an arena, and a text that grows
 *
 * A tg_text points at bytes somebody else owns; it is not terminated unless a function here says so. Any thread; no locking.
 */
#ifndef TG_BASE_TEXT_H
#define TG_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tg_text {
    const char *base; /* NULL is "absent"; empty but present has a base */
    size_t len;
};

#define TG_TEXT(literal) ((struct tg_text){(literal), sizeof(literal) - 1})
#define TG_TEXT_ARGS(t) (int)(t).len, (t).base != NULL ? (t).base : "" /* for "%.*s" */

static inline struct tg_text tg_text(const char *s)
{
    return (struct tg_text){s, s != NULL ? strlen(s) : 0};
}

static inline struct tg_text tg_text_n(const char *base, size_t len)
{
    return (struct tg_text){base, len};
}

/* Comparisons byte for byte. Here, so that the length of a literal is known when it is compiled: a request asks some hundred times. */
static inline bool tg_text_same(struct tg_text a, struct tg_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.base, b.base, b.len) == 0);
}

static inline bool tg_text_is(struct tg_text a, const char *b)
{
    return tg_text_same(a, tg_text(b));
}

static inline bool tg_text_starts(struct tg_text a, const char *prefix)
{
    return a.len >= strlen(prefix) && (strlen(prefix) == 0 || memcmp(a.base, prefix, strlen(prefix)) == 0);
}

static inline bool tg_text_ends(struct tg_text a, const char *suffix)
{
    size_t len = strlen(suffix);

    return a.len >= len && (len == 0 || memcmp(a.base + a.len - len, suffix, len) == 0);
}

bool tg_text_is_nocase(struct tg_text a, const char *b);     /* ASCII case does not count */
void tg_text_lower(char *bytes, size_t len);                 /* ASCII, in place */
struct tg_text tg_text_trim(struct tg_text a);               /* without SP and HTAB at both ends */
/* Cuts at the first separator: returns what is before it, leaves what is behind it in *rest (base NULL when there was none). */
struct tg_text tg_text_cut(struct tg_text *rest, char separator);
/* A decimal number without sign, white space or leading "+"; false when it is none or does not fit. */
bool tg_text_number(struct tg_text a, uint64_t *out);

/*
 * Memory that is given back at once: what a call or a command allocates while it runs. Never fails. Not shared between threads
 * without a hand-over.
 */
struct tg_arena {
    struct tg_arena_block *last;
};

void tg_arena_done(struct tg_arena *arena);                  /* frees everything; the arena is as new */
void *tg_arena_alloc(struct tg_arena *arena, size_t size);   /* zeroed, aligned for anything */
char *tg_arena_copy(struct tg_arena *arena, struct tg_text text);  /* terminated */
struct tg_text tg_arena_text(struct tg_arena *arena, struct tg_text text); /* a copy, also terminated; absent stays absent */
char *tg_arena_format(struct tg_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A text that grows. Always terminated behind len. */
struct tg_string {
    char *base;
    size_t len, capacity;
};

void tg_string_done(struct tg_string *s);
void tg_string_add(struct tg_string *s, struct tg_text text);
void tg_string_reserve(struct tg_string *s, size_t more); /* room for that many bytes and the terminator */
void tg_string_addf(struct tg_string *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline struct tg_text tg_string_text(const struct tg_string *s)
{
    return (struct tg_text){s->base != NULL ? s->base : "", s->len};
}

#define TG_STRING __attribute__((cleanup(tg_string_done))) struct tg_string

/* Percent-encoding (RFC 3986 2.1) and form encoding (application/x-www-form-urlencoded, where "+" is a space). */
void tg_url_encode(struct tg_string *out, struct tg_text text); /* everything but unreserved characters */
/* The value of a hexadecimal digit; -1: it is none. */
int tg_hex_value(char c);
enum { TG_URL_MALFORMED = 1 };
/* Decodes into the arena. TG_URL_MALFORMED: a "%" without two hexadecimal digits, or a NUL. */
int tg_url_decode(struct tg_arena *arena, struct tg_text text, bool form, struct tg_text *out);

/* Text for an HTML text node or a quoted attribute. */
void tg_html_escape(struct tg_string *out, struct tg_text text);

#endif
