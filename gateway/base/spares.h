/*
 * spares.h - blocks of one size that are used again
 *
 * For what lives and dies with each request and is too large for the allocator's own quick lists. One thread each. At most TG_SPARES
 * wait; what is given beyond them is freed. In builds that watch memory nothing waits, so that they see every use after its end.
 */
#ifndef TG_BASE_SPARES_H
#define TG_BASE_SPARES_H

#include <stddef.h>

enum { TG_SPARES = 256 };

struct tg_spares {
    size_t size; /* of a block; at least that of a pointer */
    void *first;
    size_t count;
};

void *tg_spares_take(struct tg_spares *spares); /* not zeroed; never NULL */
void tg_spares_give(struct tg_spares *spares, void *block);
void tg_spares_done(struct tg_spares *spares);  /* frees those that wait */

#endif
