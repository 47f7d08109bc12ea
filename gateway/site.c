#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "http/admin.h"
#include "http/ca.h"
#include "http/error_page.h"
#include "site_parts.h"
#include "store/clock.h"
#include "store/worker.h"
#include "subscription/refusal_page.h"

/* How many threads wait for what; each pool's queue is its own limit. */
static const struct tg_pool_options pool_table[] = {
    [TG_POOL_COLD] = {.name = "cold", .threads = 4, .queue = 256},
    [TG_POOL_BACKCHANNEL] = {.name = "backchannel", .threads = 2, .queue = 128},
    [TG_POOL_PASSWORD] = {.name = "password", .threads = 2, .queue = 64},
    [TG_POOL_RESOLVE] = {.name = "resolve", .threads = 4, .queue = 256},
    [TG_POOL_AUTHORIZE] = {.name = "authorize", .threads = 4, .queue = 128},
};

static struct tg_logfile *event_file; /* the sink has no context of its own */

static void log_to_file(const char *line, size_t len)
{
    tg_logfile_put(event_file, line, len);
}

static int open_logs(struct tg_site *site)
{
    const struct tg_log_conf *conf = &site->conf->log;

    tg_log_set_threshold(conf->level);
    if (conf->access != NULL)
        tg_try(tg_logfile_new(conf->access, &site->access_log));
    if (conf->events == NULL)
        return 0;
    tg_try(tg_logfile_new(conf->events, &site->event_log));
    event_file = site->event_log;
    tg_log_set_sink(log_to_file);
    return 0;
}

static int load_templates(struct tg_site *site)
{
    const struct tg_operator_conf *operator = &site->conf->operator;
    struct tg_brand brand = {
        .operator_name = tg_text(operator->name),
        .help_url = tg_text(operator->help_url),
        .privacy_url = tg_text(operator->privacy_url),
        .imprint_url = tg_text(operator->imprint_url),
        .zone = site->conf->subscription.zone,
    };

    tg_try(tg_templates_load(site->conf->templates, &site->templates));
    tg_templates_set_brand(site->templates, &brand);
    tg_try(tg_error_pages_check(site->templates));
    return tg_refusal_pages_check(site->templates);
}

static int start_pools(struct tg_site *site)
{
    for (size_t i = 0; i != tg_count(pool_table); ++i) {
        struct tg_pool_options options = pool_table[i];

        options.worker_new = tg_worker_new_cached;
        options.worker_free = tg_worker_free;
        options.context = &site->workers;
        tg_try(tg_pool_new(&options, &site->pools.of[i]));
    }
    site->pools.templates = site->templates;
    return 0;
}

/* Leaves for the localhost names in the configuration, good for 90 days from now: every generation makes them anew. */
static int issue_internal(struct tg_site *site)
{
    const struct tg_conf_list *list = &site->conf->http.tls.internal_ca;
    const char *const *items = list->items;
    const char **names = tg_arena_alloc(&site->arena, (list->count + 1) * sizeof(*names));
    struct tg_text chain, key;
    int answer;

    if (list->count == 0)
        return 0;
    memcpy(names, items, list->count * sizeof(*names));
    if ((answer = tg_try(tg_ca_issue(tg_site_ca_directory(site->conf), names, &site->arena, &chain, &key))) == TG_CA_FOREIGN_NAME)
        return tg_fail("tls.internal-ca: only localhost names, 127.0.0.1 and ::1 may be listed");
    if (answer == TG_CA_ABSENT)
        return tg_fail("the internal certificate authority is missing in %s", tg_site_ca_directory(site->conf));
    return tg_tls_put(site->tls, chain, key);
}

static int open_tls(struct tg_site *site)
{
    struct tg_tls_options options = {.directory = site->conf->http.tls.directory, .names = site->names};
    TG_STRING errors = {NULL};
    size_t changed;

    if (site->conf->http.tls.internal_ca.count != 0) {
        options.ca_directory = tg_arena_copy(&site->arena, tg_text(tg_site_ca_directory(site->conf)));
        tg_try(tg_ca_init(options.ca_directory));
    }
    tg_try(tg_tls_new(&options, &site->tls));
    tg_try(issue_internal(site));
    return tg_tls_rescan(site->tls, &changed, &errors);
}

static int make_features(struct tg_site *site)
{
    const struct tg_site_conf *conf = site->conf;
    struct tg_account_options account = {
        .conf = &conf->accounts,
        .ring = &site->ring,
        .templates = site->templates,
        .issuer_origin = conf->oidc.issuer,
        .client_origins = site->client_origins,
    };
    struct tg_oidc_options oidc = {
        .conf = &conf->oidc,
        .giteas = conf->giteas.items,
        .gitea_count = conf->giteas.count,
        .rules = &conf->subscription,
        .ring = &site->ring,
        .templates = site->templates,
        .backchannel = site->backchannel_url,
        .session = tg_account_session,
        .session_cookie = TG_SESSION_COOKIE,
    };
    struct tg_front_options front = {
        .hosts = site->hosts,
        .host_count = site->host_count,
        .rules = &conf->subscription,
        .ring = &site->ring,
        .templates = site->templates,
        .pools = &site->pools,
        .state_directory = conf->state,
        .cache = site->cache,
    };

    tg_try(tg_account_pages_new(&account, &site->pages));
    oidc.session_context = site->pages;
    tg_try(tg_oidc_new(&oidc, &site->oidc));
    return tg_front_new(&front, &site->front);
}

static void *loop_site(struct tg_server_loop *loop, const void *site)
{
    (void)loop;
    return (void *)site;
}

static void keep_site(void *site)
{
    (void)site;
}

/* The supervisor knows addresses only: which settings are whose is told by where a socket listens. */
static void settle_listener(const struct tg_listen_conf *listen, struct tg_listener *listener)
{
    if (listener->kind == TG_LISTEN_HTTPS)
        listener->conf = tg_listener_conf_of(&listen->https, listener->fd);
    else if (listener->kind == TG_LISTEN_HTTP)
        listener->conf = tg_listener_conf_of(&listen->http, listener->fd);
}

static int make_server(struct tg_site *site, const struct tg_site_inputs *inputs)
{
    struct tg_listener *listeners = tg_arena_alloc(&site->arena, (inputs->listener_count + 1) * sizeof(*listeners));
    struct tg_server_options options = {
        .conf = &site->conf->http,
        .listeners = listeners,
        .listener_count = inputs->listener_count,
        .steps = tg_site_steps,
        .backchannel_steps = tg_site_backchannel_steps,
        .admin_steps = tg_site_admin_steps,
        .find_host = tg_site_find_host,
        .context = site,
        .parts = site->parts,
        .tls = site->tls,
        .access_log = site->access_log,
        .names = &tg_front_names,
        .admin = &site->admin_texts,
    };

    memcpy(listeners, inputs->listeners, inputs->listener_count * sizeof(*listeners));
    for (size_t i = 0; i != inputs->listener_count; ++i)
        settle_listener(&site->conf->http.listen, &listeners[i]);
    site->admin_texts = (struct tg_admin){.metrics = tg_site_metrics, .status = tg_site_admin_status, .context = site};
    site->parts[TG_FRONT_PART] = (struct tg_loop_part){"front", tg_front_loop_make, tg_front_loop_drop, site->front};
    site->parts[TG_SITE_PART] = (struct tg_loop_part){"site", loop_site, keep_site, site};
    return tg_server_new(&options, &site->server);
}

static int make_site(struct tg_site *site, const struct tg_site_inputs *inputs)
{
    const struct tg_address *backchannel = &site->conf->http.listen.backchannel;
    struct tg_store store;
    int made;

    tg_time_init();
    tg_try(tg_secret_init());
    tg_try(open_logs(site));
    tg_try(tg_keyring_load(&site->ring, tg_site_keyring_path(site->conf), true));
    if (tg_try(tg_store_open(site->conf->state, &store)) != 0)
        return TG_FAILED;
    made = tg_oidc_ensure_key(&store, &site->ring);
    if (made == 0)
        made = tg_clock_follow(&store); /* before anybody is judged */
    if (made == 0)
        made = tg_site_make_cache(site, &store);
    tg_store_close(&store);
    tg_try(made);
    snprintf(site->backchannel_url, sizeof(site->backchannel_url), "http://%s", backchannel->text);
    tg_site_make_hosts(site);
    tg_try(load_templates(site));
    tg_try(start_pools(site));
    tg_try(open_tls(site));
    tg_try(make_features(site));
    return make_server(site, inputs);
}

int tg_site_new(const struct tg_site_conf *conf, const struct tg_site_inputs *inputs, struct tg_site **out)
{
    struct tg_site *site = tg_alloc(sizeof(*site));
    int made;

    site->conf = conf;
    site->generation = inputs->generation;
    site->started_s = tg_now_s();
    if ((made = make_site(site, inputs)) != 0) {
        tg_site_free(site);
        return made;
    }
    *out = site;
    return 0;
}

int tg_site_start(struct tg_site *site)
{
    tg_try(tg_front_watch_start(site->front, site->server));
    return tg_server_start(site->server);
}

void tg_site_drain(struct tg_site *site)
{
    tg_server_drain(site->server, site->conf->http.limits.drain_s);
}

/* Workers first: their last messages need the loops. The pools themselves stay until the loops have ended, which may still have work for
   them: clients that were cut off, facts that a change has overtaken. Then what both used. */
void tg_site_free(struct tg_site *site)
{
    if (site == NULL)
        return;
    if (site->front != NULL)
        tg_front_watch_stop(site->front);
    for (size_t i = 0; i != tg_count(site->pools.of); ++i)
        tg_pool_stop(site->pools.of[i]);
    tg_server_free(site->server);
    for (size_t i = 0; i != tg_count(site->pools.of); ++i)
        tg_pool_free(site->pools.of[i]);
    tg_front_free(site->front);
    tg_oidc_free(site->oidc);
    tg_account_pages_free(site->pages);
    tg_cache_free(site->cache);
    tg_space_free(site->space);
    tg_tls_free(site->tls);
    tg_templates_free(site->templates);
    tg_logfile_free(site->access_log);
    if (site->event_log != NULL)
        tg_log_set_sink(NULL);
    tg_logfile_free(site->event_log);
    tg_arena_done(&site->arena);
    free(site);
}

void tg_site_set_ticket_keys(struct tg_site *site, const uint8_t (*keys)[TG_TICKET_KEY], size_t count)
{
    tg_tls_set_ticket_keys(site->tls, keys, count);
}

void tg_site_reopen_logs(struct tg_site *site)
{
    if (site->access_log != NULL)
        tg_logfile_reopen(site->access_log);
    if (site->event_log != NULL)
        tg_logfile_reopen(site->event_log);
}

void tg_site_tick(struct tg_site *site)
{
    TG_STRING errors = {NULL};
    size_t changed = 0;

    tg_site_watch_redis(site);
    if (tg_monotonic_ms() < site->next_look_ms)
        return;
    site->next_look_ms = tg_monotonic_ms() + 2000;
    if (tg_tls_rescan(site->tls, &changed, &errors) < 0)
        tg_log(TG_LOG_WARN, "certificates-unreadable", "why", tg_failure(), NULL);
    for (struct tg_text rest = tg_string_text(&errors); rest.base != NULL && rest.len != 0;) {
        TG_FREED char *line = tg_format("%.*s", TG_TEXT_ARGS(tg_text_cut(&rest, '\n')));

        if (*line != '\0')
            tg_log(TG_LOG_WARN, "certificate-unreadable", "why", line, "do", "mend the pair; the old one stays in use", NULL);
    }
    if (changed != 0) {
        TG_FREED char *count = tg_format("%zu", changed);

        tg_log(TG_LOG_INFO, "certificates-read", "count", count, NULL);
    }
}
