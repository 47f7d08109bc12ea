/* doctor.c - `teagate doctor`: what does not fit, here and in each Gitea, and how to mend it */
#include "command/doctor.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/file.h"
#include "base/result.h"
#include "command/nouns.h"
#include "supervisor/privileges.h"

enum { APP_INI_LIMIT = 1024 * 1024 };

static const char *const states[] = {"ok", "unseen", "warning", "bad"};

void tg_doctor_told(const struct tg_checked *checked, void *context)
{
    struct tg_doctor *doctor = context;

    doctor->bad += checked->state == TG_CHECK_BAD;
    doctor->warned += checked->state == TG_CHECK_WARN;
    if (doctor->run->json) {
        json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "about", doctor->about, "state", states[checked->state], "check",
                                checked->name, "text", checked->text);
        if (checked->remedy != NULL)
            json_object_set_new(one, "remedy", json_string(checked->remedy));
        json_array_append_new(doctor->checks, one);
        return;
    }
    printf("%-8s %s: %s: %s\n", states[checked->state], doctor->about, checked->name, checked->text);
    if (checked->remedy != NULL)
        printf("%-8s   -> %s\n", "", checked->remedy);
}

void tg_doctor_say(struct tg_doctor *doctor, const struct tg_checked *what, const char *format, ...)
{
    struct tg_checked checked = *what;
    va_list arguments;
    char text[768];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    checked.text = text;
    if (checked.state == TG_CHECK_GOOD)
        checked.remedy = NULL;
    tg_doctor_told(&checked, doctor);
}

/* Before we become the service user, who may have no business with Gitea's files. One for each Gitea; absent: it could not be
   read. */
static struct tg_string *read_app_inis(const struct tg_run *run)
{
    const struct tg_gitea_conf *giteas = run->conf.giteas.items;
    struct tg_string *texts = tg_alloc((run->conf.giteas.count + 1) * sizeof(*texts));

    for (size_t i = 0; i < run->conf.giteas.count; i++) {
        if (giteas[i].app_ini != NULL)
            (void)tg_file_read(giteas[i].app_ini, APP_INI_LIMIT, &texts[i]);
    }
    return texts;
}

static int look_at_gitea(struct tg_doctor *doctor, const struct tg_gitea_conf *conf, struct tg_text app_ini)
{
    TG_FREED char *backchannel = tg_format("http://%s", doctor->run->conf.http.listen.backchannel.text);
    struct tg_inspection inspection = {
        .conf = conf,
        .backchannel = backchannel,
        .ring = &doctor->ring,
        .app_ini = app_ini,
        .told = tg_doctor_told,
        .context = doctor,
    };

    doctor->about = conf->host;
    return tg_gitea_inspect(doctor->worker, &inspection);
}

static int look_at_all(struct tg_doctor *doctor, const struct tg_string *app_inis)
{
    const struct tg_gitea_conf *giteas = doctor->run->conf.giteas.items;

    if (tg_try(tg_doctor_self(doctor)) == TG_DOCTOR_BLIND)
        return 0;
    for (size_t i = 0; i < doctor->run->conf.giteas.count; i++)
        tg_try(look_at_gitea(doctor, &giteas[i], tg_text_n(app_inis[i].base, app_inis[i].len)));
    return 0;
}

static int report(struct tg_doctor *doctor)
{
    if (doctor->run->json)
        tg_run_print_json(json_pack("{s:b, s:i, s:i, s:O}", "ok", doctor->bad == 0, "bad", doctor->bad, "warnings",
                                    doctor->warned, "checks", doctor->checks));
    else if (doctor->bad > 0)
        printf("%d to be mended, %d warnings\n", doctor->bad, doctor->warned);
    else
        printf("in order, %d warnings\n", doctor->warned);
    return doctor->bad > 0 ? TG_EXIT_FAILED : TG_EXIT_DONE;
}

static int doctor(struct tg_run *run, const void *values)
{
    struct tg_doctor doctor = {.run = run, .about = "teagate"};
    int status = tg_run_read_config(run);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    struct tg_string *app_inis = read_app_inis(run);
    if (tg_privileges_become(run->conf.user) != 0)
        return tg_run_failed("becoming the service user");
    doctor.checks = json_array();
    doctor.worker = tg_worker_new((void *)run->conf.state);
    status = look_at_all(&doctor, app_inis) == 0 ? report(&doctor) : tg_run_failed("looking");
    for (size_t i = 0; i < run->conf.giteas.count; i++)
        tg_string_done(&app_inis[i]);
    free(app_inis);
    tg_worker_free(doctor.worker);
    json_decref(doctor.checks);
    explicit_bzero(&doctor, sizeof(doctor));
    return status;
}

const struct tg_verb tg_doctor_verbs[] = {
    {NULL, NULL, 0, NULL, 0, doctor, "look for what does not fit, here and in Gitea, and say how to mend it"},
    {NULL},
};
