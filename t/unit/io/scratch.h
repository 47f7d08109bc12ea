/*
 * scratch.h - what the tests of io/ and store/ share: a directory of their own, and cmocka
 */
#ifndef TG_TEST_SCRATCH_H
#define TG_TEST_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/result.h"

/* The paths of one test: its directory, made empty before it and removed behind it. */
struct scratch {
    char directory[64];
    char path[96];
};

static inline int scratch_make(void **state)
{
    struct scratch *scratch = tg_alloc(sizeof(*scratch));

    snprintf(scratch->directory, sizeof(scratch->directory), "/tmp/teagate-test-XXXXXX");
    if (mkdtemp(scratch->directory) == NULL)
        return -1;
    snprintf(scratch->path, sizeof(scratch->path), "%s/it", scratch->directory);
    *state = scratch;
    return 0;
}

static inline int scratch_remove_one(const char *path, const struct stat *file, int type, struct FTW *walk)
{
    (void)file, (void)type, (void)walk;
    return remove(path);
}

static inline int scratch_remove(void **state)
{
    struct scratch *scratch = *state;
    int result = nftw(scratch->directory, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);

    free(scratch);
    return result;
}

#define scratch_test(function) cmocka_unit_test_setup_teardown(function, scratch_make, scratch_remove)

/* A result that is not the expected one, with its reason. */
#define assert_result(expected, call)                                                                                              \
    do {                                                                                                                           \
        int result_ = (call);                                                                                                      \
        if (result_ != (expected))                                                                                                 \
            print_error("%s: %d (%s)\n", #call, result_, tg_failure());                                                            \
        assert_int_equal(result_, expected);                                                                                       \
    } while (0)

#endif
