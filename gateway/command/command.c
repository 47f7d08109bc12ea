#include "command/command.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "store/clock.h"
#include "store/doorbell.h"
#include "supervisor/privileges.h"
#include "supervisor/snapshot.h"

int tg_run_refuse(enum tg_exit status, const char *format, ...)
{
    va_list args;

    fputs("teagate: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

int tg_run_failed(const char *doing)
{
    return tg_run_refuse(TG_EXIT_FAILED, "%s: %s", doing, tg_failure());
}

void tg_run_print(struct tg_text text)
{
    fwrite(text.base, 1, text.len, stdout);
}

void tg_run_print_json(json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    fputc('\n', stdout);
    json_decref(json);
}

static int read_config(struct tg_run *run)
{
    TG_STRING text = {NULL, 0, 0};
    int result = tg_file_read(run->config_path, TG_SNAPSHOT_LIMIT, &text);

    if (result == TG_FILE_ABSENT)
        return tg_run_refuse(TG_EXIT_FAILED, "there is no file %s; name yours with --config, or begin with: teagate conf example",
                             run->config_path);
    if (result == TG_FILE_TOO_LARGE)
        return tg_run_refuse(TG_EXIT_FAILED, "%s is larger than %d bytes", run->config_path, TG_SNAPSHOT_LIMIT);
    if (result < 0)
        return tg_run_failed("the configuration");
    tg_site_conf_read(&run->file, run->config_path, tg_string_text(&text), &run->conf);
    return TG_EXIT_DONE;
}

int tg_run_read_config(struct tg_run *run)
{
    int status = read_config(run);

    if (status != TG_EXIT_DONE || run->file.errors.len == 0)
        return status;
    fputs(run->file.errors.base, stderr);
    return TG_EXIT_FAILED;
}

int tg_run_configure_anyhow(struct tg_run *run)
{
    int status = read_config(run);

    if (status == TG_EXIT_DONE && run->file.errors.len == 0)
        tg_privileges_become(run->conf.user); /* a user that is unknown is told by whoever serves */
    return status;
}

int tg_run_configure(struct tg_run *run)
{
    int status = tg_run_read_config(run);

    if (status != TG_EXIT_DONE)
        return status;
    return tg_privileges_become(run->conf.user) == 0 ? TG_EXIT_DONE : tg_run_failed("becoming the service user");
}

/* At its best: a change that nobody hears of is found all the same, a moment later. */
static void fit_button(struct tg_run *run)
{
    if (tg_space_new(&run->conf.redis, &run->store, &run->space) != 0)
        return;
    run->link = tg_redis_link_new(run->space->redis);
    tg_button_fit(&run->store, run->space, run->link);
}

int tg_run_open_store(struct tg_run *run)
{
    int result = tg_run_configure(run);

    if (result != TG_EXIT_DONE)
        return result;
    result = tg_store_open(run->conf.state, &run->store);
    if (result == TG_STORE_ABSENT)
        return tg_run_refuse(TG_EXIT_FAILED, "there is no database in %s yet; start the service once: teagate serve", run->conf.state);
    if (result == TG_STORE_OLDER)
        return tg_run_refuse(TG_EXIT_FAILED, "%s; teagate reload brings the database to this release", tg_failure());
    if (result == TG_STORE_NEWER)
        return tg_run_refuse(TG_EXIT_FAILED, "%s; use the program of the newer release", tg_failure());
    if (result < 0)
        return tg_run_failed("opening the database");
    if (tg_clock_follow(&run->store) < 0)
        return tg_run_failed("reading what is known about the clock");
    fit_button(run);
    return TG_EXIT_DONE;
}

static int run_line(const struct tg_noun *nouns, const struct tg_line *line, const char *program)
{
    struct tg_run run = {.words = line->words, .config_path = line->common.config, .program = program, .json = line->common.json};
    TG_STRING help = {NULL, 0, 0};
    int status;

    if (line->common.help) {
        tg_help_write(&help, nouns, line->noun, line->verb);
        tg_run_print(tg_string_text(&help));
        return TG_EXIT_DONE;
    }
    status = line->verb->run(&run, line->values);
    tg_store_close(&run.store);
    tg_redis_link_free(run.link);
    tg_space_free(run.space);
    tg_conf_done(&run.file);
    return status;
}

/* Descriptors 0 to 2 are always taken: no file of ours may end up where messages are written. */
static void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

int tg_command_main(const struct tg_noun *nouns, int argc, char **argv)
{
    TG_STRING errors = {NULL, 0, 0};
    struct tg_line line;
    int status;

    fill_standard_descriptors();
    tg_time_init();
    if (tg_secret_init() < 0)
        return tg_run_failed("starting");
    if (tg_line_read(nouns, argc, argv, &line, &errors) != 0)
        return tg_run_refuse(TG_EXIT_USAGE, "%.*s", (int)errors.len - 1, errors.base);
    status = run_line(nouns, &line, argv[0]);
    free(line.values);
    if (fflush(stdout) != 0 && status == TG_EXIT_DONE)
        return tg_run_refuse(TG_EXIT_FAILED, "standard output could not be written");
    return status;
}
