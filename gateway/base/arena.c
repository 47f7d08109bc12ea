/* The memory of text.h: the arena and the text that grows. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/result.h"

enum { BLOCK = 4096 - 64 };

struct tg_arena_block {
    struct tg_arena_block *before;
    size_t used, size;
    max_align_t bytes[];
};

void tg_arena_done(struct tg_arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->last != NULL) {
        struct tg_arena_block *block = arena->last;

        arena->last = block->before;
        free(block);
    }
}

/* What is large gets a block of its own behind the current one, so that the rest of that is not lost. */
static void *alloc_large(struct tg_arena *arena, size_t size)
{
    struct tg_arena_block *block = tg_alloc(sizeof(*block) + size);

    block->used = block->size = size;
    if (arena->last != NULL) {
        block->before = arena->last->before;
        arena->last->before = block;
    } else {
        arena->last = block;
    }
    return block->bytes;
}

void *tg_arena_alloc(struct tg_arena *arena, size_t size)
{
    struct tg_arena_block *block = arena->last;

    if (size > SIZE_MAX / 2)
        abort();
    size = (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    if (size > BLOCK / 4)
        return alloc_large(arena, size);
    if (block == NULL || block->size - block->used < size) {
        block = tg_alloc(sizeof(*block) + BLOCK);
        block->size = BLOCK;
        block->before = arena->last;
        arena->last = block;
    }
    void *p = (char *)block->bytes + block->used;
    block->used += size;
    return p;
}

char *tg_arena_copy(struct tg_arena *arena, struct tg_text text)
{
    char *copy = tg_arena_alloc(arena, text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.base, text.len);
    return copy;
}

struct tg_text tg_arena_text(struct tg_arena *arena, struct tg_text text)
{
    if (text.base == NULL)
        return text;
    return tg_text_n(tg_arena_copy(arena, text), text.len);
}

char *tg_arena_format(struct tg_arena *arena, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        abort();

    char *text = tg_arena_alloc(arena, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

void tg_string_done(struct tg_string *s)
{
    if (s == NULL)
        return;
    free(s->base);
    *s = (struct tg_string){NULL, 0, 0};
}

void tg_string_reserve(struct tg_string *s, size_t more)
{
    if (more > SIZE_MAX / 4 - s->len)
        abort();
    size_t need = s->len + more + 1;

    if (need <= s->capacity)
        return;
    size_t capacity = s->capacity > 0 ? s->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    s->base = tg_realloc(s->base, capacity);
    s->capacity = capacity;
}

void tg_string_add(struct tg_string *s, struct tg_text text)
{
    tg_string_reserve(s, text.len);
    if (text.len > 0)
        memcpy(s->base + s->len, text.base, text.len);
    s->len += text.len;
    s->base[s->len] = '\0';
}

void tg_string_addf(struct tg_string *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0)
        abort();

    tg_string_reserve(s, (size_t)len);
    va_start(args, format);
    vsnprintf(s->base + s->len, (size_t)len + 1, format, args);
    va_end(args);
    s->len += (size_t)len;
}
