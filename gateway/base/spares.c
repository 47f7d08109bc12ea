/* spares.c - see spares.h; those that wait are linked through their first bytes */
#include "base/spares.h"
#include <stdlib.h>
#include <string.h>
#include "base/result.h"

void *tg_spares_take(struct tg_spares *spares)
{
    void *block = spares->first;

    if (block == NULL)
        return tg_realloc(NULL, spares->size);
    memcpy(&spares->first, block, sizeof(block));
    --spares->count;
    return block;
}

void tg_spares_give(struct tg_spares *spares, void *block)
{
    if (TG_MEMORY_IS_WATCHED || spares->count >= TG_SPARES) {
        free(block);
        return;
    }
    memcpy(block, &spares->first, sizeof(block));
    spares->first = block;
    ++spares->count;
}

void tg_spares_done(struct tg_spares *spares)
{
    while (spares->first != NULL) {
        void *block = spares->first;

        memcpy(&spares->first, block, sizeof(block));
        free(block);
    }
    spares->count = 0;
}
