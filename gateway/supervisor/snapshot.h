/*
 * snapshot.h - the configuration file as it was when it was checked
 *
 * A sealed file in memory: a generation starts, and is restarted, from exactly the text that was checked, whatever happens to the file.
 */
#ifndef TG_SUPERVISOR_SNAPSHOT_H
#define TG_SUPERVISOR_SNAPSHOT_H

#include "base/text.h"

enum { TG_SNAPSHOT_LIMIT = 1024 * 1024 };

int tg_snapshot_take(const char *path, int *fd);
int tg_snapshot_read(int fd, struct tg_string *out); /* the whole text; the descriptor's position does not matter */

#endif
