#include "supervisor/control.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/result.h"

enum { BACKLOG = 16 };

int tg_control_pair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return tg_fail_errno("cannot make a control channel");
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        tg_fail_errno("cannot set up a control channel");
        close(ends[0]);
        close(ends[1]);
        return TG_FAILED;
    }
    return 0;
}

static int name_socket(const char *path, struct sockaddr_un *name)
{
    if (strlen(path) >= sizeof(name->sun_path))
        return tg_fail("%s is too long for a socket (%zu bytes at the most); choose a shorter `run` directory", path,
                       sizeof(name->sun_path) - 1);
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    strcpy(name->sun_path, path);
    return 0;
}

int tg_control_listen(const char *path, int *fd)
{
    struct sockaddr_un name;

    tg_try(name_socket(path, &name));
    int made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0)
        return tg_fail_errno("cannot make a socket");
    unlink(path); /* the caller holds the lock of the directory: whoever listened there is gone */
    mode_t mask = umask(0177);
    int result = bind(made, (struct sockaddr *)&name, sizeof(name));
    umask(mask);
    if (result != 0 || listen(made, BACKLOG) != 0) {
        tg_fail_errno("cannot listen on %s", path);
        close(made);
        return TG_FAILED;
    }
    *fd = made;
    return 0;
}

int tg_control_connect(const char *path, int *fd)
{
    struct sockaddr_un name;

    tg_try(name_socket(path, &name));
    int made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (made < 0)
        return tg_fail_errno("cannot make a socket");
    if (connect(made, (struct sockaddr *)&name, sizeof(name)) == 0) {
        *fd = made;
        return 0;
    }
    int number = errno;
    close(made);
    if (number == ENOENT || number == ECONNREFUSED)
        return TG_CONTROL_NOBODY;
    if (number == EACCES || number == EPERM)
        return TG_CONTROL_FORBIDDEN;
    errno = number;
    return tg_fail_errno("cannot connect to %s", path);
}

int tg_control_send(int fd, const char *verb, struct tg_text rest)
{
    TG_STRING packet = {NULL, 0, 0};

    tg_string_add(&packet, tg_text(verb));
    if (rest.base != NULL) {
        size_t room = TG_CONTROL_MESSAGE - packet.len - 1;

        tg_string_add(&packet, TG_TEXT(" "));
        tg_string_add(&packet, tg_text_n(rest.base, rest.len < room ? rest.len : room));
    }
    for (;;) {
        if (send(fd, packet.base, packet.len, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR)
            return tg_fail_errno("cannot send \"%s\"", verb);
    }
}

void tg_control_read(struct tg_text packet, struct tg_control_message *out)
{
    out->rest = packet;
    out->verb = tg_text_cut(&out->rest, ' ');
}

int tg_control_receive(int fd, struct tg_string *buffer, struct tg_control_message *out)
{
    if (buffer->capacity < TG_CONTROL_MESSAGE + 1) {
        buffer->base = tg_realloc(buffer->base, TG_CONTROL_MESSAGE + 1);
        buffer->capacity = TG_CONTROL_MESSAGE + 1;
    }
    for (;;) {
        ssize_t got = recv(fd, buffer->base, TG_CONTROL_MESSAGE, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return TG_CONTROL_NONE;
        if (got < 0 && errno != ECONNRESET)
            return tg_fail_errno("cannot read a control channel");
        if (got <= 0)
            return TG_CONTROL_CLOSED; /* empty packets are never sent */
        buffer->len = (size_t)got;
        buffer->base[got] = '\0';
        tg_control_read(tg_string_text(buffer), out);
        return 0;
    }
}
