/*
 * gitead.c - gateway/gitea/ by hand, for the test with a real Gitea
 *
 *   gitead DIRECTORY HOST SOCKET TOKEN_FILE BINARY APP_INI COMMAND [ARGUMENT...]
 */
#include <stdio.h>
#include <string.h>
#include "base/result.h"
#include "gitea/provision.h"
#include "gitea/setup.h"
#include "store/client.h"
#include "store/instance.h"

struct driver {
    struct tg_worker *worker;
    struct tg_store *store;
    struct tg_gitea_conf conf;
    struct tg_keyring ring;
    char **arguments;
    int count;
};

static const char *argument(const struct driver *driver, int index)
{
    return index < driver->count ? driver->arguments[index] : "";
}

static int print_app_ini(struct driver *driver)
{
    TG_STRING out = {0};

    tg_gitea_app_ini(&out, &driver->conf);
    fputs(out.base, stdout);
    return 0;
}

static int set_up(struct driver *driver)
{
    TG_STRING report = {0};
    bool restart = false;
    struct tg_gitea_setup setup = {
        .conf = &driver->conf,
        .ring = &driver->ring,
        .backchannel = argument(driver, 0),
        .force = strcmp(argument(driver, 1), "force") == 0,
        .report = &report,
        .restart = &restart,
    };
    int result = tg_gitea_setup(driver->worker, &setup);

    printf("%srestart: %s\n", report.base != NULL ? report.base : "", restart ? "yes" : "no");
    return result;
}

static int print_version(struct driver *driver)
{
    char version[64];
    int result = tg_gitea_version(driver->worker, &driver->conf, version);

    puts(result == 0 ? version : "unavailable");
    return result == 0 ? 0 : -1;
}

static int add_account(struct driver *driver)
{
    struct tg_account account = {.zone = ""};

    snprintf(account.login, sizeof(account.login), "%s", argument(driver, 0));
    snprintf(account.email, sizeof(account.email), "%s", argument(driver, 1));
    snprintf(account.full_name, sizeof(account.full_name), "Full %s", argument(driver, 0));
    int result = tg_account_add(driver->store, &account);
    if (result == 0)
        puts(account.sub);
    return result;
}

static int provision(struct driver *driver)
{
    struct tg_account account;

    if (tg_account_find_login(driver->store, tg_text(argument(driver, 0)), &account) != 0)
        return tg_fail("no such account");
    int result = tg_provision(driver->worker, &driver->conf, &account);
    int64_t user = 0;
    if (result == 0)
        (void)tg_member_user(driver->store, driver->conf.host, account.id, &user);
    printf("%d %lld\n", result, (long long)user);
    return 0;
}

static int resolve(struct driver *driver)
{
    static const char *const names[] = {"user", "invalid", "prohibited", "unavailable"};
    enum tg_resolved answer;
    struct tg_gitea_user user;
    int result = tg_gitea_resolve(driver->worker, &driver->conf, tg_text(argument(driver, 0)), &answer, &user);

    printf("%s %lld\n", names[answer], (long long)user.id);
    return result;
}

static int print_client(struct driver *driver)
{
    struct tg_client client;
    struct tg_instance instance = {.source_id = 0};
    char digest[TG_TOKEN];

    if (tg_client_find_instance(driver->store, driver->conf.host, &client) != 0)
        return tg_fail("no client");
    (void)tg_instance_find(driver->store, driver->conf.host, &instance);
    tg_base64url(client.secret_digest, TG_DIGEST, digest);
    printf("%s %s %s %lld\n", client.id, client.redirect_uri, digest, (long long)instance.source_id);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(struct driver *driver);
} commands[] = {
    {"app-ini", print_app_ini}, {"setup", set_up},     {"version", print_version}, {"add", add_account},
    {"provision", provision},   {"resolve", resolve},  {"client", print_client},
};

static int prepare(struct driver *driver, char **argv)
{
    char ring[512];

    driver->conf = (struct tg_gitea_conf){
        .host = argv[2],
        .upstream = {.text = argv[3], .path = argv[3]},
        .admin_token_file = argv[4],
        .binary = argv[5],
        .app_ini = argv[6],
        .source = "teagate",
        .session_cookie = "i_like_gitea",
        .remember_cookie = "gitea_incredible",
    };
    snprintf(ring, sizeof(ring), "%s/ring", argv[1]);
    tg_try(tg_secret_init());
    tg_try(tg_keyring_load(&driver->ring, ring, true));
    tg_try(tg_store_migrate(argv[1]));
    driver->worker = tg_worker_new(argv[1]);
    return tg_worker_store(driver->worker, &driver->store);
}

int main(int argc, char **argv)
{
    struct driver driver = {0};
    int result = -1;

    if (argc < 8)
        return 2;
    driver.arguments = argv + 8;
    driver.count = argc - 8;
    tg_fail("no such command");
    if (prepare(&driver, argv) == 0) {
        for (size_t i = 0; i < tg_count(commands); ++i)
            if (strcmp(commands[i].name, argv[7]) == 0)
                result = commands[i].run(&driver);
    }
    if (result < 0)
        fprintf(stderr, "gitead: %s\n", tg_failure());
    tg_worker_free(driver.worker);
    return result == 0 ? 0 : 1;
}
