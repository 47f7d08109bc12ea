/* The head that goes upstream: lines of the input are headers; it ends once, our headers are there once, and no secret cookie is. */
#include <stdint.h>
#include <stdlib.h>
#include "front/request_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 64 };

static size_t occurs(struct tg_text text, const char *what)
{
    size_t count = 0, len = strlen(what);

    for (size_t i = 0; i + len <= text.len; ++i)
        count += strncasecmp(text.base + i, what, len) == 0;
    return count;
}

/* As libh2o hands them over: names in lower case, known ones as tokens, no line ends in either part. */
static size_t read_fields(struct tg_text input, h2o_iovec_t *names, h2o_header_t *headers)
{
    size_t count = 0;

    while (input.base != NULL && count < FIELDS) {
        struct tg_text value = tg_text_cut(&input, '\n'), name = tg_text_cut(&value, ':');
        const h2o_token_t *token;

        if (name.len == 0 || value.base == NULL || memchr(name.base, '\r', name.len) != NULL || memchr(value.base, '\r', value.len) != NULL ||
            memchr(name.base, '\0', name.len) != NULL || memchr(value.base, '\0', value.len) != NULL)
            continue;
        value = tg_text_trim(value);
        token = h2o_lookup_token(name.base, name.len);
        names[count] = h2o_iovec_init(name.base, name.len);
        headers[count] = (h2o_header_t){.name = token != NULL ? (h2o_iovec_t *)&token->buf : &names[count],
                                        .value = h2o_iovec_init(value.base, value.len)};
        ++count;
    }
    return count;
}

static bool has_secret(struct tg_text text)
{
    const char *field = memmem(text.base, text.len, "\r\nCookie: ", 10);
    struct tg_text line;

    if (field == NULL)
        return false;
    line = tg_text_n(field + 2, text.len - (size_t)(field + 2 - text.base));
    line = tg_text_cut(&line, '\r');
    return occurs(line, "; i_like_gitea=") != 0 || tg_text_starts(line, "Cookie: i_like_gitea=");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    h2o_iovec_t names[FIELDS], written;
    h2o_header_t headers[FIELDS];
    struct tg_request_head head = {
        .method = TG_TEXT("GET"), .target = TG_TEXT("/a"), .headers = headers, .authority = TG_TEXT("a.example"), .address = TG_TEXT("1.2.3.4"),
        .id = TG_TEXT("id"), .scheme = "https", .session_cookie = "i_like_gitea", .remember_cookie = "gitea_incredible", .keep_cookies = true,
    };
    h2o_mem_pool_t pool;
    struct tg_text text;

    h2o_mem_init_pool(&pool);
    head.header_count = read_fields(tg_text_n((const char *)data, size), names, headers);
    written = tg_request_head_write(&head, &pool);
    text = tg_text_n(written.base, written.len);
    if (!tg_text_starts(text, "GET /a HTTP/1.1\r\nHost: a.example\r\n") || !tg_text_ends(text, "\r\n\r\n") || occurs(text, "\r\n\r\n") != 1)
        abort();
    if (occurs(text, "\r\nhost:") != 1 || occurs(text, "\r\nx-forwarded-for:") != 1 || occurs(text, "\r\nx-real-ip:") != 1 ||
        occurs(text, "\r\nx-request-id:") != 1 || occurs(text, "\r\ncookie:") > 1 || occurs(text, "\r\nx-webauth-") != 0 ||
        occurs(text, "\r\ntransfer-encoding:") != 0 || occurs(text, "\r\nauthorization:") != 0 || occurs(text, "\r\ncontent-length:") != 0)
        abort();
    if (has_secret(text))
        abort();
    h2o_mem_clear_pool(&pool);
    return 0;
}
