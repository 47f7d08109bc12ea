/*
 * site_conf.h - the whole configuration file
 *
 * Puts the sections of all layers together, and checks what no section can see alone. Immutable after reading.
 */
#ifndef TG_SITE_CONF_H
#define TG_SITE_CONF_H

#include "account/account_pages.h"
#include "gitea/gitea_conf.h"
#include "http/http_conf.h"
#include "oidc/oidc.h"
#include "store/redis_conf.h"
#include "subscription/standing.h"

struct tg_log_conf {
    const char *access;            /* file; NULL: no access log */
    const char *events;            /* file; NULL: stderr */
    int level;                     /* debug, info, warn, error */
};

struct tg_operator_conf {
    const char *name;              /* on every page */
    const char *help_url, *privacy_url, *imprint_url;
};

struct tg_site_conf {
    const char *state;             /* databases, keys, internal CA */
    const char *run;               /* sockets */
    const char *user;              /* who we become when started as root; NULL: stay */
    const char *templates;         /* the operator's own; NULL */
    struct tg_http_conf http;
    struct tg_log_conf log;
    struct tg_operator_conf operator;
    struct tg_account_conf accounts;
    struct tg_oidc_conf oidc;
    struct tg_subscription_conf subscription;
    struct tg_redis_conf redis;
    struct tg_conf_list giteas;    /* of struct tg_gitea_conf */
};

extern const struct tg_key tg_site_keys[];

/* Reads and checks: look at file->errors and file->warnings. path: for messages and relative paths. */
void tg_site_conf_read(struct tg_conf_file *file, const char *path, struct tg_text text, struct tg_site_conf *conf);

/* Names that follow from others, in one buffer of this thread: copy what must outlive the next call. */
const char *tg_site_admin_socket(const struct tg_site_conf *conf);       /* path; NULL when the admin listener is TCP */
const char *tg_site_supervisor_socket(const struct tg_site_conf *conf);  /* RUN/supervisor.sock */
const char *tg_site_keyring_path(const struct tg_site_conf *conf);       /* STATE/secrets/seal.key */
const char *tg_site_ca_directory(const struct tg_site_conf *conf);       /* STATE/ca */
const struct tg_gitea_conf *tg_site_gitea(const struct tg_site_conf *conf, const char *host); /* NULL: none of that name */

#endif
