/* Cookies: pairs lie inside the field and in order, and a name that is there once under its plain spelling is found by every reader. */
#include <stdint.h>
#include <stdlib.h>
#include "http/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char wanted[] = "i_like_gitea";

static bool lies_in(struct tg_text inner, struct tg_text outer)
{
    return inner.base >= outer.base && inner.base + inner.len <= outer.base + outer.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_text field = tg_text_n((const char *)data, size), rest = field, name, value;
    const char *last = field.base;
    size_t plain = 0;

    while (tg_cookie_next(&rest, &name, &value)) {
        if (!lies_in(name, field) || !lies_in(value, field) || name.base < last)
            abort();
        last = name.base + name.len;
        if (tg_text_is(name, wanted)) {
            plain++;
            if (!tg_cookie_name_is(name, wanted))
                abort();
        }
    }
    if ((tg_cookie_only(field, wanted).base != NULL) != (plain == 1))
        abort();
    return 0;
}
