/*
 * nouns.h - every command by its noun; main.c lists them
 */
#ifndef TG_COMMAND_NOUNS_H
#define TG_COMMAND_NOUNS_H

#include "command/options.h"

extern const struct tg_verb tg_serve_verbs[], tg_check_verbs[], tg_reload_verbs[], tg_status_verbs[], tg_conf_verbs[], tg_account_verbs[],
    tg_subscription_verbs[], tg_hold_verbs[], tg_gitea_verbs[], tg_client_verbs[], tg_keys_verbs[], tg_ca_verbs[], tg_version_verbs[],
    tg_doctor_verbs[], tg_why_verbs[], tg_clock_verbs[];

/* The processes of the service; the supervisor starts them. */
extern const struct tg_verb tg_prepare_verbs[], tg_front_verbs[], tg_jobs_verbs[];

#endif
