/* gitea_users.c - `teagate gitea reconcile` and `teagate gitea forget`: its users and our accounts */
#include <stdio.h>
#include "base/result.h"
#include "command/account_parts.h"
#include "command/gitea_parts.h"
#include "gitea/reconcile.h"
#include "store/worker.h"

struct listing {
    struct tg_run *run;
    json_t *findings;
};

static void on_finding(const struct tg_finding *finding, void *context)
{
    struct listing *listing = context;

    if (!listing->run->json) {
        printf("%-14s %s%s\n", tg_finding_name(finding->kind), finding->text, finding->mended ? " (mended)" : "");
        return;
    }
    json_t *one = json_pack("{s:s, s:b, s:b, s:s}", "kind", tg_finding_name(finding->kind), "mended", finding->mended, "harmless",
                            finding->harmless, "text", finding->text);
    if (finding->login[0] != '\0')
        json_object_set_new(one, "login", json_string(finding->login));
    if (finding->gitea_user != 0) {
        json_object_set_new(one, "gitea_login", json_string(finding->gitea_login));
        json_object_set_new(one, "gitea_user", json_integer(finding->gitea_user));
    }
    json_array_append_new(listing->findings, one);
}

static int reconcile(struct tg_worker *worker, struct tg_reconcile *all)
{
    int result = tg_try(tg_reconcile_begin(worker, all));

    if (result != 0)
        return result;
    do
        result = tg_try(tg_reconcile_step(worker, all));
    while (result == TG_RECONCILE_MORE);
    return result;
}

int tg_gitea_reconcile_now(struct tg_run *run, const void *values)
{
    struct listing listing = {.run = run};
    int status = tg_run_open_store(run);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    const struct tg_gitea_conf *conf = tg_run_find_gitea(run, run->words[0]);
    if (conf == NULL)
        return TG_EXIT_UNKNOWN;
    struct tg_worker *worker = tg_worker_new((void *)run->conf.state);
    struct tg_reconcile all = {.conf = conf, .mend = true, .found = on_finding, .context = &listing};
    listing.findings = json_array();
    int result = reconcile(worker, &all);
    if (result == TG_RECONCILE_NOT_SET_UP)
        status = tg_run_refuse(TG_EXIT_FAILED, "%s has not been set up yet: teagate gitea setup %s", conf->host, conf->host);
    else if (result != 0)
        status = tg_run_failed("comparing the users");
    else if (run->json)
        tg_run_print_json(json_pack("{s:s, s:I, s:I, s:O}", "host", conf->host, "users", (json_int_t)all.users, "mended",
                                    (json_int_t)all.mended, "findings", listing.findings));
    else
        printf("%lld users looked at, %lld findings, %lld of them mended\n", (long long)all.users, (long long)all.findings,
               (long long)all.mended);
    json_decref(listing.findings);
    tg_reconcile_done(&all);
    tg_worker_free(worker);
    return status;
}

int tg_gitea_forget_user(struct tg_run *run, const void *values)
{
    struct tg_account account;
    int status = tg_run_open_store(run);

    (void)values;
    if (status == TG_EXIT_DONE)
        status = tg_run_find_account(run, &account);
    if (status != TG_EXIT_DONE)
        return status;
    const struct tg_gitea_conf *conf = tg_run_find_gitea(run, run->words[1]);
    if (conf == NULL)
        return TG_EXIT_UNKNOWN;
    int result = tg_member_forget(&run->store, conf->host, account.id);
    if (result == TG_MEMBER_UNKNOWN)
        return tg_run_refuse(TG_EXIT_UNKNOWN, "account \"%s\" is not known to have a user in %s", account.login, conf->host);
    if (result != 0)
        return tg_run_failed("forgetting the user");
    if (run->json)
        tg_run_print_json(json_pack("{s:s, s:s}", "login", account.login, "host", conf->host));
    else
        printf("account %s has no user in %s any more; its next sign-in there finds or makes one\n", account.login, conf->host);
    return TG_EXIT_DONE;
}
