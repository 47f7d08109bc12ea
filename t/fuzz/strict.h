/*
 * strict.h - requests and responses of HTTP/1.1, read by the letter of RFC 9112, for fuzz targets that judge what the front has written
 */
#ifndef FUZZ_STRICT_H
#define FUZZ_STRICT_H

#include "base/text.h"

enum { STRICT_FIELDS = 256 };

struct strict_message {
    struct tg_text first;   /* the line: of a request, or of a status */
    size_t count;
    struct {
        struct tg_text name, value;
    } fields[STRICT_FIELDS];
    bool is_chunked;
    uint64_t length;        /* UINT64_MAX: none given */
};

/* A head at the start of *rest, which is cut off. MORE: not complete. BROKEN: any liberty taken; *why says which. */
enum { STRICT_MORE = 1, STRICT_BROKEN = 2 };
int strict_head(struct tg_text *rest, struct strict_message *out, const char **why);

/* The body by its framing, cut off *rest; without one when neither length nor coding is given. BROKEN, too: a trailer that must not stand
   behind a body. */
int strict_body(struct tg_text *rest, const struct strict_message *head, const char **why);

/* How many fields have this name, in any case; the last one's value. */
size_t strict_count(const struct strict_message *message, const char *name, struct tg_text *value);

#endif
