/*
 * setup.c - Gitea learns to sign in with us
 *
 * The order survives being stopped anywhere: the secret's digest is written after Gitea has the secret, so that a run that did
 * not get there is repeated by the next one.
 */
#include "gitea/setup.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/result.h"
#include "gitea/call_api.h"
#include "gitea/setup_command.h"
#include "store/client.h"
#include "store/instance.h"

/* Raise when the source is told something else than before: every instance is then written again at its next set-up. */
#define SOURCE_FORM "1"
#define GROUP_OF_OPERATORS "teagate-operators"

enum { PROBE_MS = 10000 };

struct work {
    struct tg_worker *worker;
    struct tg_store *store;
    const struct tg_gitea_setup *setup;
    struct tg_arena arena;
    const char *callback;      /* the redirect URI Gitea will send */
    const char *discovery;
    struct tg_client client;
    char secret[TG_TOKEN];
    struct tg_gitea_source source;
    bool updated;              /* the source was there and has been changed */
};

static void report(const struct work *work, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void report(const struct work *work, const char *format, ...)
{
    va_list arguments;
    char line[512];

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (work->setup->report != NULL)
        tg_string_addf(work->setup->report, "%s\n", line);
}

static bool source_name_fit(const char *name)
{
    return name != NULL && name[0] != '\0' && strlen(name) <= 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

/* The client exists and has the right redirect URI. Until the set-up is through it has no secret: no digest is all zero. */
static int register_client(struct work *work)
{
    const char *host = work->setup->conf->host;
    int found = tg_try(tg_client_find_instance(work->store, host, &work->client));

    if (found == TG_CLIENT_UNKNOWN) {
        work->client = (struct tg_client){.kind = TG_CLIENT_GITEA};
        snprintf(work->client.name, sizeof(work->client.name), "Gitea");
        snprintf(work->client.instance, sizeof(work->client.instance), "%s", host);
        snprintf(work->client.redirect_uri, sizeof(work->client.redirect_uri), "%s", work->callback);
        if (tg_try(tg_client_add(work->store, &work->client)) != 0)
            return tg_fail("another set-up of %s is under way", host);
        report(work, "client %s registered for %s", work->client.id, host);
        return 0;
    }
    if (strcmp(work->client.redirect_uri, work->callback) == 0) {
        report(work, "client %s is registered already", work->client.id);
        return 0;
    }
    if (tg_try(tg_client_set_redirect(work->store, work->client.id, work->callback)) != 0)
        return tg_fail("client %s is gone", work->client.id);
    report(work, "client %s now returns to %s", work->client.id, work->callback);
    return 0;
}

/* The secret that key makes of everything the source is told; its digest. */
static void derive_secret(struct work *work, const uint8_t key[TG_KEY], uint8_t digest[TG_DIGEST])
{
    TG_STRING told = {0};
    uint8_t bytes[TG_DIGEST];

    tg_string_addf(&told, "gitea-client-secret %s\n%s\n%s\n%s\n%s\n", SOURCE_FORM, work->client.id, work->discovery,
                   work->callback, work->setup->conf->source);
    tg_digest_keyed(key, tg_string_text(&told), bytes);
    tg_base64url(bytes, sizeof(bytes), work->secret);
    tg_digest(tg_text(work->secret), digest);
}

/* Whether Gitea was told exactly this; any key of the ring may have made the secret. Leaves the newest key's secret and
   digest. */
static bool told_already(struct work *work, uint8_t digest[TG_DIGEST])
{
    const struct tg_keyring *ring = work->setup->ring;
    bool same = false;

    for (size_t i = ring->count; i-- > 0;) {
        derive_secret(work, ring->keys[i].bytes, digest);
        same = same || tg_same_secret(digest, work->client.secret_digest, TG_DIGEST);
    }
    return same;
}

static void name_addresses(struct work *work)
{
    const struct tg_gitea_setup *setup = work->setup;

    work->callback = tg_arena_format(&work->arena, "https://%s/user/oauth2/%s/callback", setup->conf->host, setup->conf->source);
    work->discovery = tg_arena_format(&work->arena, "%s/c/%s/.well-known/openid-configuration", setup->backchannel,
                                      work->client.id);
}

static int is_current(struct work *work, bool *current)
{
    uint8_t digest[TG_DIGEST];

    tg_try(tg_worker_store(work->worker, &work->store));
    *current = false;
    if (tg_try(tg_client_find_instance(work->store, work->setup->conf->host, &work->client)) != 0)
        return 0;
    name_addresses(work);
    *current = strcmp(work->client.redirect_uri, work->callback) == 0 && told_already(work, digest);
    return 0;
}

int tg_gitea_setup_is_current(struct tg_worker *worker, const struct tg_gitea_setup *setup, bool *current)
{
    struct work work = {.worker = worker, .setup = setup};
    int result = is_current(&work, current);

    tg_arena_done(&work.arena);
    explicit_bzero(&work, sizeof(work));
    return result;
}

static int list_source(struct work *work)
{
    static const char *const arguments[] = {"admin", "auth", "list", "--vertical-bars", "--pad-char", " ", NULL};
    TG_STRING list = {0};

    tg_try(tg_gitea_command(work->setup->conf, arguments, &list));
    int found = tg_gitea_find_source(tg_string_text(&list), work->setup->conf->source, &work->source);
    if (found == TG_SOURCE_UNREADABLE)
        return tg_fail("`gitea admin auth list` printed something that we cannot read");
    if (found == 0 && !work->source.is_oauth2)
        return tg_fail("Gitea has a source %s that is not of OAuth2; give ours another name with `source`", work->source.name);
    return found;
}

/* Adds the source, or updates the one there is: the same flags, all of them, because an update resets what it is not told. */
static int write_source(struct work *work, bool update)
{
    char id[24];
    const char *arguments[] = {
        "admin", "auth", update ? "update-oauth" : "add-oauth",
        "--name", work->setup->conf->source,
        "--provider", "openidConnect",
        "--key", work->client.id,
        "--secret", work->secret,
        "--auto-discover-url", work->discovery,
        "--skip-local-2fa",
        "--scopes", "openid", "--scopes", "profile", "--scopes", "email", "--scopes", "groups",
        "--group-claim-name", "groups",
        "--admin-group", GROUP_OF_OPERATORS,
        update ? "--id" : NULL, id, NULL,
    };
    TG_STRING out = {0};

    snprintf(id, sizeof(id), "%lld", (long long)work->source.id);
    return tg_gitea_command(work->setup->conf, arguments, &out);
}

static int ensure_source(struct work *work)
{
    uint8_t digest[TG_DIGEST];
    bool same = told_already(work, digest);
    int found = tg_try(list_source(work));

    if (found == 0 && same && !work->setup->force) {
        report(work, "source %s (id %lld) is as it should be", work->source.name, (long long)work->source.id);
    } else {
        if (write_source(work, found == 0) != 0)
            return tg_fail("Gitea %s the source %s: %s", found == 0 ? "did not change" : "did not make",
                           work->setup->conf->source, tg_failure());
        if (tg_try(list_source(work)) != 0)
            return tg_fail("Gitea took the source %s, but does not list it", work->setup->conf->source);
        if (tg_try(tg_client_set_secret(work->store, work->client.id, digest)) != 0)
            return tg_fail("client %s is gone", work->client.id);
        work->updated = found == 0;
        report(work, "source %s (id %lld) %s", work->source.name, (long long)work->source.id, found == 0 ? "updated" : "made");
    }
    if (!work->source.enabled)
        return tg_fail("the source %s is switched off in Gitea: switch it on in its administration, Authentication Sources",
                       work->source.name);
    return 0;
}

static int remember_instance(struct work *work)
{
    struct tg_instance instance, wanted = {.source_id = work->source.id};

    snprintf(wanted.host, sizeof(wanted.host), "%s", work->setup->conf->host);
    snprintf(wanted.source_name, sizeof(wanted.source_name), "%s", work->source.name);
    snprintf(wanted.client, sizeof(wanted.client), "%s", work->client.id);
    if (tg_try(tg_instance_find(work->store, wanted.host, &instance)) == 0 && instance.source_id == wanted.source_id &&
        strcmp(instance.source_name, wanted.source_name) == 0 && strcmp(instance.client, wanted.client) == 0)
        return 0;
    return tg_try(tg_instance_put(work->store, &wanted)) == 0 ? 0 : tg_fail("the instance %s cannot be kept", wanted.host);
}

static bool mentions(struct tg_text body, const char *name, const char *value)
{
    TG_STRING wanted = {0};

    tg_string_addf(&wanted, "%s=", name);
    tg_url_encode(&wanted, tg_text(value));
    return body.base != NULL && memmem(body.base, body.len, wanted.base, wanted.len) != NULL;
}

/* A running Gitea is asked to begin a sign-in: its redirect, repeated as a link in the body, shows what it really uses. */
static int probe_sign_in(struct work *work)
{
    const struct tg_gitea_conf *conf = work->setup->conf;
    struct tg_gitea_call call = {.path = tg_arena_format(&work->arena, "/user/oauth2/%s", conf->source), .timeout_ms = PROBE_MS};
    struct tg_fetched answer = {0};

    if (work->setup->restart != NULL)
        *work->setup->restart = false;
    if (tg_gitea_call(work->worker, conf, &call, &work->arena, &answer) != 0) {
        report(work, "Gitea does not answer at %s: where its sign-in leads was not looked at", conf->upstream.text);
        return 0;
    }
    bool redirects = answer.status >= 302 && answer.status <= 307;
    if (redirects && mentions(answer.body, "client_id", work->client.id) &&
        !mentions(answer.body, "redirect_uri", work->callback))
        return tg_fail("Gitea wants to be returned to somewhere else than %s: set ROOT_URL = https://%s/ in its [server] section",
                       work->callback, conf->host);
    if (redirects && mentions(answer.body, "client_id", work->client.id) && !work->updated) {
        report(work, "Gitea's sign-in leads to us and back to %s", work->callback);
        return 0;
    }
    if (work->setup->restart != NULL)
        *work->setup->restart = true;
    report(work, "restart Gitea: it goes by what its source %s was when it started (its sign-in answered %d)", conf->source,
           answer.status);
    return 0;
}

static int run_all(struct work *work)
{
    tg_try(register_client(work));
    name_addresses(work);
    tg_try(ensure_source(work));
    tg_try(remember_instance(work));
    return probe_sign_in(work);
}

int tg_gitea_setup(struct tg_worker *worker, const struct tg_gitea_setup *setup)
{
    struct work work = {.worker = worker, .setup = setup};

    if (setup->ring == NULL || setup->ring->count == 0)
        return tg_fail("set-up needs the key ring");
    if (!source_name_fit(setup->conf->source))
        return tg_fail("source: only lower-case letters, digits and hyphens, at most 64");
    tg_try(tg_worker_store(worker, &work.store));
    work.callback = tg_arena_format(&work.arena, "https://%s/user/oauth2/%s/callback", setup->conf->host, setup->conf->source);
    if (strlen(work.callback) >= TG_REDIRECT_URI)
        return tg_fail("host: %s is too long", setup->conf->host);

    int result = run_all(&work);
    tg_arena_done(&work.arena);
    explicit_bzero(&work, sizeof(work));
    return result;
}
