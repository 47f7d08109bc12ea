/*
 * markup.h - whether a page is well enough formed to be shown
 */
#ifndef TG_UNIT_MARKUP_H
#define TG_UNIT_MARKUP_H

#include <stdio.h>
#include <string.h>
#include "base/text.h"

enum { MARKUP_DEPTH = 64 };

static bool markup_is_void(struct tg_text tag)
{
    static const char *const voids[] = {"meta", "link", "input", "br", "hr", "img", "!doctype"};

    for (size_t i = 0; i < sizeof(voids) / sizeof(voids[0]); i++) {
        if (tg_text_is(tag, voids[i]))
            return true;
    }
    return false;
}

/* The first fault, or NULL: an element that is not closed where it should be, or an attribute without its second quote. */
static const char *markup_fault(const char *html)
{
    static char fault[128];
    struct tg_text open[MARKUP_DEPTH];
    size_t depth = 0;

    while ((html = strchr(html, '<')) != NULL) {
        const char *end = ++html, *name = html;
        bool quoted = false;

        for (; *end != '\0' && (quoted || *end != '>'); end++)
            quoted ^= *end == '"';
        if (*end == '\0')
            return "a tag is not closed";
        name += *html == '/';
        struct tg_text tag = tg_text_n(name, strcspn(name, " >\n"));
        if (*html != '/' && !markup_is_void(tag)) {
            if (depth == MARKUP_DEPTH)
                return "too deep";
            open[depth++] = tag;
        } else if (*html == '/' && (depth == 0 || !tg_text_same(open[--depth], tag))) {
            snprintf(fault, sizeof(fault), "</%.*s> closes another element", TG_TEXT_ARGS(tag));
            return fault;
        }
        html = end;
    }
    return depth == 0 ? NULL : "an element is not closed";
}

static size_t markup_count(const char *html, const char *what)
{
    size_t count = 0;

    for (; (html = strstr(html, what)) != NULL; html++)
        count++;
    return count;
}

#endif
