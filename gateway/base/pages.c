/* pages.c - see pages.h */
#include "base/pages.h"
#include <string.h>
#include <sys/mman.h>
#include "base/result.h"

void *tg_pages_new(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        tg_out_of_memory();
    return pages;
}

void tg_pages_clear(void *pages, size_t size)
{
    if (madvise(pages, size, MADV_DONTNEED) != 0) /* locked memory, say */
        memset(pages, 0, size);
}

void tg_pages_free(void *pages, size_t size)
{
    if (pages != NULL)
        munmap(pages, size);
}
