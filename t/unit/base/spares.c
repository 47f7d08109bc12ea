#include "test.h"
#include <stdlib.h>
#include <string.h>
#include "base/spares.h"

#if TG_MEMORY_IS_WATCHED
#include <sanitizer/asan_interface.h>

static void comes_again_but_where_it_is_watched(void **state)
{
    struct tg_spares spares = {.size = 64};
    char *block = tg_spares_take(&spares);

    tg_spares_give(&spares, block);
    assert_true(__asan_address_is_poisoned(block));
    assert_int_equal(spares.count, 0);
}
#else
static void comes_again_but_where_it_is_watched(void **state)
{
    struct tg_spares spares = {.size = 64};
    char *block = tg_spares_take(&spares);

    tg_spares_give(&spares, block);
    assert_int_equal(spares.count, 1);
    assert_ptr_equal(tg_spares_take(&spares), block);
    tg_spares_give(&spares, block);
    tg_spares_done(&spares);
    assert_int_equal(spares.count, 0);
}
#endif

static void no_more_wait_than_may(void **state)
{
    struct tg_spares spares = {.size = 64};
    void *blocks[TG_SPARES + 10];

    for (size_t i = 0; i < TG_SPARES + 10; ++i)
        memset(blocks[i] = tg_spares_take(&spares), 1, 64);
    for (size_t i = 0; i < TG_SPARES + 10; ++i)
        tg_spares_give(&spares, blocks[i]);
    assert_true(spares.count <= TG_SPARES);
    tg_spares_done(&spares);
    assert_null(spares.first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_again_but_where_it_is_watched),
        cmocka_unit_test(no_more_wait_than_may),
    };

    return RUN_TESTS(tests);
}
