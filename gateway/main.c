/* main.c - the commands of the program; each noun is a file in command/ */
#include "command/command.h"
#include "command/nouns.h"

static const struct tg_noun nouns[] = {
    {"serve", tg_serve_verbs, "the service"},
    {"reload", tg_reload_verbs, "new configuration, new program"},
    {"status", tg_status_verbs, "what runs"},
    {"check", tg_check_verbs, "errors in the configuration"},
    {"doctor", tg_doctor_verbs, "what does not fit, and how to mend it"},
    {"why", tg_why_verbs, "the story of a verdict"},
    {"conf", tg_conf_verbs, "what can be configured"},
    {"account", tg_account_verbs, "who may sign in"},
    {"subscription", tg_subscription_verbs, "what has been paid for"},
    {"hold", tg_hold_verbs, "restrictions, whatever has been paid for"},
    {"clock", tg_clock_verbs, "whether the clock is believed"},
    {"gitea", tg_gitea_verbs, "the Giteas behind us"},
    {"client", tg_client_verbs, "what else may sign people in"},
    {"keys", tg_keys_verbs, "what ID tokens are signed with"},
    {"ca", tg_ca_verbs, "the internal certificate authority"},
    {"version", tg_version_verbs, "the version"},
    /* the processes of the service: supervisor/ starts them */
    {"prepare", tg_prepare_verbs, "the first step of a generation", .is_internal = true},
    {"front", tg_front_verbs, "the process that answers requests", .is_internal = true},
    {"jobs", tg_jobs_verbs, "the process for everything slow", .is_internal = true},
    {NULL},
};

int main(int argc, char **argv)
{
    return tg_command_main(nouns, argc, argv);
}
