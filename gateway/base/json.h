/*
 * json.h - JSON from outside, read into typed values with limits
 *
 * Documents are made with plain jansson (json_pack); this is for reading what others made. Any thread.
 */
#ifndef TG_BASE_JSON_H
#define TG_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/text.h"

enum { TG_JSON_MALFORMED = 1 };
/* Parses a whole document whose top is an object or an array; a name given twice is malformed, and so is nesting deeper than
   TG_JSON_DEPTH. *out is a new reference. The size is limited by whoever received the text. */
enum { TG_JSON_DEPTH = 32 };
int tg_json_parse(struct tg_text text, json_t **out);

/* Members of an object. TG_JSON_ABSENT: no such member, or null (*out is as it was). TG_JSON_WRONG: another type, beyond the limits,
   or `object` is none. Texts are copied into the arena, terminated, and hold no NUL. */
enum { TG_JSON_ABSENT = 1, TG_JSON_WRONG = 2 };
int tg_json_text(const json_t *object, const char *name, size_t limit, struct tg_arena *arena, struct tg_text *out);
int tg_json_int(const json_t *object, const char *name, int64_t *out);
int tg_json_flag(const json_t *object, const char *name, bool *out);
/* Borrowed references; limit is of members. */
int tg_json_object(const json_t *object, const char *name, const json_t **out);
int tg_json_array(const json_t *object, const char *name, size_t limit, const json_t **out);

/* Appends the value in its compact form, members in the order they were set. */
void tg_json_add(struct tg_string *out, const json_t *value);

/* Closes the reference at the end of the scope. */
static inline void tg_json_cleanup_(json_t **json)
{
    json_decref(*json);
}
#define TG_JSON __attribute__((cleanup(tg_json_cleanup_))) json_t

#endif
