#include "supervisor/events.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include "base/log.h"
#include "base/result.h"

/* process lifetime: the log is one for the process */
static char file[PATH_MAX];
static int file_fd = -1;

static void put_line(const char *line, size_t len)
{
    if (file_fd >= 0 && write(file_fd, line, len) == (ssize_t)len)
        return;
    (void)!write(STDERR_FILENO, line, len); /* nowhere to report that this fails */
}

/* The number of an open log stays: another thread may be writing a line, and must not find somebody else's file under it. */
static int replace_file(int made)
{
    int result = dup3(made, file_fd, O_CLOEXEC) >= 0 ? 0 : tg_fail_errno("cannot change to the event log %s", file);

    close(made);
    return result;
}

int tg_events_reopen(void)
{
    if (file[0] == '\0')
        return 0;
    int made = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (made < 0)
        return tg_fail_errno("cannot open the event log %s", file);
    if (file_fd >= 0)
        return replace_file(made);
    file_fd = made;
    tg_log_set_sink(put_line);
    return 0;
}

int tg_events_open(const char *path)
{
    if (path != NULL && strlen(path) >= sizeof(file))
        return tg_fail("the path of the event log is too long");
    snprintf(file, sizeof(file), "%s", path != NULL ? path : "");
    tg_try(tg_events_reopen());
    tg_log_set_sink(file[0] != '\0' ? put_line : NULL);
    return 0;
}
