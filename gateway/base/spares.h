/*
 * spares.h - blocks of one size that are used again
 *
 * For what lives and dies with each request and is too large for the allocator's own quick lists. One thread each. At most TG_SPARES
 * wait; what is given beyond them is freed. Where AddressSanitizer watches nothing waits, so that it sees every use after its end.
 */
#ifndef TG_BASE_SPARES_H
#define TG_BASE_SPARES_H

#include <stddef.h>

/* gcc tells it by a macro, clang by a feature */
#if defined(__SANITIZE_ADDRESS__)
#define TG_MEMORY_IS_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TG_MEMORY_IS_WATCHED 1
#endif
#endif
#ifndef TG_MEMORY_IS_WATCHED
#define TG_MEMORY_IS_WATCHED 0
#endif

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
