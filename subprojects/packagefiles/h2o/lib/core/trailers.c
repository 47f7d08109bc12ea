/* trailers.c - see trailers.h */
#include "h2o/trailers.h"

struct collected {
    h2o_headers_t fields; /* first */
    h2o_iovec_t line;     /* that is coming in */
    size_t capacity;
};

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* the decoder has seen to it that there is a name, a colon, and no control byte */
static void add_line(struct collected *collected, h2o_mem_pool_t *pool)
{
    char *name = collected->line.base, *end = name + collected->line.len, *colon = memchr(name, ':', collected->line.len), *value = colon + 1;
    const h2o_token_t *token;

    h2o_strtolower(name, colon - name);
    while (value != end && is_blank(*value))
        ++value;
    while (value != end && is_blank(end[-1]))
        --end;
    if ((token = h2o_lookup_token(name, colon - name)) != NULL)
        h2o_add_header(pool, &collected->fields, token, NULL, value, end - value);
    else
        h2o_add_header_by_str(pool, &collected->fields, name, colon - name, 0, NULL, value, end - value);
    collected->line = (h2o_iovec_t){NULL, 0}; /* what was added points there */
    collected->capacity = 0;
}

static void make_room(struct collected *collected, h2o_mem_pool_t *pool)
{
    char *grown;

    if (collected->line.len < collected->capacity)
        return;
    collected->capacity = collected->capacity == 0 ? 128 : collected->capacity * 2;
    grown = h2o_mem_alloc_pool(pool, collected->capacity);
    h2o_memcpy(grown, collected->line.base, collected->line.len);
    collected->line.base = grown;
}

int h2o_trailers_feed(h2o_headers_t **trailers, h2o_mem_pool_t *pool, char c)
{
    struct collected *collected = (struct collected *)*trailers;

    if (collected == NULL) {
        collected = h2o_mem_alloc_pool(pool, sizeof(*collected));
        *collected = (struct collected){{NULL}};
        *trailers = &collected->fields;
    }
    if (c == '\012') {
        if (collected->fields.size == H2O_MAX_HEADERS)
            return -1;
        add_line(collected, pool);
        return 0;
    }
    make_room(collected, pool);
    collected->line.base[collected->line.len++] = c;
    return 0;
}

static char *append(char *dst, const char *s, size_t len)
{
    memcpy(dst, s, len);
    return dst + len;
}

h2o_iovec_t h2o_trailers_flatten(const h2o_headers_t *trailers, h2o_mem_pool_t *pool)
{
    size_t i, size = 2;
    char *start, *dst;

    for (i = 0; i != trailers->size; ++i)
        size += trailers->entries[i].name->len + trailers->entries[i].value.len + 4;
    dst = start = h2o_mem_alloc_pool(pool, size);
    for (i = 0; i != trailers->size; ++i) {
        dst = append(dst, trailers->entries[i].name->base, trailers->entries[i].name->len);
        dst = append(dst, ": ", 2);
        dst = append(dst, trailers->entries[i].value.base, trailers->entries[i].value.len);
        dst = append(dst, "\r\n", 2);
    }
    append(dst, "\r\n", 2);
    return h2o_iovec_init(start, size);
}
