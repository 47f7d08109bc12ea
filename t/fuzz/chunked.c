/* Bodies in chunks, and trailers: read at once or byte by byte is the same, and what is taken is what a strict reader takes. */
#include <h2o.h>
#include <h2o/strict.h>
#include <h2o/trailers.h>
#include <picohttpparser.h>
#include <stdint.h>
#include <stdlib.h>
#include "strict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    ssize_t result;            /* as of phr_decode_chunked, at the end */
    size_t len;                /* of the decoded bytes */
    struct tg_text trailers;   /* as they would be sent on */
};

struct reader {
    struct phr_chunked_decoder decoder;
    h2o_headers_t *trailers;
    h2o_mem_pool_t *pool;
};

static int on_trailer(struct phr_chunked_decoder *decoder, char c)
{
    struct reader *reader = H2O_STRUCT_FROM_MEMBER(struct reader, decoder, decoder);

    return h2o_trailers_feed(&reader->trailers, reader->pool, c);
}

static struct outcome decode(char *bytes, size_t size, size_t piece, h2o_mem_pool_t *pool)
{
    struct reader reader = {.decoder = {.consume_trailer = 1, .on_trailer = on_trailer}, .pool = pool};
    struct outcome outcome = {.result = -2};
    h2o_iovec_t sent;

    for (size_t at = 0; at < size && outcome.result == -2;) {
        size_t len = piece < size - at ? piece : size - at, taken = len;

        memmove(bytes + outcome.len, bytes + at, len);
        outcome.result = phr_decode_chunked(&reader.decoder, bytes + outcome.len, &taken);
        if (taken > len)
            abort();
        outcome.len += taken;
        at += len;
        if (outcome.result >= 0)
            outcome.result += (ssize_t)(size - at);
    }
    if (outcome.result >= 0 && reader.trailers != NULL) {
        sent = h2o_trailers_flatten(reader.trailers, pool);
        outcome.trailers = tg_text_n(sent.base, sent.len);
    }
    return outcome;
}

/* What is sent on is a section of fields, each of which stays a field: nothing in it ends a line or begins another one. */
static void check_trailers(struct tg_text rest)
{
    for (size_t count = 0;; ++count) {
        const char *end = memmem(rest.base, rest.len, "\r\n", 2);
        struct tg_text line = tg_text_n(rest.base, end != NULL ? (size_t)(end - rest.base) : 0), value = line;
        struct tg_text name = tg_text_cut(&value, ':');

        if (end == NULL || count > H2O_MAX_HEADERS)
            abort();
        rest = tg_text_n(end + 2, rest.len - line.len - 2);
        if (line.len == 0)
            break;
        if (!h2o_strict_is_token(name.base, name.len) || value.len == 0 || value.base[0] != ' ')
            abort();
        for (size_t i = 0; i < line.len; ++i)
            if ((unsigned char)line.base[i] == 0x7f || ((unsigned char)line.base[i] < ' ' && line.base[i] != '\t'))
                abort();
        for (size_t i = 0; i < name.len; ++i)
            if (name.base[i] >= 'A' && name.base[i] <= 'Z')
                abort();
    }
    if (rest.len != 0)
        abort();
}

/* Extensions and trailers are allowed by the decoder, and by the strict reader are not: it is asked only when there is none. */
static bool is_plain(struct tg_text taken)
{
    return taken.len >= 5 && memcmp(taken.base + taken.len - 5, "0\r\n\r\n", 5) == 0 && memchr(taken.base, ';', taken.len) == NULL &&
           memchr(taken.base, ' ', taken.len) == NULL && memchr(taken.base, ':', taken.len) == NULL &&
           memchr(taken.base, '\t', taken.len) == NULL;
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
    h2o_mem_pool_t pool;

    h2o_mem_init_pool(&pool);
    memcpy(whole, data, size);
    memcpy(pieces, data, size);
    first = decode(whole, size, size, &pool);
    second = decode(pieces, size, 1, &pool);
    if (first.result != second.result || first.len > size || (first.result != -1 && first.len != second.len))
        abort();
    if (first.result != -1 && memcmp(whole, pieces, first.len) != 0)
        abort();
    if (!tg_text_same(first.trailers, second.trailers))
        abort();
    if (first.trailers.len != 0)
        check_trailers(first.trailers);
    if (first.result >= 0)
        check_strictly(tg_text_n((const char *)data, size - (size_t)first.result));
    free(whole);
    free(pieces);
    h2o_mem_clear_pool(&pool);
    return 0;
}
