#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/result.h"
#include "site_conf.h"

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

static const struct tg_key log_keys[] = {
    {"access", TG_PATH, offsetof(struct tg_log_conf, access), .example = "/var/log/teagate/access.log",
     .help = "file that gets a line for each request; without it there is no access log"},
    {"events", TG_PATH, offsetof(struct tg_log_conf, events), .example = "/var/log/teagate/events.log",
     .help = "file that gets a line for each event; without it events go to standard error"},
    {"level", TG_CHOICE, offsetof(struct tg_log_conf, level), .initial = "info", .choices = levels,
     .help = "the least important events that are written"},
    {NULL},
};

static const struct tg_key operator_keys[] = {
    {"name", TG_STRING_KEY, offsetof(struct tg_operator_conf, name), .initial = "Code hosting",
     .help = "the name of the service, on every page"},
    {"help", TG_URL, offsetof(struct tg_operator_conf, help_url), .example = "https://example.net/help",
     .help = "where the pages' link to help leads"},
    {"privacy", TG_URL, offsetof(struct tg_operator_conf, privacy_url), .example = "https://example.net/privacy",
     .help = "where the pages' link to the privacy notice leads"},
    {"imprint", TG_URL, offsetof(struct tg_operator_conf, imprint_url), .example = "https://example.net/imprint",
     .help = "where the pages' link to the imprint leads"},
    {NULL},
};

const struct tg_key tg_site_keys[] = {
    {"state", TG_PATH, offsetof(struct tg_site_conf, state), .initial = "/var/lib/teagate",
     .help = "directory of the databases, the keys and the internal certificate authority"},
    {"run", TG_PATH, offsetof(struct tg_site_conf, run), .initial = "/run/teagate",
     .help = "directory of the sockets by which the commands reach the service"},
    {"user", TG_STRING_KEY, offsetof(struct tg_site_conf, user), .example = "teagate",
     .help = "the user that the service becomes when it is started as root"},
    {"templates", TG_PATH, offsetof(struct tg_site_conf, templates), .example = "/etc/teagate/templates",
     .help = "directory of page templates that replace the built-in ones of the same name"},
    {"listen", TG_SECTION, offsetof(struct tg_site_conf, http.listen), .keys = tg_listen_keys,
     .help = "addresses on which connections are accepted"},
    {"tls", TG_SECTION, offsetof(struct tg_site_conf, http.tls), .keys = tg_tls_keys, .help = "certificates"},
    {"limits", TG_SECTION, offsetof(struct tg_site_conf, http.limits), .keys = tg_limits_keys,
     .help = "how much and how long, for connections and requests"},
    {"log", TG_SECTION, offsetof(struct tg_site_conf, log), .keys = log_keys, .help = "log files"},
    {"operator", TG_SECTION, offsetof(struct tg_site_conf, operator), .keys = operator_keys, .help = "who runs this service"},
    {"oidc", TG_SECTION, offsetof(struct tg_site_conf, oidc), .keys = tg_oidc_keys, .help = "the OpenID Connect provider"},
    {"accounts", TG_SECTION, offsetof(struct tg_site_conf, accounts), .keys = tg_account_keys, .help = "sign-in at the provider"},
    {"subscription", TG_SECTION, offsetof(struct tg_site_conf, subscription), .keys = tg_subscription_keys,
     .help = "what follows from a subscription's end"},
    {"redis", TG_SECTION, offsetof(struct tg_site_conf, redis), .keys = tg_redis_keys,
     .help = "a Redis between several nodes of this service; what it holds may be lost at any time"},
    {"gitea", TG_SECTIONS, offsetof(struct tg_site_conf, giteas), .item_size = sizeof(struct tg_gitea_conf), .keys = tg_gitea_keys,
     .required = true, .help = "the Giteas behind this gateway, one entry each"},
    {NULL},
};

static const char *in_directory(const char *directory, const char *name)
{
    static __thread char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

/* Every host name is one thing only, and the provider's differs from every Gitea's. */
static void check_hosts(struct tg_conf_file *file, const struct tg_site_conf *conf)
{
    const struct tg_gitea_conf *giteas = conf->giteas.items;
    const char *issuer_host = conf->oidc.issuer != NULL ? conf->oidc.issuer + strlen("https://") : NULL;

    for (size_t i = 0; i != conf->giteas.count; ++i) {
        if (giteas[i].host == NULL)
            continue;
        if (issuer_host != NULL && strcmp(giteas[i].host, issuer_host) == 0)
            tg_conf_error_at(file, &giteas[i].host, "%s is the provider's host (oidc.issuer); give Gitea a name of its own",
                             giteas[i].host);
        for (size_t j = 0; j != i; ++j)
            if (giteas[j].host != NULL && strcmp(giteas[i].host, giteas[j].host) == 0)
                tg_conf_error_at(file, &giteas[i].host, "%s is named twice; each Gitea needs a host of its own", giteas[i].host);
    }
}

static void check_issuer(struct tg_conf_file *file, const struct tg_site_conf *conf)
{
    const char *issuer = conf->oidc.issuer;

    if (issuer == NULL)
        return;
    if (strncmp(issuer, "https://", 8) != 0)
        tg_conf_error_at(file, &conf->oidc.issuer, "\"%s\" must begin with https:// (OpenID Connect Discovery 3)", issuer);
    else if (strchr(issuer + 8, '/') != NULL)
        tg_conf_error_at(file, &conf->oidc.issuer, "\"%s\" must be a host without a path; the provider has a host of its own",
                         issuer);
}

static void check_backchannel(struct tg_conf_file *file, const struct tg_site_conf *conf)
{
    const struct tg_address *address = &conf->http.listen.backchannel;
    bool loopback = address->host != NULL && (strncmp(address->host, "127.", 4) == 0 || strcmp(address->host, "::1") == 0);

    if (address->text != NULL && !loopback)
        tg_conf_error_at(file, address, "\"%s\" is not a loopback address; Gitea's token requests must not be reachable "
                                        "from elsewhere, as in 127.0.0.1:9443", address->text);
}

static void check_redis(struct tg_conf_file *file, const struct tg_site_conf *conf)
{
    const char *address = tg_redis_address_unfit(&conf->redis.address), *prefix = tg_redis_prefix_unfit(conf->redis.prefix);

    if (address != NULL)
        tg_conf_error_at(file, &conf->redis.address, "%s", address);
    if (prefix != NULL)
        tg_conf_error_at(file, &conf->redis.prefix, "%s", prefix);
}

/* A link for people who are kept out must not lead to where they are kept out of. */
static void check_link(struct tg_conf_file *file, const struct tg_site_conf *conf, const char *const *link)
{
    const struct tg_gitea_conf *giteas = conf->giteas.items;
    struct tg_text rest = tg_text(*link != NULL ? *link : "");

    (void)tg_text_cut(&rest, '/');
    (void)tg_text_cut(&rest, '/');
    struct tg_text host = tg_text_cut(&rest, '/');
    for (size_t i = 0; i != conf->giteas.count && host.len > 0; ++i)
        if (giteas[i].host != NULL && tg_text_is_nocase(host, giteas[i].host))
            tg_conf_warn_at(file, link, "%s is closed to the very people who need this; use another host", giteas[i].host);
}

static void check_rules(struct tg_conf_file *file, const struct tg_site_conf *conf)
{
    enum { NOTICE, READONLY };
    enum { WITHOUT_BLOCKED, WITHOUT_READONLY, WITHOUT_FULL };
    const struct tg_subscription_conf *rules = &conf->subscription;

    if (rules->grace_s < 3 * 86400)
        tg_conf_warn_at(file, &rules->grace_s, "less than 3 days; a payment that is late over a weekend closes the account");
    if (rules->warning_s < 3 * 86400)
        tg_conf_warn_at(file, &rules->warning_s, "less than 3 days; most people will not be here in time to read it");
    if (rules->retention_s < 30 * 86400)
        tg_conf_warn_at(file, &rules->retention_s, "less than 30 days; whoever renews after a long holiday finds nothing left");
    if (rules->grace_level == READONLY)
        tg_conf_warn_at(file, &rules->grace_level,
                        "pushing by SSH does not pass here and goes on; set DISABLE_SSH in Gitea's app.ini, or use notice");
    if (rules->without_subscription == WITHOUT_READONLY)
        tg_conf_warn_at(file, &rules->without_subscription,
                        "pushing by SSH does not pass here and goes on; set DISABLE_SSH in Gitea's app.ini, or use blocked");
    if (rules->without_subscription == WITHOUT_FULL)
        tg_conf_warn_at(file, &rules->without_subscription,
                        "nobody ever needs a subscription; only one that has ended closes an account");
    check_link(file, conf, &rules->renew_url);
    check_link(file, conf, &rules->takeout_url);
    check_link(file, conf, &rules->contact_url);
}

static void check_surprises(struct tg_conf_file *file, const struct tg_site_conf *conf)
{
    check_rules(file, conf);
    if (conf->http.tls.directory == NULL && conf->http.tls.internal_ca.count == 0)
        tg_conf_warn_at(file, &conf->http.tls.directory, "neither tls.directory nor tls.internal-ca is set; every handshake will be refused");
}

void tg_site_conf_read(struct tg_conf_file *file, const char *path, struct tg_text text, struct tg_site_conf *conf)
{
    memset(conf, 0, sizeof(*conf));
    tg_conf_read(file, path, text, tg_site_keys, conf);
    tg_http_conf_settle(file, &conf->http);
    check_issuer(file, conf);
    check_hosts(file, conf);
    check_backchannel(file, conf);
    check_redis(file, conf);
    check_surprises(file, conf);
}

const char *tg_site_admin_socket(const struct tg_site_conf *conf)
{
    if (conf->http.listen.admin.text == NULL)
        return in_directory(conf->run, "admin.sock");
    return conf->http.listen.admin.path;
}

const char *tg_site_supervisor_socket(const struct tg_site_conf *conf)
{
    return in_directory(conf->run, "supervisor.sock");
}

const char *tg_site_keyring_path(const struct tg_site_conf *conf)
{
    return in_directory(conf->state, "secrets/seal.key");
}

const char *tg_site_ca_directory(const struct tg_site_conf *conf)
{
    return in_directory(conf->state, "ca");
}

const struct tg_gitea_conf *tg_site_gitea(const struct tg_site_conf *conf, const char *host)
{
    const struct tg_gitea_conf *giteas = conf->giteas.items;

    for (size_t i = 0; i != conf->giteas.count; ++i)
        if (strcmp(giteas[i].host, host) == 0)
            return &giteas[i];
    return NULL;
}
