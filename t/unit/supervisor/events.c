/* The event log of supervisor and jobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "supervisor/events.h"

static int count_lines(const char *path)
{
    FILE *in = fopen(path, "r");
    int lines = 0;

    assert_non_null(in);
    for (int c; (c = getc(in)) != EOF;)
        lines += c == '\n';
    fclose(in);
    return lines;
}

/* The descriptor that stands for the file; -1: none does. */
static int descriptor_of(const char *path)
{
    struct stat wanted, have;

    assert_int_equal(stat(path, &wanted), 0);
    for (int fd = 3; fd < 64; fd++) {
        if (fstat(fd, &have) == 0 && have.st_ino == wanted.st_ino && have.st_dev == wanted.st_dev)
            return fd;
    }
    return -1;
}

/* Who is writing meanwhile writes into the old file or into the new one, and never into one that has got the number. */
static void an_open_log_keeps_its_descriptor(void **state)
{
    char directory[] = "/tmp/teagate-test-XXXXXX", path[64], old[64];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/log", directory);
    snprintf(old, sizeof(old), "%s/log.1", directory);
    assert_int_equal(tg_events_open(path), 0);
    int before = descriptor_of(path);
    assert_true(before >= 0);
    tg_log(TG_LOG_WARN, "first", NULL);

    assert_int_equal(rename(path, old), 0);
    assert_int_equal(tg_events_reopen(), 0);
    assert_int_equal(descriptor_of(path), before);
    assert_int_equal(descriptor_of(old), -1);
    assert_int_equal(fcntl(before, F_GETFD), FD_CLOEXEC);
    tg_log(TG_LOG_WARN, "second", NULL);
    tg_log(TG_LOG_WARN, "third", NULL);
    assert_int_equal(count_lines(old), 1);
    assert_int_equal(count_lines(path), 2);

    assert_int_equal(tg_events_open(NULL), 0);
    assert_int_equal(tg_events_open(path), 0);
    tg_log(TG_LOG_WARN, "fourth", NULL);
    assert_int_equal(count_lines(path), 3);
    unlink(path);
    unlink(old);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_open_log_keeps_its_descriptor)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
