/*
 * gitea_parts.h - what the files of `teagate gitea` and `teagate doctor` share
 */
#ifndef TG_COMMAND_GITEA_PARTS_H
#define TG_COMMAND_GITEA_PARTS_H

#include "command/command.h"
#include "gitea/gitea_conf.h"

/* The Gitea of that host in the configuration that was read; NULL, and said so: there is none. */
const struct tg_gitea_conf *tg_run_find_gitea(struct tg_run *run, const char *host);

/* Verbs. */
int tg_gitea_reconcile_now(struct tg_run *run, const void *values);
int tg_gitea_forget_user(struct tg_run *run, const void *values);

#endif
