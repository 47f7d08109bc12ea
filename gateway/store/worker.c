#include "store/worker.h"
#include "base/result.h"
#include "store/cache.h"
#include "store/doorbell.h"

void *tg_worker_new(void *directory)
{
    struct tg_worker *worker = tg_alloc(sizeof(*worker));

    worker->directory = directory;
    if (tg_fetcher_new(&worker->fetcher) != 0)
        abort(); /* libcurl gives no handle only when there is no memory */
    return worker;
}

void *tg_worker_new_cached(void *context)
{
    const struct tg_worker_options *options = context;
    struct tg_worker *worker = tg_worker_new((void *)options->directory);
    const struct tg_space *space = tg_cache_space(options->cache);

    worker->cache = options->cache;
    if (space != NULL)
        worker->link = tg_redis_link_new(space->redis);
    return worker;
}

void tg_worker_free(void *p)
{
    struct tg_worker *worker = p;

    if (worker == NULL)
        return;
    if (worker->opened)
        tg_store_close(&worker->store);
    tg_redis_link_free(worker->link);
    tg_fetcher_free(worker->fetcher);
    free(worker);
}

int tg_worker_store(struct tg_worker *worker, struct tg_store **store)
{
    if (!worker->opened) {
        if (tg_try(tg_store_open(worker->directory, &worker->store)) != 0)
            return TG_FAILED; /* absent, or of another release: tg_failure() says which */
        if (worker->link != NULL)
            tg_button_fit(&worker->store, tg_cache_space(worker->cache), worker->link);
        worker->opened = 1;
    }
    *store = &worker->store;
    return 0;
}
