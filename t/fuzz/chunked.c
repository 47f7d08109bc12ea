/* Bodies in chunks: read at once or byte by byte is the same, and what is taken is what a strict reader takes. */
#include <picohttpparser.h>
#include <stdint.h>
#include <stdlib.h>
#include "strict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    ssize_t result; /* as of phr_decode_chunked, at the end */
    size_t len;     /* of the decoded bytes */
};

static struct outcome decode(char *bytes, size_t size, size_t piece)
{
    struct phr_chunked_decoder decoder = {.consume_trailer = 1};
    struct outcome outcome = {-2, 0};

    for (size_t at = 0; at < size && outcome.result == -2;) {
        size_t len = piece < size - at ? piece : size - at, taken = len;

        memmove(bytes + outcome.len, bytes + at, len);
        outcome.result = phr_decode_chunked(&decoder, bytes + outcome.len, &taken);
        if (taken > len)
            abort();
        outcome.len += taken;
        at += len;
        if (outcome.result >= 0)
            outcome.result += (ssize_t)(size - at);
    }
    return outcome;
}

/* Extensions and trailers are allowed by the decoder, and by the strict reader are not: it is asked only when there is none. */
static bool is_plain(struct tg_text taken)
{
    return taken.len >= 5 && memcmp(taken.base + taken.len - 5, "0\r\n\r\n", 5) == 0 && memchr(taken.base, ';', taken.len) == NULL &&
           memchr(taken.base, ' ', taken.len) == NULL && memchr(taken.base, '\t', taken.len) == NULL;
}

static void check_strictly(struct tg_text taken)
{
    struct strict_message head = {.is_chunked = true, .length = UINT64_MAX};
    const char *why;

    if (is_plain(taken) && (strict_body(&taken, &head, &why) != 0 || taken.len != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *whole = malloc(size + 1), *pieces = malloc(size + 1);
    struct outcome first, second;

    memcpy(whole, data, size);
    memcpy(pieces, data, size);
    first = decode(whole, size, size);
    second = decode(pieces, size, 1);
    if (first.result != second.result || first.len > size || (first.result != -1 && first.len != second.len))
        abort();
    if (first.result != -1 && memcmp(whole, pieces, first.len) != 0)
        abort();
    if (first.result >= 0)
        check_strictly(tg_text_n((const char *)data, size - (size_t)first.result));
    free(whole);
    free(pieces);
    return 0;
}
