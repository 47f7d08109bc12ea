/*
 * redis_server.h - a real redis-server of a test's own: a unix socket in its directory, nothing on disk, ended with the test
 */
#ifndef TG_TEST_REDIS_SERVER_H
#define TG_TEST_REDIS_SERVER_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "scratch.h"

/* Debian's tools and server are one program that looks at its name; the tools' package starts nothing. */
#define REDIS_PROGRAM "/usr/bin/redis-check-rdb"

/* Where a test is not about the time a call may take, a busy machine gets enough of it. */
enum { REDIS_PATIENCE_MS = 5000 };

struct redis_server {
    char directory[64];
    char socket[96];
    const char *password; /* NULL: none */
    pid_t pid;
};

static inline void redis_pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static inline bool redis_listens(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    int result = connect(fd, (struct sockaddr *)&name, sizeof(name));
    close(fd);
    return result == 0;
}

static inline bool redis_is_installed(void)
{
    return access(REDIS_PROGRAM, X_OK) == 0;
}

static inline void redis_start(struct redis_server *server)
{
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves nothing behind */
        freopen("/dev/null", "w", stdout);
        execl(REDIS_PROGRAM, "redis-server", "--port", "0", "--unixsocket", server->socket, "--save", "", "--appendonly", "no",
              "--dir", server->directory, "--maxmemory", "16mb", "--requirepass", server->password != NULL ? server->password : "",
              (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000 && !redis_listens(server->socket); i++)
        redis_pause_ms(10);
    assert_true(redis_listens(server->socket));
}

static inline void redis_stop(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    unlink(server->socket);
    server->pid = 0;
}

/* A directory, and a server in it. */
static inline int redis_server_make(struct redis_server *server)
{
    struct scratch *scratch;

    if (scratch_make((void **)&scratch) != 0)
        return -1;
    *server = (struct redis_server){.password = server->password};
    snprintf(server->directory, sizeof(server->directory), "%s", scratch->directory);
    snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", scratch->directory);
    free(scratch);
    return 0;
}

static inline void redis_server_remove(struct redis_server *server)
{
    redis_stop(server);
    nftw(server->directory, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
