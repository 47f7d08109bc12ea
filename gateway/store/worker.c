#include "base/result.h"
#include "store/worker.h"

void *tg_worker_new(void *directory)
{
    struct tg_worker *worker = tg_alloc(sizeof(*worker));

    worker->directory = directory;
    if (tg_fetcher_new(&worker->fetcher) != 0)
        abort(); /* libcurl gives no handle only when there is no memory */
    return worker;
}

void tg_worker_free(void *p)
{
    struct tg_worker *worker = p;

    if (worker == NULL)
        return;
    if (worker->opened)
        tg_store_close(&worker->store);
    tg_fetcher_free(worker->fetcher);
    free(worker);
}

int tg_worker_store(struct tg_worker *worker, struct tg_store **store)
{
    if (!worker->opened) {
        if (tg_try(tg_store_open(worker->directory, &worker->store)) != 0)
            return TG_FAILED; /* absent, or of another release: tg_failure() says which */
        worker->opened = 1;
    }
    *store = &worker->store;
    return 0;
}
