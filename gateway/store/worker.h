/*
 * worker.h - what each worker thread owns: its database connections and its HTTP client
 */
#ifndef TG_STORE_WORKER_H
#define TG_STORE_WORKER_H

#include "io/fetch.h"
#include "store/store.h"

struct tg_worker {
    struct tg_store store;
    struct tg_fetcher *fetcher;
    int opened; /* 0: store could not be opened (yet); tg_worker_store tries again */
    const char *directory;
};

/* For struct tg_pool_options: context is the state directory (const char *). */
void *tg_worker_new(void *directory);
void tg_worker_free(void *worker);

/* The store, opened if need be. */
int tg_worker_store(struct tg_worker *worker, struct tg_store **store);

#endif
