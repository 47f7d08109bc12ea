/*
 * account_parts.h - what the files of `teagate account` share
 */
#ifndef TG_COMMAND_ACCOUNT_PARTS_H
#define TG_COMMAND_ACCOUNT_PARTS_H

#include "command/command.h"
#include "store/account.h"

/* The account whose login is the first word; an exit status, and all but DONE have been explained. */
int tg_run_find_account(struct tg_run *run, struct tg_account *account);
/* Says why a call about that account answered with result, which is not 0. */
int tg_run_account_failed(struct tg_run *run, int result, const char *doing);

/* What is left of sessions that the account's epoch has ended. */
int tg_run_forget_sessions(struct tg_run *run, const struct tg_account *account);

/* Verbs. */
int tg_account_sessions(struct tg_run *run, const void *values);
int tg_account_sign_out_everywhere(struct tg_run *run, const void *values);

#endif
