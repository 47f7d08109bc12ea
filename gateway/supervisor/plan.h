/*
 * plan.h - what the supervisor knows of a configuration
 *
 * The supervisor does not read configuration files: the program that will serve does (`teagate prepare`, from the installed path, so that
 * a new release checks with its own keys), and tells over its control channel what the supervisor has to hold:
 *
 *   run DIRECTORY              of its own socket
 *   user NAME                  to become, when started as root
 *   events FILE                for the event log
 *   drain SECONDS              how long an old front may finish
 *   listen KIND HOST PORT      HOST * is all addresses; the kind is passed to the front as it is
 *   listen KIND unix PATH
 */
#ifndef TG_SUPERVISOR_PLAN_H
#define TG_SUPERVISOR_PLAN_H

#include <limits.h>
#include <stdint.h>
#include "supervisor/control.h"

enum { TG_BIND_KIND = 16, TG_BIND_HOST = 64, TG_BIND_PATH = 108, TG_BINDS = 32, TG_USER_NAME = 33 };

/* An address to listen on. All bytes behind the texts are zero: binds are compared as a whole. */
struct tg_bind {
    char kind[TG_BIND_KIND];
    char host[TG_BIND_HOST]; /* "*": all */
    char path[TG_BIND_PATH]; /* "" unless it is a unix socket */
    uint16_t port;
};

struct tg_plan {
    char run[PATH_MAX];
    char user[TG_USER_NAME];  /* "": stay */
    char events[PATH_MAX];    /* "": standard error */
    int64_t drain_s;
    struct tg_bind binds[TG_BINDS];
    size_t bind_count;
};

void tg_plan_init(struct tg_plan *plan);
/* Takes one message. TG_PLAN_UNKNOWN: its verb is none of the above. */
enum { TG_PLAN_UNKNOWN = 1 };
int tg_plan_take(struct tg_plan *plan, const struct tg_control_message *message);

void tg_bind_name(const struct tg_bind *bind, struct tg_string *out); /* "127.0.0.1:443", ":443", "[::1]:443", "unix:/path" */

#endif
