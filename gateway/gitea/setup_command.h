/*
 * setup_command.h - runs Gitea's own command line; inside gitea/ only
 *
 * Without a shell, with a clean environment, bounded time and output, in a process group of its own that is ended as a whole. As
 * run_as, or as the owner of app.ini, when we are root (Gitea refuses root). Blocking; commands only.
 */
#ifndef TG_GITEA_SETUP_COMMAND_H
#define TG_GITEA_SETUP_COMMAND_H

#include "base/text.h"
#include "gitea/gitea_conf.h"

/* arguments: what follows "gitea --config APP_INI", NULL-terminated. 0: it ended well, its standard output is appended to out.
   Otherwise negative, and tg_failure() has what it said last on standard error. */
int tg_gitea_command(const struct tg_gitea_conf *conf, const char *const *arguments, struct tg_string *out);

/* One line of `gitea admin auth list --vertical-bars`. */
struct tg_gitea_source {
    int64_t id;
    char name[65];
    bool is_oauth2;
    bool enabled;
};
enum { TG_SOURCE_UNKNOWN = 1, TG_SOURCE_UNREADABLE = 2 };
int tg_gitea_find_source(struct tg_text list, const char *name, struct tg_gitea_source *out);

#endif
