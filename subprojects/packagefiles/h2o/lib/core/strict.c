/* strict.c - see strict.h */
#include "h2o/strict.h"

static int is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

int h2o_strict_is_token(const char *s, size_t len)
{
    static const char marks[256] = {['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1,
                                    ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1};
    size_t i;

    for (i = 0; i != len; ++i)
        if (!is_alnum(s[i]) && !marks[(unsigned char)s[i]])
            return 0;
    return len != 0;
}

int h2o_strict_is_path(const char *s, size_t len)
{
    size_t i;

    if (len == 0 || (s[0] != '/' && !(s[0] == '*' && len == 1)))
        return 0;
    for (i = 0; i != len; ++i)
        if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
            return 0;
    return 1;
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

static size_t span_name(const char *s, size_t len)
{
    size_t i;

    for (i = 0; i != len && (is_alnum(s[i]) || s[i] == '-' || s[i] == '.' || s[i] == '_' || s[i] == '~'); ++i)
        ;
    return i;
}

int h2o_strict_is_authority(const char *s, size_t len)
{
    size_t i, host;

    if (len == 0 || (host = s[0] == '[' ? span_ipv6(s, len) : span_name(s, len)) == 0)
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
