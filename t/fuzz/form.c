/* Forms: whatever the answer, fields are decoded, within their limits, never NUL, and absent rather than empty. */
#include <stdint.h>
#include <stdlib.h>
#include "http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sample {
    struct tg_text client_id, redirect_uri, state;
};

static const struct tg_field fields[] = {
    {"client_id", offsetof(struct sample, client_id), .limit = 16},
    {"redirect_uri", offsetof(struct sample, redirect_uri), .limit = 64},
    {"state", offsetof(struct sample, state), .limit = 32},
    {NULL},
};

static void check(struct tg_text field, size_t limit)
{
    if (field.base == NULL)
        return;
    if (field.len == 0 || field.len > limit || field.base[field.len] != '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_arena arena = {NULL};
    struct sample out;
    const char *fault = NULL;
    int answer = tg_form_read(&arena, tg_text_n((const char *)data, size), fields, &out, &fault);

    if (answer < 0 || answer > TG_FORM_REPEATED || (answer == TG_FORM_REPEATED && fault == NULL))
        abort();
    if (answer == 0) {
        check(out.client_id, 16);
        check(out.redirect_uri, 64);
        check(out.state, 32);
    }
    tg_arena_done(&arena);
    return 0;
}
