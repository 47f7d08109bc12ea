/*
 * watched.c - what AddressSanitizer sees of libh2o's memory, in TAP
 *
 * Always built with it, whatever the rest of the build is, and with the source of memory.c instead of the library.
 */
#include "../lib/common/memory.c"
#include <sanitizer/asan_interface.h>

static void check(int holds, const char *what)
{
    static int number;

    printf("%sok %d - %s\n", holds ? "" : "not ", ++number, what);
}

static void check_pool(void)
{
    h2o_mem_pool_t pool;
    char *first, *second;

    h2o_mem_init_pool(&pool);
    first = h2o_mem_alloc_pool(&pool, 10);
    second = h2o_mem_alloc_pool(&pool, 10);
    check(first + 10 != second && !__asan_address_is_poisoned(first + 9) && __asan_address_is_poisoned(first + 10), "the end of a piece of a pool");
    first = h2o_mem_alloc_shared(&pool, 70, NULL);
    check(!__asan_address_is_poisoned(first + 69) && __asan_address_is_poisoned(first + 72), "the end of a shared piece");
    h2o_mem_clear_pool(&pool);
    check(__asan_address_is_poisoned(second), "a piece of a cleared pool");
    check(__asan_address_is_poisoned(first), "a shared piece of a cleared pool");
}

static void check_recycled(void)
{
    static h2o_mem_recycle_t allocator = {8};
    static h2o_buffer_prototype_t prototype = {{8}, {100}};
    h2o_buffer_t *buffer;
    char *piece = h2o_mem_alloc_recycle(&allocator, 200);

    h2o_mem_free_recycle(&allocator, piece);
    check(__asan_address_is_poisoned(piece), "a piece that would be recycled");
    h2o_buffer_init(&buffer, &prototype);
    piece = h2o_buffer_reserve(&buffer, 10).base;
    h2o_buffer_dispose(&buffer);
    check(__asan_address_is_poisoned(piece), "the bytes of a buffer that is disposed of");
}

int main(void)
{
    check_pool();
    check_recycled();
    printf("1..6\n");
    return 0;
}
