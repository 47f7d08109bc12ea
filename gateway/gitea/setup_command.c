/*
 * setup_command.c - runs Gitea's own command line
 */
#include "gitea/setup_command.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/result.h"

enum { DEADLINE_MS = 60 * 1000, OUTPUT_LIMIT = 256 * 1024, ARGUMENTS = 48, GROUPS = 64 };

/* Everything the child needs, made before the fork: between fork and exec nothing is allocated. */
struct child {
    char *arguments[ARGUMENTS];
    char *environment[8];
    struct tg_arena arena;
    bool become;
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUPS];
    int group_count;
    int out, err;
};

static int find_user(const struct tg_gitea_conf *conf, struct child *child)
{
    struct stat st;
    struct passwd *user;

    if (stat(conf->app_ini, &st) != 0)
        return tg_fail_errno("app-ini: %s", conf->app_ini);
    if (geteuid() != 0)
        user = getpwuid(geteuid());
    else
        user = conf->run_as != NULL ? getpwnam(conf->run_as) : getpwuid(st.st_uid);
    if (user == NULL && geteuid() == 0)
        return tg_fail("run-as: there is no user %s", conf->run_as != NULL ? conf->run_as : "that owns app-ini");
    if (geteuid() == 0 && user->pw_uid == 0)
        return tg_fail("Gitea does not run as root; give %s to Gitea's user, or name him with run-as", conf->app_ini);

    if (geteuid() == 0) {
        child->become = true;
        child->uid = user->pw_uid;
        child->gid = user->pw_gid;
        child->group_count = GROUPS;
        if (getgrouplist(user->pw_name, user->pw_gid, child->groups, &child->group_count) < 0)
            return tg_fail("run-as: %s is in too many groups", user->pw_name);
    }
    size_t n = 0;
    const char *path = getenv("PATH");
    child->environment[n++] = tg_arena_format(&child->arena, "PATH=%s", path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
    child->environment[n++] = tg_arena_format(&child->arena, "HOME=%s", user != NULL ? user->pw_dir : "/");
    child->environment[n++] = tg_arena_format(&child->arena, "USER=%s", user != NULL ? user->pw_name : "gitea");
    child->environment[n++] = "LANG=C.UTF-8";
    child->environment[n] = NULL;
    return 0;
}

static int make_arguments(const struct tg_gitea_conf *conf, const char *const *arguments, struct child *child)
{
    size_t n = 0;

    child->arguments[n++] = tg_arena_copy(&child->arena, tg_text(conf->binary != NULL ? conf->binary : "gitea"));
    child->arguments[n++] = "--config";
    child->arguments[n++] = tg_arena_copy(&child->arena, tg_text(conf->app_ini));
    for (size_t i = 0; arguments[i] != NULL; ++i) {
        if (n + 1 >= ARGUMENTS)
            return tg_fail("too many arguments for Gitea's command line");
        child->arguments[n++] = tg_arena_copy(&child->arena, tg_text(arguments[i]));
    }
    child->arguments[n] = NULL;
    return 0;
}

static void __attribute__((noreturn)) become_gitea(struct child *child)
{
    const struct rlimit no_core = {0, 0}, files = {1024, 1024}, cpu = {60, 60};
    int null = open("/dev/null", O_RDWR);

    setpgid(0, 0);
    dup2(null, STDIN_FILENO);
    dup2(child->out, STDOUT_FILENO);
    dup2(child->err, STDERR_FILENO);
    close_range(3, UINT_MAX, 0);
    setrlimit(RLIMIT_CORE, &no_core);
    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_CPU, &cpu);
    umask(077);
    if (child->become &&
        (setgroups((size_t)child->group_count, child->groups) != 0 || setgid(child->gid) != 0 || setuid(child->uid) != 0))
        _exit(126);
    if (chdir("/") != 0)
        _exit(126);
    execvpe(child->arguments[0], child->arguments, child->environment);
    _exit(127);
}

/* False at the end of this pipe. Beyond the limit output is read, so that the child goes on, and dropped. */
static bool take_output(int fd, struct tg_string *into)
{
    char bytes[4096];
    ssize_t got = read(fd, bytes, sizeof(bytes));

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (got <= 0)
        return false;
    if (into->len + (size_t)got <= OUTPUT_LIMIT)
        tg_string_add(into, tg_text_n(bytes, (size_t)got));
    return true;
}

/* Until both pipes are closed; false when the time was over before. */
static bool collect(int out_fd, int err_fd, struct tg_string *out, struct tg_string *err)
{
    int64_t until_ms = tg_monotonic_ms() + DEADLINE_MS;
    struct pollfd fds[2] = {{out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}};

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        int64_t left_ms = until_ms - tg_monotonic_ms();
        if (left_ms <= 0)
            return false;
        if (poll(fds, 2, (int)left_ms) < 0 && errno != EINTR)
            return false;
        if (fds[0].revents != 0 && !take_output(out_fd, out))
            fds[0].fd = -1;
        if (fds[1].revents != 0 && !take_output(err_fd, err))
            fds[1].fd = -1;
    }
    return true;
}

static struct tg_text last_line(struct tg_text text)
{
    while (text.len > 0 && (text.base[text.len - 1] == '\n' || text.base[text.len - 1] == ' '))
        --text.len;
    const char *newline = text.len > 0 ? memrchr(text.base, '\n', text.len) : NULL;
    if (newline != NULL)
        text = tg_text_n(newline + 1, text.len - (size_t)(newline + 1 - text.base));
    if (text.len > 300)
        text.len = 300;
    return text;
}

static int wait_for(pid_t pid, bool in_time, const struct child *child, const struct tg_string *err)
{
    int status;

    if (!in_time)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return tg_fail_errno("waiting for %s", child->arguments[0]);
    }
    if (!in_time)
        return tg_fail("%s did not end within %d s and was stopped", child->arguments[0], DEADLINE_MS / 1000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return tg_fail("the gitea program cannot be run: %s (set `binary`)", child->arguments[0]);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
        return tg_fail("cannot become Gitea's user to run %s", child->arguments[0]);
    return tg_fail("%s said: %.*s", child->arguments[0], TG_TEXT_ARGS(last_line(tg_string_text(err))));
}

static int run(struct child *child, struct tg_string *out)
{
    int out_pipe[2], err_pipe[2];

    if (pipe2(out_pipe, O_CLOEXEC) != 0)
        return tg_fail_errno("pipe");
    TG_CLOSED int out_read = out_pipe[0], out_write = out_pipe[1];
    if (pipe2(err_pipe, O_CLOEXEC) != 0)
        return tg_fail_errno("pipe");
    TG_CLOSED int err_read = err_pipe[0], err_write = err_pipe[1];
    child->out = out_write;
    child->err = err_write;

    pid_t pid = fork();
    if (pid < 0)
        return tg_fail_errno("fork");
    if (pid == 0)
        become_gitea(child);
    setpgid(pid, pid); /* also here: whoever is first, the group exists before it may have to be killed */
    close(out_write);
    close(err_write);
    out_write = err_write = -1;

    TG_STRING err = {0};
    bool in_time = collect(out_read, err_read, out, &err);
    return wait_for(pid, in_time, child, &err);
}

int tg_gitea_command(const struct tg_gitea_conf *conf, const char *const *arguments, struct tg_string *out)
{
    struct child child = {0};

    if (conf->app_ini == NULL)
        return tg_fail("app-ini is not configured for %s: it names Gitea's configuration file", conf->host);
    int result = find_user(conf, &child);
    if (result == 0)
        result = make_arguments(conf, arguments, &child);
    if (result == 0)
        result = run(&child, out);
    tg_arena_done(&child.arena);
    return result;
}
