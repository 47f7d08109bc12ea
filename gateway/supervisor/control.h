/*
 * control.h - messages between the supervisor, its children and the commands
 *
 * One message is one packet: a verb, or a verb, a space and the rest; text. A process that closes its end is known to be gone.
 *
 *   to a child           go | drain | stop | status | reopen-logs | ticket-keys HEX...
 *   from front, jobs     ready | serving | failed WHY | status JSON
 *   from prepare         what plan.h lists, error LINE, warning LINE, ready
 *   from a command       reload | status
 *   to a command         ok TEXT | failed TEXT | supervisor JSON | front JSON
 *
 * A verb that the receiver does not know is passed over: supervisor and children may be of two releases.
 */
#ifndef TG_SUPERVISOR_CONTROL_H
#define TG_SUPERVISOR_CONTROL_H

#include "base/text.h"

enum { TG_CONTROL_MESSAGE = 64 * 1024 }; /* what is longer is cut by the sender */

struct tg_control_message {
    struct tg_text verb;
    struct tg_text rest; /* base NULL: none */
};

/* ends[0] never blocks (the supervisor's), ends[1] does (the child's). Neither is inherited by a program. */
int tg_control_pair(int ends[2]);

/* The supervisor's socket for commands (mode 0600), and the commands' way to it. */
int tg_control_listen(const char *path, int *fd);
enum { TG_CONTROL_NOBODY = 1, TG_CONTROL_FORBIDDEN = 2 };
int tg_control_connect(const char *path, int *fd);

int tg_control_send(int fd, const char *verb, struct tg_text rest);

/* Takes the next message; its texts point into buffer (terminated), until the next call. NONE: nothing there, on an end that does not
   block. CLOSED: the other end is gone. */
enum { TG_CONTROL_NONE = 1, TG_CONTROL_CLOSED = 2 };
int tg_control_receive(int fd, struct tg_string *buffer, struct tg_control_message *out);

/* Cuts a message into its parts. */
void tg_control_read(struct tg_text packet, struct tg_control_message *out);

#endif
