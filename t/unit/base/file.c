#include "test.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/result.h"

static char directory[] = "/tmp/teagate-unit-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/file", directory);
    return 0;
}

static int remove_directory(void **state)
{
    unlink(path);
    return rmdir(directory);
}

static void a_file_that_is_not_there_is_an_answer(void **state)
{
    TG_STRING out = {NULL, 0, 0};

    assert_int_equal(tg_file_read(path, 10, &out), TG_FILE_ABSENT);
    assert_int_equal(tg_file_read_secret(path, 10, &out), TG_FILE_ABSENT);
    assert_int_equal(tg_file_read(directory, 10, &out), TG_FAILED);
    assert_non_null(strstr(tg_failure(), "Is a directory"));
}

static void what_was_written_is_read_up_to_the_limit(void **state)
{
    TG_STRING out = {NULL, 0, 0}, large = {NULL, 0, 0};
    struct stat info;

    assert_int_equal(tg_file_write_atomically(path, 0640, TG_TEXT("a\0b\n")), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    tg_string_add(&out, TG_TEXT("before "));
    assert_int_equal(tg_file_read(path, 3, &out), TG_FILE_TOO_LARGE);
    assert_string_equal(out.base, "before ");
    assert_int_equal(out.len, 7);
    assert_int_equal(tg_file_read(path, 4, &out), 0);
    assert_true(tg_text_same(tg_string_text(&out), TG_TEXT("before a\0b\n")));

    while (large.len < 100000)
        tg_string_addf(&large, "%zu,", large.len);
    assert_int_equal(tg_file_write_atomically(path, 0600, tg_string_text(&large)), 0);
    out.len = 0;
    assert_int_equal(tg_file_read(path, 1 << 20, &out), 0);
    assert_true(tg_text_same(tg_string_text(&out), tg_string_text(&large)));
    assert_int_equal(tg_file_read(path, 99999, &out), TG_FILE_TOO_LARGE);
    assert_int_equal(out.len, large.len);
    assert_int_equal(strlen(out.base), large.len);
}

static void nothing_is_left_beside_a_file(void **state)
{
    DIR *listing = opendir(directory);
    int count = 0;

    while (readdir(listing) != NULL)
        count++;
    closedir(listing);
    assert_int_equal(count, 3); /* ".", "..", "file" */
    assert_int_equal(tg_file_write_atomically("/nowhere/at/all", 0600, TG_TEXT("x")), TG_FAILED);
    assert_non_null(strstr(tg_failure(), "/nowhere/at/all"));
}

static void a_secret_is_without_white_space_around(void **state)
{
    TG_STRING out = {NULL, 0, 0};

    assert_int_equal(tg_file_write_atomically(path, 0600, TG_TEXT(" \t my secret\r\n\n")), 0);
    assert_int_equal(tg_file_read_secret(path, 100, &out), 0);
    assert_string_equal(out.base, "my secret");
    assert_int_equal(tg_file_read_secret(path, 10, &out), TG_FILE_TOO_LARGE);
    assert_int_equal(tg_file_write_atomically(path, 0600, TG_TEXT(" \n")), 0);
    assert_int_equal(tg_file_read_secret(path, 100, &out), TG_FAILED);
    assert_non_null(strstr(tg_failure(), "is empty"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_not_there_is_an_answer),
        cmocka_unit_test(what_was_written_is_read_up_to_the_limit),
        cmocka_unit_test(nothing_is_left_beside_a_file),
        cmocka_unit_test(a_secret_is_without_white_space_around),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
