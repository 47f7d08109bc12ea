/*
 * setup.h - `teagate gitea setup HOST`: Gitea learns to sign in with us
 *
 * Registers the client, makes or updates the authentication source by Gitea's own command line (--skip-local-2fa), verifies by reading
 * back (`auth list`), remembers the source id. Run twice it changes nothing. Needs the back-channel to answer (Gitea fetches discovery).
 */
#ifndef TG_GITEA_SETUP_H
#define TG_GITEA_SETUP_H

#include "gitea/api.h"

struct tg_gitea_setup {
    const struct tg_gitea_conf *conf;
    const char *backchannel;          /* "http://127.0.0.1:9443" */
    struct tg_string *report;         /* what was done or was so already, one line each */
};

int tg_gitea_setup(struct tg_worker *worker, const struct tg_gitea_setup *setup);

/* The app.ini fragment that goes with it. */
void tg_gitea_app_ini(struct tg_string *out, const struct tg_gitea_conf *conf);

#endif
