/*
 * prepare.c - `teagate prepare`: the first step of a generation
 *
 * Checks the snapshot, brings the store to this program's schema, and tells the supervisor what it has to hold. Started from the installed
 * program, so that a new release judges with its own keys and migrates with its own schema.
 */
#include <stdio.h>
#include "base/result.h"
#include "command/nouns.h"
#include "command/process.h"
#include "supervisor/privileges.h"

static void say_lines(struct tg_process *process, const char *verb, struct tg_text rest)
{
    while (rest.base != NULL) {
        struct tg_text line = tg_text_cut(&rest, '\n');

        if (line.len > 0)
            tg_process_say(process, verb, line);
    }
}

static void say_listen(struct tg_process *process, const char *kind, const struct tg_address *address)
{
    TG_FREED char *text = address->path != NULL ? tg_format("%s unix %s", kind, address->path)
                                                : tg_format("%s %s %u", kind, address->host != NULL ? address->host : "*", address->port);

    tg_process_say(process, "listen", tg_text(text));
}

static void say_all(struct tg_process *process, const char *kind, const struct tg_conf_list *list)
{
    const struct tg_listener_conf *listeners = list->items;

    for (size_t i = 0; i < list->count; i++)
        say_listen(process, kind, &listeners[i].address);
}

static void say_plan(struct tg_process *process, const struct tg_site_conf *conf)
{
    const struct tg_listen_conf *listen = &conf->http.listen;
    struct tg_address admin = listen->admin;
    TG_FREED char *drain = tg_format("%lld", (long long)conf->http.limits.drain_s);

    if (admin.text == NULL)
        admin.path = tg_site_admin_socket(conf);
    tg_process_say(process, "run", tg_text(conf->run));
    if (conf->user != NULL)
        tg_process_say(process, "user", tg_text(conf->user));
    if (conf->log.events != NULL)
        tg_process_say(process, "events", tg_text(conf->log.events));
    tg_process_say(process, "drain", tg_text(drain));
    say_all(process, "https", &listen->https);
    say_all(process, "http", &listen->http);
    say_listen(process, "backchannel", &listen->backchannel);
    say_listen(process, "admin", &admin);
}

static int prepare_state(const struct tg_site_conf *conf)
{
    TG_FREED char *secrets = tg_format("%s/secrets", conf->state);

    tg_try(tg_privileges_directory(conf->state, 0750, conf->user));
    tg_try(tg_privileges_directory(conf->run, 0750, conf->user));
    if (tg_privileges_become(conf->user) != 0)
        return TG_FAILED;
    tg_try(tg_privileges_directory(secrets, 0700, NULL));
    return tg_store_migrate(conf->state);
}

static int prepare(struct tg_run *run, const void *values)
{
    struct tg_process process;
    int status = tg_process_begin(run, values, &process);

    if (status == TG_EXIT_DONE) {
        say_lines(&process, "warning", tg_string_text(&run->file.warnings));
        say_lines(&process, "error", tg_string_text(&run->file.errors));
    }
    if (status == TG_EXIT_DONE && run->file.errors.len > 0)
        status = TG_EXIT_FAILED;
    if (status == TG_EXIT_DONE && prepare_state(&run->conf) != 0)
        status = tg_process_failed(&process, "the state directory");
    if (status == TG_EXIT_DONE)
        say_plan(&process, &run->conf);
    tg_process_end(&process);
    return status;
}

const struct tg_verb tg_prepare_verbs[] = {
    {NULL, NULL, 0, tg_process_options, sizeof(struct tg_process_values), prepare, "check the snapshot and migrate the store"},
    {NULL},
};
