/*
 * supervisor.h - the process that holds the listening sockets and keeps front and jobs alive
 *
 * It parses nothing from the network and reads no configuration: plan.h. It starts its own program again, from the path by which it was
 * started itself, with the subcommands prepare, front and jobs; so a program that was replaced is taken at the next reload.
 *
 *   SIGHUP            reload            SIGTERM, SIGINT    drain and end; a second one: end at once
 *   SIGUSR1           open log files anew
 */
#ifndef TG_SUPERVISOR_SUPERVISOR_H
#define TG_SUPERVISOR_SUPERVISOR_H

#include "base/text.h"

struct tg_supervisor_options {
    const char *program; /* path, absolute; not resolved: what it leads to at the time of a start is run */
    const char *config;
};

/* Serves until it is told to end. NOT_STARTED: the first generation did not come up; why, a line each, is in errors. */
enum { TG_SUPERVISOR_NOT_STARTED = 1 };
int tg_supervisor_run(const struct tg_supervisor_options *options, struct tg_string *errors);

#endif
