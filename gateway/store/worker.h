/*
 * worker.h - what each worker thread owns: its database connections, its HTTP client, its connection to Redis
 */
#ifndef TG_STORE_WORKER_H
#define TG_STORE_WORKER_H

#include "io/fetch.h"
#include "store/store.h"

struct tg_cache;
struct tg_redis_link;

struct tg_worker {
    struct tg_store store;
    struct tg_fetcher *fetcher;
    int opened; /* 0: store could not be opened (yet); tg_worker_store tries again */
    const char *directory;
    struct tg_cache *cache;      /* the process's; NULL: none */
    struct tg_redis_link *link;  /* this thread's; NULL: no Redis */
};

/* For struct tg_pool_options: context is the state directory (const char *). */
void *tg_worker_new(void *directory);
void tg_worker_free(void *worker);

/* The same with the process's cache: context is a struct tg_worker_options *, which lives longer than the worker. */
struct tg_worker_options {
    const char *directory;
    struct tg_cache *cache;
};
void *tg_worker_new_cached(void *options);

/* The store, opened if need be; its commits ring the doorbell where there is a Redis. */
int tg_worker_store(struct tg_worker *worker, struct tg_store **store);

#endif
