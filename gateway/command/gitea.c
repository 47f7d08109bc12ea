/* gitea.c - `teagate gitea setup`: a Gitea learns to sign in with us */
#include <stdio.h>
#include "base/result.h"
#include "command/command.h"
#include "command/gitea_parts.h"
#include "command/nouns.h"
#include "gitea/setup.h"
#include "store/worker.h"
#include "supervisor/privileges.h"

struct setup_values {
    bool print_app_ini, force;
};

static const struct tg_option setup_options[] = {
    {"print-app-ini", offsetof(struct setup_values, print_app_ini), NULL, false, "only print what belongs into Gitea's app.ini"},
    {"force", offsetof(struct setup_values, force), NULL, false, "write the source again, also if nothing seems to have changed"},
    {NULL},
};

const struct tg_gitea_conf *tg_run_find_gitea(struct tg_run *run, const char *host)
{
    const struct tg_gitea_conf *giteas = run->conf.giteas.items, *found = tg_site_gitea(&run->conf, host);
    TG_STRING known = {NULL, 0, 0};

    for (size_t i = 0; i < run->conf.giteas.count && found == NULL; i++)
        tg_string_addf(&known, "%s%s", i > 0 ? ", " : "", giteas[i].host);
    if (found == NULL)
        tg_run_refuse(TG_EXIT_UNKNOWN, "there is no Gitea with host \"%s\" in %s; there is %s", host, run->config_path, known.base);
    return found;
}

static int print_app_ini(const struct tg_gitea_conf *conf)
{
    TG_STRING text = {NULL, 0, 0};

    tg_gitea_app_ini(&text, conf);
    tg_run_print(tg_string_text(&text));
    return TG_EXIT_DONE;
}

static void print_report(struct tg_run *run, const struct tg_string *report, bool restart)
{
    struct tg_text rest = tg_string_text(report);
    json_t *lines = json_array();

    if (!run->json) {
        tg_run_print(rest);
        json_decref(lines);
        return;
    }
    while (rest.base != NULL) {
        struct tg_text line = tg_text_cut(&rest, '\n');

        if (line.len > 0)
            json_array_append_new(lines, json_stringn(line.base, line.len));
    }
    tg_run_print_json(json_pack("{s:o, s:b}", "report", lines, "restart", restart));
}

/* What the service writes too is opened as its user. Gitea's own command line needs its user, and so root once more. */
static int open_files(struct tg_run *run, struct tg_worker *worker, struct tg_keyring *ring)
{
    struct tg_store *store;

    if (tg_keyring_load(ring, tg_site_keyring_path(&run->conf), false) != 0)
        return tg_run_refuse(TG_EXIT_FAILED, "the key ring %s cannot be read (%s); the service makes it when it starts: teagate serve",
                             tg_site_keyring_path(&run->conf), tg_failure());
    if (tg_worker_store(worker, &store) != 0)
        return tg_run_failed("opening the database");
    int64_t number;
    return tg_change_last(store, &number) == 0 ? TG_EXIT_DONE : tg_run_failed("reading the database");
}

static int set_up(struct tg_run *run, const struct tg_gitea_conf *conf, bool force)
{
    TG_STRING report = {NULL, 0, 0};
    TG_FREED char *backchannel = tg_format("http://%s", run->conf.http.listen.backchannel.text);
    struct tg_keyring ring = {.count = 0};
    bool restart = false;
    struct tg_gitea_setup setup = {conf, &ring, backchannel, force, &report, &restart};
    struct tg_worker *worker = tg_worker_new((void *)run->conf.state);

    if (tg_privileges_wear(run->conf.user) != 0)
        return tg_run_failed("becoming the service user");
    int status = open_files(run, worker, &ring);
    if (tg_privileges_take_off() != 0)
        return tg_run_failed("becoming root again");
    if (status == TG_EXIT_DONE && tg_gitea_setup(worker, &setup) != 0)
        status = tg_run_failed("setting up Gitea");
    if (report.len > 0)
        print_report(run, &report, restart);
    tg_worker_free(worker);
    explicit_bzero(&ring, sizeof(ring));
    return status;
}

static int setup(struct tg_run *run, const void *given)
{
    const struct setup_values *values = given;
    int status = tg_run_read_config(run);

    if (status != TG_EXIT_DONE)
        return status;
    const struct tg_gitea_conf *conf = tg_run_find_gitea(run, run->words[0]);
    if (conf == NULL)
        return TG_EXIT_UNKNOWN;
    return values->print_app_ini ? print_app_ini(conf) : set_up(run, conf, values->force);
}

const struct tg_verb tg_gitea_verbs[] = {
    {"setup", "HOST", 1, setup_options, sizeof(struct setup_values), setup, "let a Gitea sign in with us; twice changes nothing"},
    {"reconcile", "HOST", 1, NULL, 0, tg_gitea_reconcile_now, "compare its users with the accounts, and mend what is safe"},
    {"forget", "LOGIN HOST", 2, NULL, 0, tg_gitea_forget_user, "forget the user of an account that was deleted there on purpose"},
    {NULL},
};
