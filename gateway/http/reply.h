/*
 * reply.h - answers of our own: pages, texts, JSON, redirects
 *
 * tg_reply is what a cold endpoint fills on a worker thread and a step fills on the loop; tg_reply_send sends it once. All pages get the
 * security headers of ours (CSP without script, frame-ancestors 'none', nosniff, no-referrer, no-store). Texts live in the arena or the
 * request's pool until sent.
 */
#ifndef TG_HTTP_REPLY_H
#define TG_HTTP_REPLY_H

#include "http/visit.h"

enum { TG_REPLY_HEADERS = 12 };

struct tg_reply_header {
    struct tg_text name; /* lower case */
    struct tg_text value;
};

struct tg_reply {
    int status;                       /* 0: not answered yet */
    const char *content_type;         /* a constant */
    struct tg_text body;
    struct tg_reply_header headers[TG_REPLY_HEADERS];
    size_t header_count;
    const char *form_action;          /* a page with a form that ends at another origin names it in its CSP; NULL: 'self' */
    bool is_page;                     /* gets the page headers */
    bool cacheable;                   /* the endpoint set cache headers itself; otherwise no-store */
    bool close;                       /* HTTP/1: close the connection after this */
};

/* A value with a control byte is left out: nothing that came from outside may begin a header of its own. */
void tg_reply_header(struct tg_reply *reply, struct tg_text name, struct tg_text value);

/* On the loop, once. Copies nothing: reply's texts must live until the request is disposed of. HEAD sends no body. Refusing a request
   whose body has not been opened is right: the server lingers so that the client reads the answer. */
void tg_reply_send(struct tg_visit *visit, const struct tg_reply *reply);

/* Short forms on the loop. text/plain ends with a newline. */
void tg_reply_text(struct tg_visit *visit, int status, const char *text);
void tg_reply_redirect(struct tg_visit *visit, int status, const char *location);

#endif
