/*
 * gitea_conf.c - keys of each entry of the section `gitea`
 */
#include "gitea/gitea_conf.h"

static const char *const unmanaged_choices[] = {"refuse", "allow", NULL};

const struct tg_key tg_gitea_keys[] = {
    {"host", TG_HOST, offsetof(struct tg_gitea_conf, host), .required = true, .example = "git.example.net",
     .help = "the host, with its port unless that is 443, under which browsers and git reach this Gitea"},
    {"upstream", TG_ADDRESS, offsetof(struct tg_gitea_conf, upstream), .required = true, .example = "unix:/run/gitea/gitea.sock",
     .help = "where this Gitea listens; a unix socket keeps everybody else on the machine out"},
    {"admin-token-file", TG_PATH, offsetof(struct tg_gitea_conf, admin_token_file), .required = true,
     .example = "/etc/teagate/gitea-admin-token",
     .help = "a file with an access token of a site administrator, for making users"},
    {"binary", TG_PATH, offsetof(struct tg_gitea_conf, binary), .example = "/usr/local/bin/gitea",
     .help = "the gitea program, for `teagate gitea setup`; without this key it is searched on PATH"},
    {"app-ini", TG_PATH, offsetof(struct tg_gitea_conf, app_ini), .example = "/etc/gitea/app.ini",
     .help = "the configuration of this Gitea, for `teagate gitea setup`"},
    {"run-as", TG_STRING_KEY, offsetof(struct tg_gitea_conf, run_as), .example = "git",
     .help = "the user as whom root runs Gitea's command line; without this key the owner of app-ini"},
    {"source", TG_STRING_KEY, offsetof(struct tg_gitea_conf, source), .initial = "teagate",
     .help = "name of the authentication source in Gitea: lower-case letters, digits and hyphens"},
    {"session-cookie", TG_STRING_KEY, offsetof(struct tg_gitea_conf, session_cookie), .initial = "i_like_gitea",
     .help = "name of Gitea's session cookie, COOKIE_NAME in its section [session]"},
    {"remember-cookie", TG_STRING_KEY, offsetof(struct tg_gitea_conf, remember_cookie), .initial = "gitea_incredible",
     .help = "name of Gitea's remember cookie, COOKIE_REMEMBER_NAME in its section [security]"},
    {"unmanaged", TG_CHOICE, offsetof(struct tg_gitea_conf, unmanaged), .initial = "refuse", .choices = unmanaged_choices,
     .help = "what becomes of Gitea users that are not accounts of ours"},
    {"unmanaged-users", TG_LIST, offsetof(struct tg_gitea_conf, unmanaged_users), .item_type = TG_STRING_KEY,
     .example = "[ci-bot]",
     .help = "existing users, bots and administrators that are let through by name"},
    {"connect-timeout", TG_SECONDS, offsetof(struct tg_gitea_conf, connect_timeout_s), .initial = "5", .min = 1, .max = 60,
     .help = "how long a connection to this Gitea may take"},
    {"head-timeout", TG_SECONDS, offsetof(struct tg_gitea_conf, head_timeout_s), .initial = "60", .min = 1, .max = 3600,
     .help = "how long this Gitea may take to begin an answer"},
    {"git-timeout", TG_SECONDS, offsetof(struct tg_gitea_conf, git_timeout_s), .initial = "1800", .min = 1, .max = 86400,
     .help = "the same for git, LFS, packages and downloads, where Gitea packs before it answers"},
    {"idle-timeout", TG_SECONDS, offsetof(struct tg_gitea_conf, idle_timeout_s), .initial = "300", .min = 10, .max = 86400,
     .help = "how long an answer may make no progress"},
    {"max-connections", TG_NUMBER, offsetof(struct tg_gitea_conf, max_connections), .initial = "256", .min = 1, .max = 10000,
     .help = "how many connections each event loop opens to this Gitea at the most"},
    {"resolve-rate", TG_NUMBER, offsetof(struct tg_gitea_conf, resolve_rate), .initial = "20", .min = 1, .max = 10000,
     .help = "how many unknown tokens a second this Gitea is asked about at the most; a fourth of that for each address"},
    {"body-limit", TG_BYTES, offsetof(struct tg_gitea_conf, body_limit), .initial = "0", .min = 0, .max = INT64_MAX,
     .help = "the largest request body that is let through; 0 is no limit"},
    {NULL},
};
