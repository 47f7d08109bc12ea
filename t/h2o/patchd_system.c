/*
 * patchd_system.c - the clocks that the library sees, and a count of some of its system calls
 *
 * Defined here these functions come before the C library's. The wall clock can be moved, and the monotonic clock
 * starts at one second, as on a machine that has just booted, so every test also runs with timeouts that are
 * longer than the age of the clock.
 */
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "patchd.h"

static long wall_shift;
static time_t boot;

static void __attribute__((constructor)) set_boot(void)
{
    struct timespec ts;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
    boot = ts.tv_sec - 1;
}

void patchd_shift_wall_clock(long seconds)
{
    wall_shift += seconds;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int ret = (int)syscall(SYS_clock_gettime, id, ts);

    if (ret == 0 && id == CLOCK_MONOTONIC)
        ts->tv_sec -= boot;
    if (ret == 0 && id == CLOCK_REALTIME)
        ts->tv_sec += wall_shift;
    return ret;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    __atomic_fetch_add(&patchd_stats.epoll_ctl, 1, __ATOMIC_RELAXED);
    return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
    __atomic_fetch_add(&patchd_stats.epoll_wait, 1, __ATOMIC_RELAXED);
    return (int)syscall(SYS_epoll_pwait, epfd, events, max, timeout, NULL, 8);
}

ssize_t writev(int fd, const struct iovec *vec, int cnt)
{
    __atomic_fetch_add(&patchd_stats.writev, 1, __ATOMIC_RELAXED);
    return syscall(SYS_writev, fd, vec, cnt);
}
