/*
 * pages.h - large tables, straight from the kernel
 *
 * A table that is sized for a full house costs nothing until it is used, and gives back what it held when it is emptied: the allocator
 * would keep or clear it all. Any thread.
 */
#ifndef TG_BASE_PAGES_H
#define TG_BASE_PAGES_H

#include <stddef.h>

void *tg_pages_new(size_t size); /* zeroed; never NULL */
void tg_pages_clear(void *pages, size_t size);
void tg_pages_free(void *pages, size_t size); /* NULL is allowed */

#endif
