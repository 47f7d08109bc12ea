/*
 * setup.h - `teagate gitea setup HOST`: Gitea learns to sign in with us
 *
 * Registers the client, makes or updates the authentication source by Gitea's own command line (--skip-local-2fa), verifies by
 * reading back (`auth list`, and where Gitea's sign-in leads), remembers the source id. Needs the back-channel to answer (Gitea
 * fetches discovery).
 *
 * Run twice it changes nothing, and it knows: the client's secret is not random but a keyed digest of all that the source was
 * told (client, discovery URL, callback), so that a secret that still has the digest in our database proves that nothing of it
 * has changed. The secret itself is kept nowhere on our side. Who has changed it by hand in Gitea sets `force`.
 *
 * Gitea's command line runs as run_as, or the owner of app_ini: for that we must be that user, or root. It takes the secret as an
 * argument only, so for the second that it runs other users of the machine can see it in the list of processes.
 */
#ifndef TG_GITEA_SETUP_H
#define TG_GITEA_SETUP_H

#include "base/secret.h"
#include "gitea/api.h"

struct tg_gitea_setup {
    const struct tg_gitea_conf *conf;
    const struct tg_keyring *ring;
    const char *backchannel;          /* "http://127.0.0.1:9443" */
    bool force;                       /* writes the source again also if nothing seems to have changed */
    struct tg_string *report;         /* what was done or was so already, one line each */
    bool *restart;                    /* set when the running Gitea holds older values until it is started again; may be NULL */
};

int tg_gitea_setup(struct tg_worker *worker, const struct tg_gitea_setup *setup);

/* Whether Gitea was last told what it would be told now; asks only our database. conf, ring and backchannel are looked at. */
int tg_gitea_setup_is_current(struct tg_worker *worker, const struct tg_gitea_setup *setup, bool *current);

/* The app.ini fragment that goes with it. */
void tg_gitea_app_ini(struct tg_string *out, const struct tg_gitea_conf *conf);

#endif
