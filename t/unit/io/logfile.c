#include "scratch.h"
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include "base/clock.h"
#include "base/text.h"
#include "io/logfile.h"

enum { PRODUCERS = 4, LINES = 20000, RING = 1 << 20 };

static struct tg_logfile *open_log(const char *path)
{
    struct tg_logfile *file = NULL;

    assert_result(0, tg_logfile_new(path, &file));
    return file;
}

static void put(struct tg_logfile *file, const char *line)
{
    tg_logfile_put(file, line, strlen(line));
}

/* The file's bytes, terminated; the caller frees them. */
static char *read_all(const char *path)
{
    TG_CLOSED int fd = open(path, O_RDONLY);
    struct stat file;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &file), 0);
    char *bytes = tg_alloc((size_t)file.st_size + 1);
    assert_int_equal(read(fd, bytes, (size_t)file.st_size), file.st_size);
    return bytes;
}

static void wait_for(const char *path, const char *what)
{
    int64_t start_ms = tg_monotonic_ms();

    for (;;) {
        TG_FREED char *bytes = read_all(path);
        if (strstr(bytes, what) != NULL)
            return;
        assert_true(tg_monotonic_ms() - start_ms < 5000);
        usleep(10000);
    }
}

static void lines_are_in_the_file_within_a_second_or_two(void **state)
{
    struct scratch *scratch = *state;
    struct tg_logfile *file = open_log(scratch->path);
    int64_t start_ms = tg_monotonic_ms();

    put(file, "one\n");
    wait_for(scratch->path, "one\n");
    assert_true(tg_monotonic_ms() - start_ms < 2000);
    put(file, "two\n");
    tg_logfile_free(file); /* writes what is left */
    TG_FREED char *bytes = read_all(scratch->path);
    assert_string_equal(bytes, "one\ntwo\n");

    file = open_log(scratch->path); /* and the next process appends */
    put(file, "three\n");
    tg_logfile_free(file);
    TG_FREED char *more = read_all(scratch->path);
    assert_string_equal(more, "one\ntwo\nthree\n");
}

static void a_block_is_written_at_once(void **state)
{
    struct scratch *scratch = *state;
    struct tg_logfile *file = open_log(scratch->path);
    char line[1024];

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    usleep(300000); /* away from the next whole second */
    int64_t start_ms = tg_monotonic_ms();
    for (int i = 0; i < 80; i++)
        tg_logfile_put(file, line, sizeof(line));
    while (tg_logfile_written(file) < 80 * sizeof(line) && tg_monotonic_ms() - start_ms < 5000)
        usleep(1000);
    assert_true(tg_monotonic_ms() - start_ms < 400);
    tg_logfile_free(file);
}

struct producer {
    pthread_t thread;
    struct tg_ring *ring;
    int number;
};

/* Lines of changing length, slow enough for the writer. */
static void *produce(void *argument)
{
    struct producer *producer = argument;
    char line[512];

    for (int i = 0; i < LINES; i++) {
        int len = snprintf(line, sizeof(line), "producer=%d line=%d ", producer->number, i);
        memset(line + len, '.', (size_t)(i % 300));
        len += i % 300;
        line[len++] = '\n';
        tg_ring_put(producer->ring, line, (size_t)len);
        if (i % 1000 == 999)
            usleep(20000);
    }
    return NULL;
}

static void every_line_of_every_ring_is_there_whole_and_in_order(void **state)
{
    struct scratch *scratch = *state;
    struct tg_logfile *file = open_log(scratch->path);
    struct producer producers[PRODUCERS];
    int next[PRODUCERS] = {0}, number, line;

    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].ring = tg_logfile_ring(file);
        producers[i].number = i;
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    uint64_t dropped = tg_logfile_dropped(file);
    tg_logfile_free(file);
    assert_int_equal(dropped, 0);

    TG_FREED char *bytes = read_all(scratch->path);
    for (char *at = bytes, *end; *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        assert_non_null(end);
        *end = '\0'; /* sscanf would look for the end of the whole file, line by line */
        int dots = -1;
        assert_int_equal(sscanf(at, "producer=%d line=%d%n", &number, &line, &dots), 2);
        assert_int_equal(line, next[number]);
        assert_int_equal(strspn(at + dots + 1, "."), line % 300);
        assert_ptr_equal(at + dots + 1 + line % 300, end);
        next[number]++;
    }
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(next[i], LINES);
}

static void a_full_ring_drops_and_counts_and_never_waits(void **state)
{
    struct scratch *scratch = *state;
    char line[1000];
    int pipe_ends[2];

    /* the slowest disk: a pipe that nobody reads yet */
    assert_int_equal(pipe(pipe_ends), 0);
    snprintf(scratch->path, sizeof(scratch->path), "/proc/self/fd/%d", pipe_ends[1]);
    struct tg_logfile *file = open_log(scratch->path);
    struct tg_ring *ring = tg_logfile_ring(file);
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';

    int64_t start_ms = tg_monotonic_ms();
    for (int i = 0; i < 5000; i++)
        tg_ring_put(ring, line, sizeof(line));
    assert_true(tg_monotonic_ms() - start_ms < 1000);
    assert_true(tg_logfile_dropped(file) >= 5000 - 2 * RING / 1000);
    assert_true(tg_logfile_dropped(file) < 5000);

    close(pipe_ends[0]); /* now the disk is broken for good; the writer must not be stuck, nor be killed by SIGPIPE */
    tg_logfile_free(file);
    close(pipe_ends[1]);
}

static void a_full_disk_drops_and_counts(void **state)
{
    struct tg_logfile *file = open_log("/dev/full");

    for (int i = 0; i < 10; i++)
        put(file, "nobody will read this\n");
    int64_t start_ms = tg_monotonic_ms();
    while (tg_logfile_dropped(file) < 10 && tg_monotonic_ms() - start_ms < 5000)
        usleep(10000);
    assert_int_equal(tg_logfile_dropped(file), 10);
    assert_int_equal(tg_logfile_written(file), 0);
    tg_logfile_free(file);
}

/* A limit on the size of files is a disk that is full in the middle of a line. */
static void lines_begin_at_beginnings_after_a_full_disk(void **state)
{
    struct scratch *scratch = *state;
    struct tg_logfile *file = open_log(scratch->path);
    struct rlimit before, small;

    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 10;
    put(file, "whole\nbroken\nlost\n");
    setrlimit(RLIMIT_FSIZE, &small);
    while (tg_logfile_dropped(file) == 0)
        usleep(10000);
    setrlimit(RLIMIT_FSIZE, &before);
    put(file, "whole again\n");
    tg_logfile_free(file);
    TG_FREED char *bytes = read_all(scratch->path);
    assert_string_equal(bytes, "whole\nbrok\nwhole again\n");
}

static void a_line_that_is_too_long_is_dropped(void **state)
{
    struct scratch *scratch = *state;
    struct tg_logfile *file = open_log(scratch->path);
    TG_FREED char *line = tg_alloc((16 << 10) + 1);

    memset(line, 'x', (16 << 10) + 1);
    tg_logfile_put(file, line, (16 << 10) + 1);
    assert_int_equal(tg_logfile_dropped(file), 1);
    line[(16 << 10) - 1] = '\n';
    tg_logfile_put(file, line, 16 << 10);
    assert_int_equal(tg_logfile_dropped(file), 1);
    tg_logfile_free(file);
}

static void reopening_begins_a_new_file(void **state)
{
    struct scratch *scratch = *state;
    struct tg_logfile *file = open_log(scratch->path);
    TG_FREED char *old = tg_format("%s.1", scratch->path);

    put(file, "before\n");
    wait_for(scratch->path, "before\n");
    assert_int_equal(rename(scratch->path, old), 0);
    tg_logfile_reopen(file);
    for (struct stat there; stat(scratch->path, &there) != 0;)
        usleep(1000);
    put(file, "behind\n");
    tg_logfile_free(file);
    TG_FREED char *first = read_all(old);
    TG_FREED char *second = read_all(scratch->path);
    assert_string_equal(first, "before\n");
    assert_string_equal(second, "behind\n");
}

static void a_place_that_cannot_be_written_is_refused(void **state)
{
    struct tg_logfile *file;

    assert_result(TG_FAILED, tg_logfile_new("/nowhere/at/all.log", &file));
    assert_non_null(strstr(tg_failure(), "/nowhere/at/all.log"));
    tg_logfile_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(lines_are_in_the_file_within_a_second_or_two),
        scratch_test(a_block_is_written_at_once),
        scratch_test(every_line_of_every_ring_is_there_whole_and_in_order),
        scratch_test(a_full_ring_drops_and_counts_and_never_waits),
        scratch_test(a_full_disk_drops_and_counts),
        scratch_test(lines_begin_at_beginnings_after_a_full_disk),
        scratch_test(a_line_that_is_too_long_is_dropped),
        scratch_test(reopening_begins_a_new_file),
        scratch_test(a_place_that_cannot_be_written_is_refused),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
