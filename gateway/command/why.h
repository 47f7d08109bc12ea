/*
 * why.h - what the files of `teagate why` share
 */
#ifndef TG_COMMAND_WHY_H
#define TG_COMMAND_WHY_H

#include "command/command.h"

/*
 * The last requests of a login that were refused, newest last: an array of objects with time, id, method, host, path, status,
 * verdict and refused. Reads the end of the access log only. A new reference; NULL: the log cannot be read.
 */
json_t *tg_why_refused(const char *access_log, const char *login);

#endif
