/*
 * form.h - fields of a query or a form body, declared before they are used
 *
 *   static const struct tg_field fields[] = {
 *       {"client_id", offsetof(struct authorize, client_id), .limit = 64},
 *       {NULL},
 *   };
 *
 * A field is a struct tg_text at the offset: base NULL when it is absent or empty (RFC 6749 3.1). Unknown fields are ignored.
 */
#ifndef TG_HTTP_FORM_H
#define TG_HTTP_FORM_H

#include "base/text.h"

struct tg_field {
    const char *name;
    size_t offset;
    size_t limit; /* bytes after decoding; longer is TG_FORM_MALFORMED */
};

enum { TG_FORM_MALFORMED = 1 /* bad escape, too many pairs, too long */, TG_FORM_REPEATED = 2 /* a declared field twice */ };
/* Texts are decoded into the arena. *name (may be NULL) names the field at fault. */
int tg_form_read(struct tg_arena *arena, struct tg_text text, const struct tg_field *fields, void *out, const char **name);

/* Whether a content type is that of a form body, with or without parameters. */
bool tg_form_is_type(struct tg_text content_type);

#endif
