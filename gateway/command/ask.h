/*
 * ask.h - a question to the running service
 */
#ifndef TG_COMMAND_ASK_H
#define TG_COMMAND_ASK_H

#include "command/command.h"
#include "supervisor/control.h"

/* Sends the verb and calls heard with each message of the answer. An exit status; DOWN and the like have been explained. */
int tg_ask(struct tg_run *run, const char *verb, void (*heard)(const struct tg_control_message *message, void *context), void *context);

#endif
