/*
 * owner.h - whose a path is: jobs of Actions have no account, and are judged by the owner of what they touch
 */
#ifndef TG_FRONT_OWNER_H
#define TG_FRONT_OWNER_H

#include "http/visit.h"

/* The owner that Gitea reads out of the path, decoded, in lower case and terminated; false: none stands there. Any thread. */
enum { TG_OWNER = 65 };
bool tg_owner_of(const struct tg_path *path, char owner[TG_OWNER]);

#endif
