/*
 * request_head.h - the head of the upstream request, written in one pass
 *
 * The target goes out as it came in. Removed in every spelling: Gitea's session and remember cookies and ours, identity and forwarding
 * headers, hop-by-hop headers and those that Connection names. Ours are set. Any thread; memory is the pool's.
 */
#ifndef TG_FRONT_REQUEST_HEAD_H
#define TG_FRONT_REQUEST_HEAD_H

#include "http/visit.h"

struct tg_request_head {
    struct tg_text method, target;
    const h2o_header_t *headers;
    size_t header_count;
    struct tg_text authority;        /* as configured */
    struct tg_text address;          /* the client's */
    struct tg_text id;
    const char *scheme;              /* "https" */
    const char *session_cookie, *remember_cookie; /* Gitea's names for them */
    struct tg_text session;          /* Gitea's session id; base NULL: none */
    bool keep_cookies;               /* the route looks at cookies */
    bool keep_authorization;         /* the route looks at Authorization, and it was judged */
    enum { TG_BODY_NONE, TG_BODY_LENGTH, TG_BODY_CHUNKED } body;
    uint64_t length;                 /* of TG_BODY_LENGTH */
};

h2o_iovec_t tg_request_head_write(const struct tg_request_head *head, h2o_mem_pool_t *pool);

/* Whether a header of this name (lower case, or not) goes no further. */
bool tg_request_header_dropped(struct tg_text name);

/* Whether Connection in this head names it: then it goes no further, either. */
bool tg_named_by_connection(const h2o_header_t *headers, size_t count, struct tg_text name);

/* What is left of a Cookie field without the cookies named, appended behind out[0..len) with "; " between; the new length. out has room
   for len + field.len + 2. */
size_t tg_request_cookies(const struct tg_request_head *head, struct tg_text field, char *out, size_t len);

/* Digits of a number; no terminator. room: 20. */
size_t tg_write_number(char *out, uint64_t number);

#endif
