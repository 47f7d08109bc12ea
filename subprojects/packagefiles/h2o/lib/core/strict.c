/* strict.c - see strict.h */
#include <strings.h>
#include "h2o/strict.h"

/* what a byte may be part of */
enum { TOKEN = 1, NAME = 2, TARGET = 4 };
#define ALL (TOKEN | NAME | TARGET)

static const unsigned char classes[256] = {
    ['!'] = TOKEN | TARGET, ['"'] = TARGET, ['#' ... '\''] = TOKEN | TARGET, ['(' ... ')'] = TARGET, ['*' ... '+'] = TOKEN | TARGET,
    [','] = TARGET, ['-' ... '.'] = ALL, ['/'] = TARGET, ['0' ... '9'] = ALL, [':' ... '@'] = TARGET, ['A' ... 'Z'] = ALL,
    ['[' ... ']'] = TARGET, ['^'] = TOKEN | TARGET, ['_'] = ALL, ['`'] = TOKEN | TARGET, ['a' ... 'z'] = ALL, ['{'] = TARGET,
    ['|'] = TOKEN | TARGET, ['}'] = TARGET, ['~'] = ALL, [0x80 ... 0xff] = TARGET,
};

static size_t span(const char *s, size_t len, unsigned char class)
{
    size_t i;

    for (i = 0; i != len && (classes[(unsigned char)s[i]] & class) != 0; ++i)
        ;
    return i;
}

int h2o_strict_is_token(const char *s, size_t len)
{
    return len != 0 && span(s, len, TOKEN) == len;
}

int h2o_strict_is_path(const char *s, size_t len)
{
    if (len == 0 || (s[0] != '/' && !(s[0] == '*' && len == 1)))
        return 0;
    return span(s, len, TARGET) == len;
}

static size_t span_ipv6(const char *s, size_t len)
{
    size_t i;

    for (i = 1; i != len; ++i) {
        unsigned char c = s[i];
        if (c == ']')
            return i > 2 ? i + 1 : 0;
        if (!(c == ':' || c == '.' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')))
            return 0;
    }
    return 0;
}

int h2o_strict_is_authority(const char *s, size_t len)
{
    size_t i, host;

    if (len == 0 || (host = s[0] == '[' ? span_ipv6(s, len) : span(s, len, NAME)) == 0)
        return 0;
    if (host == len)
        return 1;
    if (s[host] != ':' || len - host < 2 || len - host > 6)
        return 0;
    for (i = host + 1; i != len; ++i)
        if (s[i] < '0' || s[i] > '9')
            return 0;
    return 1;
}

size_t h2o_strict_split_absolute(const char *s, size_t len, size_t *authority_at)
{
    static const char http[] = "http://", https[] = "https://";
    size_t start, i;

    if (len > sizeof(http) - 1 && strncasecmp(s, http, sizeof(http) - 1) == 0)
        start = sizeof(http) - 1;
    else if (len > sizeof(https) - 1 && strncasecmp(s, https, sizeof(https) - 1) == 0)
        start = sizeof(https) - 1;
    else
        return 0;
    for (i = start; i != len && s[i] != '/' && s[i] != '?'; ++i)
        ;
    if (!h2o_strict_is_authority(s + start, i - start))
        return 0;
    *authority_at = start;
    return i;
}
