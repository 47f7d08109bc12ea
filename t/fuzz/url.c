/* Percent-encoding: what decodes has no NUL, and encodes and decodes to itself. */
#include <stdint.h>
#include <stdlib.h>
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct tg_text input, bool form)
{
    struct tg_arena arena = {NULL};
    TG_STRING encoded = {NULL, 0, 0};
    struct tg_text once, twice;

    if (tg_url_decode(&arena, input, form, &once) == 0) {
        tg_url_encode(&encoded, once);
        if (memchr(once.base, '\0', once.len) != NULL || once.len > input.len)
            abort();
        if (tg_url_decode(&arena, tg_string_text(&encoded), form, &twice) != 0 || !tg_text_same(once, twice))
            abort();
    }
    tg_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_text input = tg_text_n((const char *)data, size);
    TG_STRING html = {NULL, 0, 0};

    decode(input, false);
    decode(input, true);
    tg_html_escape(&html, input);
    if (size > 0 && strpbrk(html.base, "<>\"'") != NULL)
        abort();
    return 0;
}
