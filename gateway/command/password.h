/*
 * password.h - where a command gets a new password from: a file, standard input, or a person at a terminal
 */
#ifndef TG_COMMAND_PASSWORD_H
#define TG_COMMAND_PASSWORD_H

#include "command/command.h"

/* Reads it into out (wipe it with tg_password_wipe). An exit status; all but DONE have been explained. */
int tg_password_read(const char *file, bool from_stdin, struct tg_string *out);
void tg_password_wipe(struct tg_string *password);

#endif
