/* field_name.h - names of header fields, compared as the most lenient reader behind us would */
#ifndef TG_FRONT_FIELD_NAME_H
#define TG_FRONT_FIELD_NAME_H

#include "base/text.h"

/* pattern is in lower case; with a "*" at its end it is a beginning. Servers behind CGI-like borders read "_" as "-". */
static inline bool tg_field_is(struct tg_text name, const char *pattern)
{
    for (size_t i = 0;; ++i) {
        char c = i < name.len ? name.base[i] : '\0';

        if (pattern[i] == '*')
            return true;
        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if ((c == '_' ? '-' : c) != pattern[i])
            return false;
        if (i == name.len)
            return true;
    }
}

#endif
