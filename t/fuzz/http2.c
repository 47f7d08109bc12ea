/* HTTP/2 through the whole front: the input is a list of frames whose lengths are right, or, if its first byte says so, raw bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "whole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A frame of the input: type, flags, stream, length (two bytes), payload. The low bits of the first byte of all say how it is sent. */
enum { RECORD = 5, RAW = 16, NO_SETTINGS = 32, PASSES = 64, SHUTS = 128, FRAME_MAX = 16384 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static const char settings[] = "\0\0\0\4\0\0\0\0\0";

static void add_frame(struct tg_string *out, const uint8_t *record, const uint8_t *payload, size_t len)
{
    char head[9] = {(char)(len >> 16), (char)(len >> 8), (char)len, (char)record[0], (char)record[1], 0, 0, 0, (char)record[2]};

    tg_string_add(out, tg_text_n(head, sizeof(head)));
    tg_string_add(out, tg_text_n((const char *)payload, len));
}

static void add_frames(struct tg_string *out, const uint8_t *data, size_t size)
{
    while (size >= RECORD) {
        size_t len = (size_t)data[3] << 8 | data[4], left = size - RECORD;

        if (len > left)
            len = left;
        if (len > FRAME_MAX)
            len = FRAME_MAX;
        add_frame(out, data, data + RECORD, len);
        data += RECORD + len;
        size -= RECORD + len;
    }
}

/* What the server says is frames, each of a known type and no larger than allowed. */
static void check_frames(struct tg_text said)
{
    while (said.len >= 9) {
        const uint8_t *head = (const uint8_t *)said.base;
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];

        if (len > FRAME_MAX || head[3] > 9 || head[3] == 5 || (head[5] & 0x80) != 0)
            abort();
        if (len + 9 > said.len)
            return;
        said = tg_text_n(said.base + 9 + len, said.len - 9 - len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TG_STRING bytes = {NULL};
    struct whole_case input = {.is_http2 = true};
    struct whole_seen seen = {0};

    if (size < 1)
        return 0;
    tg_string_add(&bytes, tg_text_n(preface, sizeof(preface) - 1));
    if ((data[0] & NO_SETTINGS) == 0)
        tg_string_add(&bytes, tg_text_n(settings, sizeof(settings) - 1));
    if ((data[0] & RAW) != 0)
        tg_string_add(&bytes, tg_text_n((const char *)data + 1, size - 1));
    else
        add_frames(&bytes, data + 1, size - 1);
    input.client = tg_string_text(&bytes);
    input.piece = (data[0] & 15) * 7;
    input.passes = (data[0] & PASSES) != 0;
    input.shuts = (data[0] & SHUTS) != 0;
    whole_run(&input, &seen);
    check_frames(tg_string_text(&seen.client));
    tg_string_done(&seen.client);
    return 0;
}
