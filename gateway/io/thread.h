/*
 * thread.h - starting a thread that has a name and takes no signals
 *
 * Signals are the main thread's; only faults (SIGSEGV and its kin) stay deliverable everywhere, so that crash handlers see them.
 */
#ifndef TG_IO_THREAD_H
#define TG_IO_THREAD_H

#include <pthread.h>

/* name: at most 15 characters, seen in top -H and in debuggers. */
int tg_thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument), void *argument);

#endif
