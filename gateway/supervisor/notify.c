#include "supervisor/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/result.h"

void tg_notify(const char *state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");

    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(name.sun_path))
        return;
    memcpy(name.sun_path, path, strlen(path));
    if (path[0] == '@')
        name.sun_path[0] = '\0'; /* the abstract name space */
    TG_CLOSED int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    /* a service manager that does not listen is not our trouble */
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&name,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
}
