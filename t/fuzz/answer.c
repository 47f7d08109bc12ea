/* What an upstream answers, through the whole front: the client gets one answer for each request, and nothing of one in another. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "strict.h"
#include "whole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HTTP2 = 1, CLOSES = 2, HEAD = 4, PASSES = 8, SHUTS = 16 };

/* How libh2o tells that a body in chunks is broken off, before it closes. */
#define BROKEN_OFF "\r\n1\r\n"

static const char get_twice[] = "GET /a/b HTTP/1.1\r\nHost: h\r\n\r\nGET /a/c HTTP/1.1\r\nHost: h\r\n\r\n";
static const char head_then_get[] = "HEAD /a/b HTTP/1.1\r\nHost: h\r\n\r\nGET /a/c HTTP/1.1\r\nHost: h\r\n\r\n";
/* GET (2), https (7), :path without indexing (4), :authority (1): streams 1 and 3 */
static const char twice_http2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                                  "\0\0\x0b\1\5\0\0\0\1\x82\x87\x04\4/a/b\x01\1h"
                                  "\0\0\x0b\1\5\0\0\0\3\x82\x87\x04\4/a/c\x01\1h";

static void __attribute__((noreturn)) die(const char *what, struct tg_text bytes)
{
    fprintf(stderr, "the client was told %s:\n%.*s\n", what, TG_TEXT_ARGS(bytes));
    abort();
}

static bool is_interim(const struct strict_message *head)
{
    return tg_text_starts(head->first, "HTTP/1.1 1");
}

static bool has_body(const struct strict_message *head)
{
    return !tg_text_starts(head->first, "HTTP/1.1 204") && !tg_text_starts(head->first, "HTTP/1.1 304");
}

/* A final answer, cut off *rest. False: the connection ended in it, or with it. */
static bool take_answer(struct tg_text *rest, bool bodiless, struct strict_message *head, struct tg_text *body)
{
    const char *why = "";
    int answer;

    do {
        answer = strict_head(rest, head, &why);
        if (answer == 0 && !tg_text_starts(head->first, "HTTP/1.1 "))
            die("no status", *rest);
    } while (answer == 0 && is_interim(head));
    body->base = rest->base;
    if (answer == 0 && !bodiless && has_body(head)) {
        if (head->length == UINT64_MAX && !head->is_chunked)
            return false;
        answer = strict_body(rest, head, &why);
    }
    if (answer == STRICT_BROKEN)
        die(why, *rest);
    body->len = (size_t)(rest->base - body->base);
    return answer == 0;
}

static void check_answers(struct tg_text all, bool is_head)
{
    struct tg_text rest = all, body;
    struct strict_message head;

    if (tg_text_ends(rest, BROKEN_OFF))
        rest.len -= sizeof(BROKEN_OFF) - 1;
    if (all.len == 0)
        return; /* the upstream has not come to the end of its head */
    if (!take_answer(&rest, is_head, &head, &body) || rest.len == 0)
        return;
    if (!take_answer(&rest, false, &head, &body))
        return;
    if (!tg_text_starts(head.first, "HTTP/1.1 5") && memmem(body.base, body.len, WHOLE_BODY, sizeof(WHOLE_BODY) - 1) == NULL &&
        memmem(body.base, body.len, "wh\r\n3\r\nole", 10) == NULL)
        die("an answer of somebody else", all);
    if (rest.len != 0)
        die("more than it asked for", all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct whole_case input = {0};
    struct whole_seen seen = {0};

    if (size < 1)
        return 0;
    input.is_http2 = (data[0] & HTTP2) != 0;
    input.closes = (data[0] & CLOSES) != 0;
    input.passes = (data[0] & PASSES) != 0;
    input.shuts = (data[0] & SHUTS) != 0;
    input.answer = tg_text_n((const char *)data + 1, size - 1);
    if (input.is_http2)
        input.client = tg_text_n(twice_http2, sizeof(twice_http2) - 1);
    else
        input.client = (data[0] & HEAD) != 0 ? tg_text(head_then_get) : tg_text(get_twice);
    whole_run(&input, &seen);
    if (!input.is_http2)
        check_answers(tg_string_text(&seen.client), (data[0] & HEAD) != 0);
    tg_string_done(&seen.client);
    return 0;
}
