#include "command/ask.h"

#include <poll.h>
#include <stdio.h>
#include "base/result.h"

enum { PATIENCE_MS = 6 * 60 * 1000 }; /* a reload may migrate a large store */

/* A configuration with errors is no hindrance, as long as it leads to the service: that reads it itself, and answers with its errors. */
static int connect_to(struct tg_run *run, int *fd)
{
    const char *path = tg_site_supervisor_socket(&run->conf);
    int result = tg_control_connect(path, fd);

    if (result != 0 && run->file.errors.len > 0) {
        fputs(run->file.errors.base, stderr);
        return TG_EXIT_FAILED;
    }
    if (result == TG_CONTROL_NOBODY)
        return tg_run_refuse(TG_EXIT_DOWN, "the service does not run (nobody listens on %s); start it: systemctl start teagate", path);
    if (result == TG_CONTROL_FORBIDDEN)
        return tg_run_refuse(TG_EXIT_FAILED, "%s is for the service user only; run this as that user or as root", path);
    return result == 0 ? TG_EXIT_DONE : tg_run_failed("reaching the service");
}

static int listen_to(int fd, void (*heard)(const struct tg_control_message *message, void *context), void *context)
{
    TG_STRING buffer = {NULL, 0, 0};
    struct tg_control_message message;
    bool is_answered = false;

    for (;;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};

        if (poll(&waiting, 1, PATIENCE_MS) == 0)
            return tg_run_refuse(TG_EXIT_FAILED, "the service did not answer in time; its event log may say why");
        int result = tg_control_receive(fd, &buffer, &message);
        if (result < 0)
            return tg_run_failed("listening to the service");
        if (result == TG_CONTROL_CLOSED && !is_answered)
            return tg_run_refuse(TG_EXIT_DOWN, "the service ended before it answered; its event log may say why");
        if (result == TG_CONTROL_CLOSED)
            return TG_EXIT_DONE;
        is_answered = true;
        heard(&message, context);
    }
}

int tg_ask(struct tg_run *run, const char *verb, void (*heard)(const struct tg_control_message *message, void *context), void *context)
{
    TG_CLOSED int fd = -1;
    int status = tg_run_configure_anyhow(run);

    if (status == TG_EXIT_DONE)
        status = connect_to(run, &fd);
    if (status != TG_EXIT_DONE)
        return status;
    if (tg_control_send(fd, verb, tg_text(NULL)) < 0)
        return tg_run_failed("asking the service");
    return listen_to(fd, heard, context);
}
