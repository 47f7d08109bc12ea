/*
 * proxyd - the front by itself: the steps of gateway/front before an upstream of t/30-front-proxy.t and t/31-front-identity.t
 *
 * The listening socket is inherited: --https FD. --state DIR brings the store, its workers and the watch; then --account LOGIN:DAYS:USER
 * makes an account whose subscription ends in DAYS, with that id in Gitea, and says "account LOGIN ID COOKIE" (a gateway cookie with the
 * session id 0123456789abcdef); --token TOKEN:USER makes a credential known. A line "until LOGIN DAYS", "hold LOGIN readonly|blocked|none" or
 * "epoch LOGIN" on standard input changes an account. Says "ready". SIGTERM drains and ends.
 */
#include <signal.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/result.h"
#include "front/front.h"
#include "front/session_cookie.h"
#include "http/error_page.h"
#include "http/reply.h"
#include "store/grant.h"
#include "store/session.h"
#include "store/instance.h"
#include "store/subscription.h"
#include "store/worker.h"

enum { ACCOUNTS = 16 };

static struct tg_gitea_conf gitea = {
    .source = "teagate",
    .session_cookie = "i_like_gitea",
    .remember_cookie = "gitea_incredible",
    .connect_timeout_s = 2,
    .head_timeout_s = 3,
    .idle_timeout_s = 3,
    .git_timeout_s = 5,
    .max_connections = 64,
    .resolve_rate = 1000,
};
static struct tg_front_host feature = {.conf = &gitea};
static struct tg_host host = {.kind = TG_HOST_GITEA, .feature = &feature};
static struct tg_http_conf http = {
    .limits = {.threads = 1, .drain_s = 5, .max_connections = 1000, .upload_memory = 16 << 20,
               .each = {.head_timeout_s = 10, .body_idle_s = 3, .keepalive_s = 75, .handshake_s = 10, .write_stall_s = 30, .min_rate = 500, .max_age_s = 3600,
                        .max_requests = 100000}},
};
static const struct tg_subscription_conf rules = {
    .warning_s = 14 * 86400, .grace_s = 7 * 86400, .retention_s = 90 * 86400, .renew_url = "https://renew.example/",
    .contact_url = "https://help.example/", .zone = "UTC",
};
static struct tg_keyring ring = {.count = 1};
static struct tg_pools pools;
static struct tg_store store;
static const char *state, *log_path, *listed;
static int listener = -1;
static struct {
    const char *login;
    struct tg_account account;
} accounts[ACCOUNTS];
static size_t account_count;

static const struct tg_step steps[] = {
    {"guard", tg_step_guard},       {"route", tg_step_route},   {"classify", tg_step_classify}, {"identify", tg_step_identify},
    {"policy", tg_step_policy},     {"upstream", tg_step_upstream}, {NULL, NULL},
};

/* Makes the account and its cookie known to the test. */
static int make_account(char *text)
{
    struct tg_account *account = &accounts[account_count].account;
    const char *login = strtok(text, ":"), *days = strtok(NULL, ":"), *user = strtok(NULL, ":");
    struct tg_gateway_cookie cookie = {.state = TG_GATEWAY_SIGNED_IN, .gitea_session = "0123456789abcdef"};
    char value[TG_GATEWAY_COOKIE_VALUE];

    accounts[account_count++].login = login;
    snprintf(account->login, sizeof(account->login), "%s", login);
    snprintf(account->email, sizeof(account->email), "%s@example.test", login);
    account->is_operator = strcmp(login, "operator") == 0;
    tg_try(tg_account_add(&store, account));
    if (strcmp(days, "never") != 0)
        tg_try(tg_subscription_set(&store, account->id, tg_now_s() + atoll(days) * 86400));
    tg_try(tg_member_put(&store, host.authority, account->id, atoll(user)));
    memcpy(cookie.account, account->id, sizeof(cookie.account));
    tg_gateway_cookie_seal(&ring, host.authority, &cookie, value);
    dprintf(STDOUT_FILENO, "account %s %s %s\n", login, account->id, value);
    tg_gateway_cookie_seal(&ring, "elsewhere.example", &cookie, value);
    dprintf(STDOUT_FILENO, "foreign %s %s\n", login, value);
    return 0;
}

static int make_token(char *text)
{
    const char *token = strtok(text, ":"), *user = strtok(NULL, ":");
    uint8_t digest[TG_DIGEST];

    tg_digest(tg_text(token), digest);
    return tg_credential_put(&store, host.authority, digest, atoll(user));
}

/* A code of the first account that was redeemed `ago_ms` before now: what a callback finds. */
static int make_code(char *text)
{
    const char *code = strtok(text, ":");
    struct tg_grant grant = {.expires_s = tg_now_s() + 60}, taken;
    struct tg_session session = {.last_used_s = tg_now_s()};
    struct tg_client client;

    tg_try(tg_client_find_instance(&store, host.authority, &client));
    memcpy(grant.client, client.id, sizeof(grant.client));
    memcpy(grant.account, accounts[0].account.id, sizeof(grant.account));
    snprintf(grant.redirect_uri, sizeof(grant.redirect_uri), "https://x/");
    tg_try(tg_session_add(&store, tg_text(code), &session));
    memcpy(grant.session, session.digest, sizeof(grant.session));
    tg_try(tg_grant_add(&store, tg_text(code), &grant));
    if (strtok(NULL, ":") == NULL)
        return 0;
    return tg_grant_take(&store, tg_text(code), client.id, &taken);
}

static int open_state(void)
{
    struct tg_instance instance = {.source_id = 1, .source_name = "teagate"};
    struct tg_client client = {.kind = TG_CLIENT_GITEA, .name = "gitea"};

    tg_try(tg_store_migrate(state));
    tg_try(tg_store_open(state, &store));
    snprintf(client.instance, sizeof(client.instance), "%s", host.authority);
    snprintf(client.redirect_uri, sizeof(client.redirect_uri), "https://x/");
    tg_try(tg_client_add(&store, &client));
    snprintf(instance.host, sizeof(instance.host), "%s", host.authority);
    memcpy(instance.client, client.id, sizeof(instance.client));
    tg_try(tg_instance_put(&store, &instance));
    for (size_t i = 0; i < tg_count(pools.of); ++i) {
        struct tg_pool_options options = {.name = "worker", .threads = 2, .queue = 64, .worker_new = tg_worker_new,
                                          .worker_free = tg_worker_free, .context = (void *)state};

        tg_try(tg_pool_new(&options, &pools.of[i]));
    }
    return 0;
}

static struct tg_account *account_named(const char *login)
{
    for (size_t i = 0; i < account_count; ++i)
        if (strcmp(accounts[i].login, login) == 0)
            return &accounts[i].account;
    return NULL;
}

static int set_hold(const struct tg_account *account, const char *level)
{
    if (strcmp(level, "none") == 0)
        return tg_hold_lift(&store, account->id, TG_HOLD_QUOTA);
    return tg_hold_place(&store, account->id, TG_HOLD_QUOTA, strcmp(level, "readonly") == 0 ? TG_HOLD_READONLY : TG_HOLD_BLOCKED, "test");
}

static int obey(char *line)
{
    const char *verb = strtok(line, " \n"), *login = strtok(NULL, " \n"), *days = strtok(NULL, " \n");
    struct tg_account *account = login != NULL ? account_named(login) : NULL;

    if (verb != NULL && strcmp(verb, "code") == 0)
        return make_code((char *)login);
    if (verb == NULL || account == NULL)
        return 0;
    if (strcmp(verb, "until") == 0 && days != NULL)
        return tg_subscription_set(&store, account->id, tg_now_s() + atoll(days) * 86400);
    if (strcmp(verb, "hold") == 0 && days != NULL)
        return set_hold(account, days);
    return tg_account_raise_epoch(&store, account->id);
}

static void *listen_to_input(void *nothing)
{
    char line[256];

    while (fgets(line, sizeof(line), stdin) != NULL)
        dprintf(STDOUT_FILENO, obey(line) == 0 ? "done\n" : "failed: %s\n", tg_failure());
    return nothing;
}

static bool read_option(const char *option, char *value)
{
    const struct {
        const char *name;
        int64_t *number;
        const char **text;
    } options[] = {
        {"--connect-timeout", &gitea.connect_timeout_s}, {"--head-timeout", &gitea.head_timeout_s}, {"--idle-timeout", &gitea.idle_timeout_s},
        {"--upload-memory", &http.limits.upload_memory},
        {"--resolve-rate", &gitea.resolve_rate},
        {"--connections", &gitea.max_connections},       {"--body-limit", &gitea.body_limit},       {"--threads", &http.limits.threads},
        {"--host", NULL, &host.authority},               {"--state", NULL, &state},                 {"--log", NULL, &log_path},
        {"--path", NULL, &gitea.upstream.path},          {"--address", NULL, &gitea.upstream.host},
    };

    for (size_t i = 0; i < tg_count(options); ++i) {
        if (strcmp(option, options[i].name) != 0)
            continue;
        if (options[i].number != NULL)
            *options[i].number = atoll(value);
        else
            *options[i].text = value;
        return true;
    }
    if (strcmp(option, "--https") == 0)
        listener = atoi(value);
    else if (strcmp(option, "--port") == 0)
        gitea.upstream.port = (uint16_t)atoi(value);
    else if (strcmp(option, "--listed") == 0)
        listed = value;
    else if (strcmp(option, "--unmanaged") == 0)
        gitea.unmanaged = strcmp(value, "allow") == 0;
    else
        return strcmp(option, "--account") == 0 || strcmp(option, "--token") == 0;
    return true;
}

static int fill_state(int argc, char **argv)
{
    tg_random(ring.keys[0].bytes, TG_KEY);
    host.origin = "https://localhost";
    gitea.host = host.authority;
    gitea.unmanaged_users = (struct tg_conf_list){&listed, listed != NULL};
    if (state == NULL)
        return 0;
    tg_try(open_state());
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--account") == 0)
            tg_try(make_account(argv[i + 1]));
        else if (strcmp(argv[i], "--token") == 0)
            tg_try(make_token(argv[i + 1]));
    }
    return 0;
}

static int run(struct tg_front *front, struct tg_templates *templates, const sigset_t *signals)
{
    const struct tg_loop_part parts[] = {
        [TG_FRONT_PART] = {"front", tg_front_loop_make, tg_front_loop_drop, front},
        {NULL, NULL, NULL, NULL},
    };
    const struct tg_listener ear = {.kind = TG_LISTEN_HTTPS, .fd = listener};
    const char *names[] = {"localhost", NULL};
    struct tg_tls_options tls_options = {.names = names};
    struct tg_server_options options = {.conf = &http, .listeners = &ear, .listener_count = 1, .steps = steps, .parts = parts,
                                        .find_host = tg_front_find_host, .context = front, .names = &tg_front_names};
    struct tg_server *server;
    TG_STRING metrics = {NULL};
    pthread_t input;
    int signal;

    tls_options.directory = getenv("PROXYD_CERTIFICATES");
    tg_try(tg_tls_new(&tls_options, &options.tls));
    if (log_path != NULL)
        tg_try(tg_logfile_new(log_path, &options.access_log));
    tg_try(tg_server_new(&options, &server));
    if (state != NULL)
        tg_try(tg_front_watch_start(front, server));
    tg_try(tg_server_start(server));
    dprintf(STDOUT_FILENO, "ready\n");
    if (state != NULL) {
        pthread_create(&input, NULL, listen_to_input, NULL);
        pthread_detach(input);
    }
    sigwait(signals, &signal);
    tg_front_metrics(front, &metrics);
    dprintf(STDOUT_FILENO, "%s", tg_string_text(&metrics).base);
    tg_server_drain(server, http.limits.drain_s);
    dprintf(STDOUT_FILENO, "drained %zu\n", tg_server_connections(server));
    tg_front_watch_stop(front);
    for (size_t i = 0; i < tg_count(pools.of); ++i)
        tg_pool_free(pools.of[i]);
    tg_server_free(server);
    tg_front_free(front);
    tg_logfile_free(options.access_log);
    tg_tls_free(options.tls);
    tg_templates_free(templates);
    return 0;
}

static int serve(int argc, char **argv, const sigset_t *signals)
{
    struct tg_templates *templates;
    struct tg_front *front;

    tg_time_init();
    tg_try(tg_secret_init());
    tg_try(fill_state(argc, argv));
    tg_try(tg_templates_load(NULL, &templates));
    tg_try(tg_error_pages_check(templates));
    struct tg_front_options options = {.hosts = &host, .host_count = 1, .rules = &rules, .ring = &ring, .templates = templates,
                                       .pools = &pools, .state_directory = state};
    tg_try(tg_front_new(&options, &front));
    return run(front, templates, signals);
}

int main(int argc, char **argv)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i + 1 < argc; i += 2)
        if (!read_option(argv[i], argv[i + 1])) {
            fprintf(stderr, "proxyd: unknown option %s\n", argv[i]);
            return 2;
        }
    if (serve(argc, argv, &signals) == 0)
        return 0;
    fprintf(stderr, "proxyd: %s\n", tg_failure());
    return 1;
}
