/*
 * call.h - a cold endpoint: one plain blocking function on a worker thread, read from top to bottom
 *
 * tg_call_start copies from the visit what an endpoint may look at, receives the body (bounded), runs the endpoint in its pool and sends
 * its reply from the loop. The client may be gone meanwhile: the endpoint runs to its end, its reply is dropped. A negative result
 * becomes 503 (TG_BUSY, with Retry-After) or 500, logged once with the endpoint's name.
 */
#ifndef TG_HTTP_CALL_H
#define TG_HTTP_CALL_H

#include "http/reply.h"
#include "io/pool.h"

struct tg_call {
    struct tg_arena arena;          /* everything below lives in it, and what the endpoint allocates */
    const struct tg_endpoint *endpoint;
    const void *context;            /* the feature's, from its table's owner */
    void *worker;                   /* struct tg_worker of this thread (store/worker.h) */
    const struct tg_host *host;

    char id[21];
    struct tg_text method, path, query;
    struct tg_text address;         /* the client's */
    struct tg_text cookie, authorization, content_type, origin, sec_fetch_site, user_agent, accept, if_none_match;
    size_t authorization_count;
    struct tg_text body;            /* received whole; base NULL: none */
    struct tg_text tail;            /* what the endpoint's "*" matched */

    struct tg_reply reply;
};

/* Which threads wait: none of these may starve another. */
enum tg_call_pool {
    TG_POOL_COLD,
    TG_POOL_BACKCHANNEL, /* Gitea's token requests: authorize waits for Gitea, which waits for these */
    TG_POOL_PASSWORD,
    TG_POOL_RESOLVE,     /* whose credential is this? */
    TG_POOL_AUTHORIZE,   /* asks Gitea on behalf of a person */
    TG_POOLS
};

enum tg_methods { TG_GET = 1 /* and HEAD */, TG_POST = 2 };

/* A feature's endpoints are a const table that ends with a NULL path. */
struct tg_endpoint {
    const char *path;               /* "/token"; "/c/<client>/token" may hold one variable segment "*": its text is in call->tail */
    unsigned methods;
    int (*run)(struct tg_call *call);
    size_t body_limit;              /* bytes; larger bodies get 413 */
    enum tg_call_pool pool;
};

struct tg_templates;

struct tg_pools {
    struct tg_pool *of[TG_POOLS];   /* by enum tg_call_pool */
    struct tg_templates *templates; /* for the pages of errors of its own (405, 413, 500, 503); NULL: texts */
};

/* Finds the row for the visit's path and starts it. Unknown path: 1, nothing done. Wrong method: answers 405 with Allow. */
enum { TG_ENDPOINT_UNKNOWN = 1 };
int tg_call_start(struct tg_visit *visit, const struct tg_endpoint *table, const struct tg_pools *pools, const void *context);

#endif
