/*
 * gitea_conf.h - keys of each entry of the section `gitea`: one Gitea behind us
 */
#ifndef TG_GITEA_GITEA_CONF_H
#define TG_GITEA_GITEA_CONF_H

#include "base/conf.h"

struct tg_gitea_conf {
    const char *host;                /* authority under which browsers and git reach it: "localhost:8443", "git.example.net" */
    struct tg_address upstream;      /* unix:/run/gitea/gitea.sock (preferred) or 127.0.0.1:3000 */
    const char *admin_token_file;    /* token of a site administrator, for provisioning */
    const char *binary;              /* the gitea program, for `teagate gitea setup`; NULL: "gitea" on PATH */
    const char *app_ini;             /* its configuration, for the same */
    const char *run_as;              /* the user Gitea's command line runs as when we are root; NULL: the owner of app_ini */
    const char *source;              /* name of the authentication source in Gitea: [a-z0-9-], initial "teagate" */
    const char *session_cookie;      /* Gitea's [session] COOKIE_NAME: "i_like_gitea" */
    const char *remember_cookie;     /* Gitea's COOKIE_REMEMBER_NAME: "gitea_incredible" */
    int unmanaged;                   /* refuse, allow: users that are not accounts of ours */
    struct tg_conf_list unmanaged_users; /* of const char *: existing users, bots, administrators let through by name */
    int64_t connect_timeout_s;       /* 5 */
    int64_t head_timeout_s;          /* until the response head: 60 */
    int64_t git_timeout_s;           /* the same behind doors where Gitea packs first: 600 */
    int64_t idle_timeout_s;          /* without progress of a response body: 300 */
    int64_t max_connections;         /* per loop: 256 */
    int64_t resolve_rate;            /* unknown credentials a second that it is asked about: 20 */
    int64_t body_limit;              /* of a request body, bytes; 0: none */
};

extern const struct tg_key tg_gitea_keys[];

#endif
