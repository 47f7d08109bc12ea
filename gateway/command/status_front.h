/*
 * status_front.h - what `teagate status` says of the front: connections, loops, worker threads, attacks
 */
#ifndef TG_COMMAND_STATUS_FRONT_H
#define TG_COMMAND_STATUS_FRONT_H

#include <jansson.h>
#include "base/text.h"

/* Lines for people out of what the front says of itself (gateway/site_status.c). */
void tg_status_front(struct tg_string *out, const json_t *front);

#endif
