#include "base/result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char failure[512] = "no failure so far";

static size_t write_failure(const char *format, va_list args)
{
    /* the arguments may point into the text of the failure before */
    char text[sizeof(failure)];
    int len = vsnprintf(text, sizeof(text), format, args);

    if (len < 0)
        len = snprintf(text, sizeof(text), "%s", format);
    if ((size_t)len >= sizeof(text))
        len = sizeof(text) - 1;
    memcpy(failure, text, (size_t)len);
    failure[len] = '\0';
    return (size_t)len;
}

int tg_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_failure(format, args);
    va_end(args);
    return TG_FAILED;
}

int tg_fail_errno(const char *format, ...)
{
    int number = errno;
    char reason[128];
    va_list args;

    va_start(args, format);
    size_t len = write_failure(format, args);
    va_end(args);
    snprintf(failure + len, sizeof(failure) - len, ": %s", strerror_r(number, reason, sizeof(reason)));
    return TG_FAILED;
}

const char *tg_failure(void)
{
    return failure;
}

void tg_out_of_memory(void)
{
    static const char message[] = "teagate: out of memory\n";

    if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
        abort();
    abort();
}

static void *or_abort(void *p)
{
    if (p == NULL)
        tg_out_of_memory();
    return p;
}

void *tg_alloc(size_t size)
{
    return or_abort(calloc(1, size > 0 ? size : 1));
}

void *tg_realloc(void *p, size_t size)
{
    return or_abort(realloc(p, size > 0 ? size : 1));
}

char *tg_strdup(const char *s)
{
    return or_abort(strdup(s));
}

char *tg_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return or_abort(text);
}
