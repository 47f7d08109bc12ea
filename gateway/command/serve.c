/* serve.c - `teagate serve`: becomes the supervisor */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/result.h"
#include "command/command.h"
#include "command/nouns.h"
#include "supervisor/supervisor.h"

static bool is_this_program(const char *path)
{
    struct stat there, here;

    return stat(path, &there) == 0 && stat("/proc/self/exe", &here) == 0 && there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

static char *absolute(const char *path)
{
    char directory[PATH_MAX];

    if (path[0] == '/' || getcwd(directory, sizeof(directory)) == NULL)
        return tg_strdup(path);
    return tg_format("%s/%s", directory, path);
}

static char *find_on_path(const char *name)
{
    const char *path = getenv("PATH");
    struct tg_text rest = tg_text(path != NULL ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin");

    while (rest.base != NULL) {
        struct tg_text directory = tg_text_cut(&rest, ':');
        TG_FREED char *candidate = tg_format("%.*s/%s", TG_TEXT_ARGS(directory), name);

        if (is_this_program(candidate))
            return absolute(candidate);
    }
    return tg_strdup(name);
}

/* The path by which we were started, links unresolved: an upgrade may replace the file or turn the link. */
static int find_program(const char *argument, char **program)
{
    TG_FREED char *found = strchr(argument, '/') != NULL ? absolute(argument) : find_on_path(argument);
    char real[PATH_MAX];

    if (is_this_program(found)) {
        *program = tg_keep(found);
        return 0;
    }
    ssize_t len = readlink("/proc/self/exe", real, sizeof(real) - 1);
    if (len < 0)
        return tg_fail_errno("cannot find the program's own path");
    real[len] = '\0';
    *program = tg_strdup(real);
    return 0;
}

static int serve(struct tg_run *run, const void *values)
{
    TG_STRING errors = {NULL, 0, 0};
    TG_FREED char *program = NULL;
    TG_FREED char *config = absolute(run->config_path);

    (void)values;
    if (find_program(run->program, &program) < 0)
        return tg_run_failed("starting");
    struct tg_supervisor_options options = {.program = program, .config = config};
    int result = tg_supervisor_run(&options, &errors);
    if (result < 0)
        return tg_run_failed("serving");
    if (result == TG_SUPERVISOR_NOT_STARTED)
        return tg_run_refuse(TG_EXIT_FAILED, "the service did not start:\n%.*s", (int)errors.len - 1, errors.base);
    return TG_EXIT_DONE;
}

const struct tg_verb tg_serve_verbs[] = {
    {NULL, NULL, 0, NULL, 0, serve, "run the service in the foreground"},
    {NULL},
};
