#include "io/thread.h"
#include <errno.h>
#include <signal.h>
#include "base/result.h"

/* The new thread inherits the caller's mask, so it never runs with signals open. */
static void block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t blocked;

    sigfillset(&blocked);
    for (size_t i = 0; i < tg_count(faults); i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, before);
}

int tg_thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument), void *argument)
{
    sigset_t before;

    block_signals(&before);
    int error = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (error != 0) {
        errno = error;
        return tg_fail_errno("cannot start thread %s", name);
    }
    pthread_setname_np(*thread, name);
    return 0;
}
