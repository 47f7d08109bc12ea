#include "supervisor/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/result.h"

enum { BACKLOG = 1024 };

bool tg_listeners_wanted(const struct tg_listening *listening, const struct tg_plan *plan)
{
    for (size_t i = 0; plan != NULL && i < plan->bind_count; i++) {
        if (memcmp(&listening->bind, &plan->binds[i], sizeof(listening->bind)) == 0)
            return true;
    }
    return false;
}

static bool is_open(const struct tg_listeners *listeners, const struct tg_bind *bind)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (memcmp(&listeners->items[i].bind, bind, sizeof(*bind)) == 0)
            return true;
    }
    return false;
}

static void put(struct tg_listeners *listeners, const struct tg_bind *bind, int fd)
{
    listeners->items[listeners->count++] = (struct tg_listening){*bind, fd};
}

static void say_why(const struct tg_bind *bind, int number, struct tg_string *errors)
{
    const char *remedy = "";

    if (number == EADDRINUSE)
        remedy = "; another program has it (ss -ltnp), or the running configuration listens on a part of it: then restart";
    else if (number == EACCES || number == EPERM)
        remedy = bind->path[0] != '\0' ? "; give its directory to the service user"
                                       : "; ports below 1024 need a start as root with `user` set, or CAP_NET_BIND_SERVICE";
    else if (number == EADDRNOTAVAIL)
        remedy = "; no interface of this machine has that address";
    else if (number == ENOENT)
        remedy = "; its directory is missing";
    tg_string_add(errors, TG_TEXT("cannot listen on "));
    tg_bind_name(bind, errors);
    tg_string_addf(errors, ": %s%s\n", strerror(number), remedy);
}

/* 0, or an errno. */
static int open_tcp(const struct sockaddr *address, socklen_t len, int *fd)
{
    int one = 1;
    int made = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

    if (made < 0)
        return errno;
    bool failed = setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
                  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
                  (address->sa_family == AF_INET6 && setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) ||
                  bind(made, address, len) != 0 || listen(made, BACKLOG) != 0;
    int number = failed ? errno : 0;

    if (failed)
        close(made);
    else
        *fd = made;
    return number;
}

static int open_ip4(const char *host, uint16_t port, int *fd)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};

    if (host != NULL && inet_pton(AF_INET, host, &name.sin_addr) != 1)
        return EAFNOSUPPORT;
    return open_tcp((struct sockaddr *)&name, sizeof(name), fd);
}

static int open_ip6(const char *host, uint16_t port, int *fd)
{
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (host != NULL && inet_pton(AF_INET6, host, &name.sin6_addr) != 1)
        return EAFNOSUPPORT;
    return open_tcp((struct sockaddr *)&name, sizeof(name), fd);
}

/* A machine may lack one of the two families. */
static int open_all(struct tg_listeners *listeners, const struct tg_bind *bind)
{
    int ip4 = -1, ip6 = -1;
    int number4 = open_ip4(NULL, bind->port, &ip4);
    int number6 = open_ip6(NULL, bind->port, &ip6);
    bool without4 = number4 == EAFNOSUPPORT;
    bool without6 = number6 == EAFNOSUPPORT || number6 == EADDRNOTAVAIL;

    if ((number4 == 0 || without4) && (number6 == 0 || without6) && !(without4 && without6)) {
        if (ip4 >= 0)
            put(listeners, bind, ip4);
        if (ip6 >= 0)
            put(listeners, bind, ip6);
        return 0;
    }
    if (ip4 >= 0)
        close(ip4);
    if (ip6 >= 0)
        close(ip6);
    return number4 != 0 ? number4 : number6;
}

/* A socket file that nobody answers is left over from a crash. */
static int remove_stale(const struct sockaddr_un *name)
{
    struct stat stat;

    if (lstat(name->sun_path, &stat) != 0)
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(stat.st_mode))
        return EEXIST;
    TG_CLOSED int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return errno;
    if (connect(probe, (const struct sockaddr *)name, sizeof(*name)) == 0 || errno != ECONNREFUSED)
        return EADDRINUSE;
    return unlink(name->sun_path) == 0 ? 0 : errno;
}

static int open_unix(const char *path, int *fd)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int number;

    memcpy(name.sun_path, path, strlen(path) + 1);
    number = remove_stale(&name);
    if (number != 0)
        return number;
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0)
        return errno;
    mode_t mask = umask(0117); /* the group may read metrics */
    bool failed = bind(made, (struct sockaddr *)&name, sizeof(name)) != 0 || listen(made, BACKLOG) != 0;
    number = failed ? errno : 0;
    umask(mask);
    if (failed)
        close(made);
    else
        *fd = made;
    return number;
}

static int open_one(struct tg_listeners *listeners, const struct tg_bind *bind)
{
    int fd = -1;
    int number;

    if (bind->path[0] != '\0')
        number = open_unix(bind->path, &fd);
    else if (strcmp(bind->host, "*") == 0)
        return open_all(listeners, bind);
    else if (strchr(bind->host, ':') != NULL)
        number = open_ip6(bind->host, bind->port, &fd);
    else
        number = open_ip4(bind->host, bind->port, &fd);
    if (number == 0)
        put(listeners, bind, fd);
    return number;
}

static void shut(const struct tg_listening *listening)
{
    close(listening->fd);
    if (listening->bind.path[0] != '\0')
        unlink(listening->bind.path);
}

int tg_listeners_open(struct tg_listeners *listeners, const struct tg_plan *plan, struct tg_string *errors)
{
    size_t before = listeners->count;
    bool refused = false;

    for (size_t i = 0; i < plan->bind_count; i++) {
        const struct tg_bind *bind = &plan->binds[i];

        if (is_open(listeners, bind))
            continue;
        int number = listeners->count + 2 <= TG_LISTENING ? open_one(listeners, bind) : EMFILE;
        if (number != 0) {
            say_why(bind, number, errors);
            refused = true;
        }
    }
    if (!refused)
        return 0;
    while (listeners->count > before)
        shut(&listeners->items[--listeners->count]);
    return TG_LISTEN_REFUSED;
}

void tg_listeners_keep(struct tg_listeners *listeners, const struct tg_plan *plan)
{
    size_t kept = 0;

    for (size_t i = 0; i < listeners->count; i++) {
        if (tg_listeners_wanted(&listeners->items[i], plan))
            listeners->items[kept++] = listeners->items[i];
        else
            shut(&listeners->items[i]);
    }
    listeners->count = kept;
}
