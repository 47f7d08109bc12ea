/*
 * fetch.h - a blocking HTTP client (on libcurl)
 *
 * For Gitea's API and, later, hooks and ACME. Follows no redirects, uses no proxy and no environment, speaks http(s) only. Worker
 * threads, jobs and commands only. One handle belongs to one thread; connections are kept between calls.
 */
#ifndef TG_IO_FETCH_H
#define TG_IO_FETCH_H

#include <stdint.h>
#include "base/text.h"

struct tg_fetcher;

struct tg_fetch {
    const char *method;          /* NULL: GET */
    const char *url;             /* http(s)://... */
    const char *unix_path;       /* connect here instead of to the URL's host; may be NULL */
    const char *const *headers;  /* "Name: value", NULL-terminated; may be NULL */
    struct tg_text body;         /* base NULL: none */
    int64_t timeout_ms;          /* for the whole call; 0: 10 s */
    size_t limit;                /* of the answer's body; 0: 1 MiB */
};

struct tg_fetched {
    int status;
    int64_t date_s;              /* its own time (RFC 9110 6.6.1); 0: it did not tell */
    struct tg_text content_type; /* lower-cased, without parameters */
    struct tg_text body;         /* both live in the arena given */
};

int tg_fetcher_new(struct tg_fetcher **fetcher);
void tg_fetcher_free(struct tg_fetcher *fetcher);

/* The answers: 0 there is one (any status); TG_FETCH_UNREACHABLE, TG_FETCH_TIMEOUT, TG_FETCH_TOO_LARGE (tg_failure() says more). */
enum { TG_FETCH_UNREACHABLE = 1, TG_FETCH_TIMEOUT = 2, TG_FETCH_TOO_LARGE = 3 };
int tg_fetch(struct tg_fetcher *fetcher, const struct tg_fetch *what, struct tg_arena *arena, struct tg_fetched *out);

#endif
