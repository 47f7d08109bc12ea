/*
 * cookie.h - reading and writing cookies (RFC 6265)
 */
#ifndef TG_HTTP_COOKIE_H
#define TG_HTTP_COOKIE_H

#include "base/text.h"

/* Goes through a Cookie field value pair by pair: false at the end. The value is as sent, also with its quotes. */
bool tg_cookie_next(struct tg_text *rest, struct tg_text *name, struct tg_text *value);

/* The only value of this exact name; base NULL when there is none, or more than one. */
struct tg_text tg_cookie_only(struct tg_text header, const char *name);

/* Whether a cookie name is `name` in any spelling a server might read as such: percent-encoded, quoted, with white space. */
bool tg_cookie_name_is(struct tg_text name, const char *wanted);

/* "NAME=VALUE; Path=/; Secure; HttpOnly; SameSite=Lax" for a __Host- cookie; max_age_s < 0: a session cookie, 0: deletes it. */
char *tg_cookie_line(struct tg_arena *arena, const char *name, struct tg_text value, int64_t max_age_s);

#endif
