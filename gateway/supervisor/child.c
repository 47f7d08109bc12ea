#include "supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/result.h"
#include "supervisor/privileges.h"

enum { FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 5000, LIVED_MS = 2000 };

void tg_child_init(struct tg_child *child, const char *role)
{
    *child = (struct tg_child){.role = role, .state = TG_CHILD_DOWN, .control = -1};
}

static int inherit(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    if (flags < 0 || fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) != 0)
        return tg_fail_errno("cannot hand over descriptor %d", fd);
    return 0;
}

/* A process group of its own: Ctrl-C in a terminal is for the supervisor, which drains the others. */
static int set_up_process(const struct tg_child_start *how, int control, pid_t parent)
{
    sigset_t none;

    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        return tg_fail_errno("cannot tie the process to the supervisor");
    if (getppid() != parent)
        return tg_fail("the supervisor is gone");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    tg_try(inherit(control));
    tg_try(inherit(how->snapshot));
    for (size_t i = 0; i < how->listen_count; i++)
        tg_try(inherit(how->listen_fds[i]));
    return tg_privileges_drop();
}

static void run_program(const char *role, const struct tg_child_start *how, int control, pid_t parent)
{
    char control_fd[16], snapshot_fd[16], generation[24];
    const char *arguments[] = {how->program,     role,        "--config",     how->config,  "--control", control_fd, "--snapshot",
                               snapshot_fd, "--generation", generation, how->listen != NULL ? "--listen" : NULL, how->listen, NULL};

    snprintf(control_fd, sizeof(control_fd), "%d", control);
    snprintf(snapshot_fd, sizeof(snapshot_fd), "%d", how->snapshot);
    snprintf(generation, sizeof(generation), "%lld", (long long)how->generation);
    if (set_up_process(how, control, parent) == 0) {
        execv(how->program, (char *const *)arguments);
        tg_fail_errno("cannot run %s", how->program);
    }
    tg_control_send(control, "failed", tg_text(tg_failure()));
    _exit(127);
}

int tg_child_start(struct tg_child *child, const struct tg_child_start *how)
{
    int ends[2];
    pid_t parent = getpid();

    tg_try(tg_control_pair(ends));
    pid_t pid = fork();
    if (pid == 0)
        run_program(child->role, how, ends[1], parent);
    int number = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        errno = number;
        return tg_fail_errno("cannot start %s", child->role);
    }
    child->pid = pid;
    child->control = ends[0];
    child->state = TG_CHILD_STARTING;
    child->started_ms = tg_monotonic_ms();
    child->serving_ms = 0;
    child->restart_ms = 0;
    child->deadline_ms = how->deadline_ms;
    child->why[0] = '\0';
    return 0;
}

void tg_child_tell(struct tg_child *child, const char *verb, struct tg_text rest)
{
    if (child->control >= 0)
        tg_control_send(child->control, verb, rest); /* one that does not listen is found by its deadline or its end */
}

void tg_child_kill(struct tg_child *child)
{
    if (child->pid > 0)
        kill(child->pid, SIGKILL);
}

void tg_child_end(struct tg_child *child, const char *verb, int64_t deadline_ms)
{
    if (child->pid == 0) {
        child->state = TG_CHILD_GONE;
        child->restart_ms = 0;
        return;
    }
    if (child->state != TG_CHILD_ENDING)
        tg_child_tell(child, verb, tg_text(NULL));
    child->state = TG_CHILD_ENDING;
    child->deadline_ms = deadline_ms;
}

/* Keeps what the process said itself: that names the cause, the exit status does not. */
static void note_end(struct tg_child *child, int status)
{
    if (child->why[0] != '\0')
        return;
    if (WIFSIGNALED(status))
        snprintf(child->why, sizeof(child->why), "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(child->why, sizeof(child->why), "ended by itself with status %d", WEXITSTATUS(status));
}

int tg_child_wait(struct tg_child *child, int *status)
{
    return child->pid > 0 && waitpid(child->pid, status, WNOHANG) == child->pid ? 0 : TG_CHILD_LIVES;
}

void tg_child_close(struct tg_child *child, int status)
{
    note_end(child, status);
    child->was_killed = WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM);
    child->pid = 0;
    close(child->control);
    child->control = -1;
    child->deadline_ms = 0;
    child->serving_ms = child->state == TG_CHILD_SERVING ? child->serving_ms : 0;
}

void tg_child_schedule(struct tg_child *child, int64_t now_ms)
{
    bool lived = child->serving_ms != 0 && (child->was_killed || now_ms - child->serving_ms >= LIVED_MS);

    if (lived)
        child->pause_ms = 0;
    child->state = TG_CHILD_DOWN;
    child->restart_ms = now_ms + child->pause_ms;
    child->restarts++;
    if (child->pause_ms == 0)
        child->pause_ms = FIRST_PAUSE_MS;
    else
        child->pause_ms = child->pause_ms * 2 < LONGEST_PAUSE_MS ? child->pause_ms * 2 : LONGEST_PAUSE_MS;
}

const char *tg_child_state_name(enum tg_child_state state)
{
    static const char *const names[] = {"down", "starting", "ready", "serving", "ending", "gone"};

    return names[state];
}
