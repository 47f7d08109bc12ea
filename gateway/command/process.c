#include "command/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include "base/clock.h"
#include "base/result.h"
#include "supervisor/snapshot.h"

const struct tg_option tg_process_options[] = {
    {"control", offsetof(struct tg_process_values, control), "FD", true, "the channel to the supervisor"},
    {"snapshot", offsetof(struct tg_process_values, snapshot), "FD", true, "the configuration as it was checked"},
    {"generation", offsetof(struct tg_process_values, generation), "N", true, "for logs and status"},
    {"listen", offsetof(struct tg_process_values, listen), "KIND=FD,...", false, "listening sockets"},
    {NULL},
};

/* A descriptor that we were given; from here on no program that we start gets it. */
static bool take_descriptor(const char *text, int *fd)
{
    uint64_t number;

    if (!tg_text_number(tg_text(text), &number) || number > 65535 || fcntl((int)number, F_SETFD, FD_CLOEXEC) != 0)
        return false;
    *fd = (int)number;
    return true;
}

int tg_process_begin(struct tg_run *run, const struct tg_process_values *values, struct tg_process *process)
{
    TG_STRING text = {NULL, 0, 0};
    uint64_t generation = 0;
    TG_CLOSED int snapshot = -1;

    signal(SIGPIPE, SIG_IGN); /* who does not listen any more, a client, Gitea, or a reader of our log, is an error of its connection only */
    *process = (struct tg_process){.run = run, .control = -1, .listen = values->listen};
    if (!take_descriptor(values->control, &process->control) || !take_descriptor(values->snapshot, &snapshot) ||
        !tg_text_number(tg_text(values->generation), &generation))
        return tg_run_refuse(TG_EXIT_USAGE, "this is started by the supervisor; use: teagate serve");
    process->generation = (int64_t)generation;
    if (tg_snapshot_read(snapshot, &text) < 0)
        return tg_process_failed(process, "the configuration");
    tg_site_conf_read(&run->file, run->config_path, tg_string_text(&text), &run->conf);
    return TG_EXIT_DONE;
}

void tg_process_end(struct tg_process *process)
{
    if (process->control >= 0)
        close(process->control);
    tg_string_done(&process->buffer);
}

void tg_process_say(struct tg_process *process, const char *verb, struct tg_text rest)
{
    tg_control_send(process->control, verb, rest); /* a supervisor that is gone is found when it is listened to */
}

int tg_process_failed(struct tg_process *process, const char *doing)
{
    TG_FREED char *why = tg_format("%s: %s", doing, tg_failure());

    tg_process_say(process, "failed", tg_text(why));
    return TG_EXIT_FAILED;
}

int tg_process_hear(struct tg_process *process, int64_t wait_ms, struct tg_control_message *message)
{
    struct pollfd fd = {.fd = process->control, .events = POLLIN};

    if (poll(&fd, 1, (int)wait_ms) <= 0)
        return TG_CONTROL_NONE;
    int result = tg_control_receive(process->control, &process->buffer, message);
    return result < 0 ? TG_CONTROL_CLOSED : result;
}
