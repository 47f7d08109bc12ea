/*
 * guard.h - what no door lets through, because whose request it is could not be told
 *
 * Credentials that Gitea would read and we do not judge (yet): refused at their head with 400, not removed, so that a client learns of it.
 */
#ifndef TG_FRONT_GUARD_H
#define TG_FRONT_GUARD_H

#include "http/visit.h"

/* The short word for the log, or NULL when there is none. */
const char *tg_guard_credential(const struct tg_visit *visit);
const char *tg_guard_query(struct tg_text query);
const char *tg_guard_header(struct tg_text name);

#endif
