/*
 * result.h - the one law of results, and the scope lifetime
 *
 * 0 is done. Negative means it does not work (a broken disk, a dead database): pass it up unread; whoever stands at the top logs it
 * once with what it was doing. Positive is an answer listed in the callee's header: handle it at once, never pass it up.
 * Running out of memory aborts.
 */
#ifndef TG_BASE_RESULT_H
#define TG_BASE_RESULT_H

#include <stdlib.h>
#include <unistd.h>

enum {
    TG_FAILED = -1, /* the reason is in tg_failure() */
    TG_BUSY = -2,   /* a lock or a queue was not free in time: 503 with Retry-After */
};

/* Leaves the calling function with a negative result; otherwise is the result. */
#define tg_try(call)                                                                                                               \
    ({                                                                                                                             \
        int tg_result_ = (call);                                                                                                   \
        if (tg_result_ < 0)                                                                                                        \
            return tg_result_;                                                                                                     \
        tg_result_;                                                                                                                \
    })

/* Says why, for the log line of whoever is at the top, and returns TG_FAILED. The text is this thread's, until its next failure. */
int tg_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with errno's text appended. */
int tg_fail_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The reason of this thread's last failure; never NULL. */
const char *tg_failure(void);

/* malloc family that aborts when there is no memory. The caller owns the result (free). */
void *tg_alloc(size_t size);  /* zeroed */
void *tg_realloc(void *p, size_t size);
char *tg_strdup(const char *s);
char *tg_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tg_out_of_memory(void) __attribute__((noreturn)); /* says so, and aborts */

static inline void tg_free_cleanup_(void *p)
{
    free(*(void **)p);
}

static inline void tg_close_cleanup_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define TG_FREED __attribute__((cleanup(tg_free_cleanup_)))   /* freed at the end of the scope */
#define TG_CLOSED __attribute__((cleanup(tg_close_cleanup_))) /* a descriptor, closed at the end of the scope */

/* Gives a TG_FREED pointer away: the scope no longer frees it. */
#define tg_keep(p)                                                                                                                 \
    ({                                                                                                                             \
        __typeof__(p) tg_kept_ = (p);                                                                                              \
        (p) = NULL;                                                                                                                \
        tg_kept_;                                                                                                                  \
    })

#define tg_count(array) (sizeof(array) / sizeof((array)[0]))

#endif
