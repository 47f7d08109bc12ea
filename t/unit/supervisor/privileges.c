/* Directories that root makes for the service user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "supervisor/privileges.h"

static char directory[] = "/tmp/teagate-test-XXXXXX", wanted[64], victim[64];
static bool is_swapped;

/* In place of the C library's: who may write to the parent has been faster, and puts a link where the directory was. */
int mkdir(const char *path, mode_t mode)
{
    return is_swapped ? symlink(victim, path) : mkdirat(-1, path, mode);
}

static uid_t owner_of(const char *path)
{
    struct stat is;

    assert_int_equal(stat(path, &is), 0);
    return is.st_uid;
}

static int make_names(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(wanted, sizeof(wanted), "%s/run", directory);
    snprintf(victim, sizeof(victim), "%s/victim", directory);
    return mkdir(victim, 0700);
}

static int remove_names(void **state)
{
    (void)state;
    rmdir(victim);
    return rmdir(directory);
}

static void what_was_made_is_given_away(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(tg_privileges_directory(wanted, 0750, "nobody"), 0);
    assert_int_not_equal(owner_of(wanted), 0);
    assert_int_equal(tg_privileges_directory(wanted, 0750, "nobody"), 0);
    assert_int_equal(rmdir(wanted), 0);
}

static void a_link_in_its_place_gives_nothing_away(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    is_swapped = true;
    assert_true(tg_privileges_directory(wanted, 0750, "nobody") < 0);
    is_swapped = false;
    assert_int_equal(owner_of(victim), 0);
    assert_int_equal(unlink(wanted), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_given_away),
        cmocka_unit_test(a_link_in_its_place_gives_nothing_away),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_names, remove_names);
}
