/*
 * error_page.h - the pages and the texts of errors that no feature owns
 *
 * One table gives each error its status, its template and its sentence, so that page, text and JSON say the same. Any thread.
 */
#ifndef TG_HTTP_ERROR_PAGE_H
#define TG_HTTP_ERROR_PAGE_H

#include "http/reply.h"
#include "http/template.h"

enum tg_error_kind {
    TG_ERROR_BAD_REQUEST,      /* 400: the request cannot be read */
    TG_ERROR_UNKNOWN_CLIENT,   /* 400: authorize with a client_id nobody has; never redirected (RFC 6749 4.1.2.1) */
    TG_ERROR_FOREIGN_REDIRECT, /* 400: authorize with a redirect_uri that is not the client's; never redirected */
    TG_ERROR_FORBIDDEN,        /* 403: a form that is not from our pages, a thing this reader may not do */
    TG_ERROR_CLOSED,           /* 403: a way into Gitea past our provider */
    TG_ERROR_ACCOUNT_CLASH,    /* 403: Gitea has another user of that name or e-mail */
    TG_ERROR_ACCOUNT_FOREIGN,  /* 403: the user there is not the one we knew */
    TG_ERROR_NOT_FOUND,        /* 404 */
    TG_ERROR_METHOD,           /* 405: set Allow */
    TG_ERROR_TOO_SLOW,         /* 408: a request whose body stopped coming */
    TG_ERROR_TOO_LARGE,        /* 413 */
    TG_ERROR_UNKNOWN_HOST,     /* 421 */
    TG_ERROR_TOO_MANY,         /* 429: sets Retry-After */
    TG_ERROR_INTERNAL,         /* 500 */
    TG_ERROR_UPSTREAM_DOWN,    /* 502 */
    TG_ERROR_UNAVAILABLE,      /* 503: sets Retry-After */
    TG_ERROR_UPSTREAM_TIMEOUT, /* 504 */
    TG_ERROR_KINDS
};

/* What a page may say; leave absent what is not known. They must live until the page is filled, no longer. */
struct tg_error_values {
    struct tg_text host;       /* as the client named it; shown, never linked */
    struct tg_text path;       /* without query */
    struct tg_text reference;  /* visit->id: what support asks for */
    struct tg_text address;    /* the client's; shown on 429 */
    struct tg_text login;      /* who is signed in */
    struct tg_text home_url;   /* where one's repositories are: https://, http:// or a path */
    struct tg_text retry_url;  /* of this page, for "Try again": a path; only for requests that GET may repeat */
    int64_t retry_after_s;     /* 429, 503; 0: a default */
};

/* Fills status, page and Retry-After. Headers that the caller has set stay. */
void tg_error_page(struct tg_templates *templates, enum tg_error_kind kind, const struct tg_error_values *values,
                   struct tg_arena *arena, struct tg_reply *reply);

/* The same in one line of text/plain, for git, curl and API clients; ASCII. Values may be NULL. */
void tg_error_text(enum tg_error_kind kind, const struct tg_error_values *values, struct tg_arena *arena, struct tg_reply *reply);

int tg_error_status(enum tg_error_kind kind);
const char *tg_error_line(enum tg_error_kind kind); /* the sentence alone, for dialects of the features' own */

/* All pages above have their templates: called once at start. */
int tg_error_pages_check(struct tg_templates *templates);

#endif
