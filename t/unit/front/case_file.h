/*
 * case_file.h - a text file of inputs and answers, one a line
 */
#ifndef TG_UNIT_FRONT_CASE_FILE_H
#define TG_UNIT_FRONT_CASE_FILE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "base/result.h"
#include "base/text.h"

/* \xNN becomes its byte. */
static inline struct tg_text case_bytes(struct tg_arena *arena, struct tg_text text)
{
    char *out = tg_arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; ++i) {
        unsigned byte;

        if (text.base[i] == '\\' && text.len - i >= 4 && sscanf(text.base + i, "\\x%2x", &byte) == 1) {
            out[len++] = (char)byte;
            i += 3;
        } else {
            out[len++] = text.base[i];
        }
    }
    return tg_text_n(out, len);
}

/* Calls check for each line that is none of "#"; it answers whether the line holds. Prints the lines that do not; counts both. */
static inline size_t case_file_run(const char *variable, bool (*check)(struct tg_arena *arena, struct tg_text line), size_t *wrong)
{
    TG_STRING text = {NULL};
    size_t cases = 0;

    *wrong = 0;
    if (getenv(variable) == NULL || tg_file_read(getenv(variable), 1 << 20, &text) != 0)
        return 0;
    for (struct tg_text rest = tg_string_text(&text); rest.base != NULL;) {
        struct tg_text line = tg_text_cut(&rest, '\n');
        struct tg_arena arena = {NULL};

        if (line.len == 0 || line.base[0] == '#')
            continue;
        ++cases;
        if (!check(&arena, line)) {
            printf("# %.*s\n", TG_TEXT_ARGS(line));
            ++*wrong;
        }
        tg_arena_done(&arena);
    }
    return cases;
}

/* Cuts "INPUT -> ANSWER". */
static inline struct tg_text case_input(struct tg_text *line)
{
    const char *arrow = memmem(line->base, line->len, " ->", 3);
    struct tg_text input = tg_text_n(line->base, (size_t)(arrow - line->base));

    *line = tg_text_trim(tg_text_n(arrow + 3, line->len - input.len - 3));
    return input;
}

#endif
