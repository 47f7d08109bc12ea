/* HTTP/1 through the whole front, in pieces as the first byte says: the upstream sees requests of ours only, the client whole answers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "strict.h"
#include "whole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIECE = 15, PASSES = 16, SHUTS = 32 };

static void __attribute__((noreturn)) die(const char *what, struct tg_text bytes)
{
    fprintf(stderr, "the client was told %s:\n%.*s\n", what, TG_TEXT_ARGS(bytes));
    abort();
}

static bool has_body(const struct strict_message *head)
{
    return !tg_text_starts(head->first, "HTTP/1.1 1") && !tg_text_starts(head->first, "HTTP/1.1 204") && !tg_text_starts(head->first, "HTTP/1.1 304");
}

/* One answer after the other; the last may be cut off, or end with the connection. */
static void check_answers(struct tg_text rest)
{
    while (rest.len != 0) {
        struct strict_message head;
        const char *why = "";
        int answer = strict_head(&rest, &head, &why);

        if (answer == 0 && !tg_text_starts(head.first, "HTTP/1.1 "))
            die("no status", rest);
        if (answer == 0 && has_body(&head) && head.length == UINT64_MAX && !head.is_chunked)
            return;
        if (answer == 0 && has_body(&head))
            answer = strict_body(&rest, &head, &why);
        if (answer == STRICT_BROKEN)
            die(why, rest);
        if (answer == STRICT_MORE)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_text client = tg_text_n((const char *)data + 1, size - 1);
    struct whole_case input = {.client = client};
    struct whole_seen seen = {0};

    if (size < 2)
        return 0;
    input.piece = data[0] & PIECE;
    input.passes = (data[0] & PASSES) != 0;
    input.shuts = (data[0] & SHUTS) != 0;
    whole_run(&input, &seen);
    if (memmem(client.base, client.len, "HEAD", 4) == NULL) /* whose answers have a length and no body */
        check_answers(tg_string_text(&seen.client));
    tg_string_done(&seen.client);
    return 0;
}
