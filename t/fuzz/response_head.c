/* The head of an upstream's answer: what is taken lies inside the input, has one framing, and no session cookie is left. */
#include <stdint.h>
#include <stdlib.h>
#include "front/response_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tg_response_head head;
    char *bytes = malloc(size + 1);
    size_t skipped;

    memcpy(bytes, data, size);
    if (tg_response_head_parse(bytes, size, 0, &skipped, &head) == 0) {
        if (skipped + head.size > size || head.status < 200 || head.status > 599 || (head.chunked && head.length != UINT64_MAX))
            abort();
        if (memchr(head.reason, '\0', (size_t)(bytes + size - head.reason)) == NULL)
            abort();
        tg_response_head_clear(&head, "i_like_gitea", "gitea_incredible");
        for (size_t i = 0; i < head.count; ++i) {
            struct tg_text name = tg_text_n(head.fields[i].name, head.fields[i].name_len);
            struct tg_text value = tg_text_n(head.fields[i].value, head.fields[i].value_len);

            if (name.base < bytes || value.base + value.len > bytes + size)
                abort();
            if (tg_text_is(name, "connection") || tg_text_is(name, "transfer-encoding") || tg_text_is(name, "content-length"))
                abort();
            if (tg_text_is(name, "set-cookie") && tg_text_starts(value, "i_like_gitea="))
                abort();
        }
    }
    free(bytes);
    return 0;
}
