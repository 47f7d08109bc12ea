/*
 * listeners.h - the listening sockets, which outlive every generation
 *
 * An address that stays in the configuration keeps its socket, and with it the connections that wait in its queue. "All addresses" is two
 * sockets, one each for IPv4 and IPv6.
 */
#ifndef TG_SUPERVISOR_LISTENERS_H
#define TG_SUPERVISOR_LISTENERS_H

#include "supervisor/plan.h"

struct tg_listening {
    struct tg_bind bind;
    int fd;
};

enum { TG_LISTENING = 4 * TG_BINDS };
struct tg_listeners {
    struct tg_listening items[TG_LISTENING];
    size_t count;
};

/* Opens what the plan names and is not open yet. All that cannot be opened is written to errors, a line each, with the remedy; then
   TG_LISTEN_REFUSED, and nothing has changed. */
enum { TG_LISTEN_REFUSED = 1 };
int tg_listeners_open(struct tg_listeners *listeners, const struct tg_plan *plan, struct tg_string *errors);

/* Closes what the plan does not name; all, for NULL. */
void tg_listeners_keep(struct tg_listeners *listeners, const struct tg_plan *plan);

bool tg_listeners_wanted(const struct tg_listening *listening, const struct tg_plan *plan);

#endif
