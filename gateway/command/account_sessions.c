/* account_sessions.c - `teagate account sessions` and `sign-out`: where an account is signed in, and the end of it */
#include <stdio.h>
#include "base/clock.h"
#include "base/result.h"
#include "command/account_parts.h"
#include "store/session.h"

enum { SHOWN = 1000 };

static json_t *session_json(const struct tg_session *session)
{
    char created[TG_TIME_ISO], authenticated[TG_TIME_ISO], used[TG_TIME_ISO];

    tg_time_iso(session->created_s, created);
    tg_time_iso(session->auth_time_s, authenticated);
    tg_time_iso(session->last_used_s, used);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", session->digest, "created_at", created, "authenticated_at",
                     authenticated, "last_used_at", used, "amr", session->amr, "address", session->address, "agent",
                     session->agent);
}

static void print_session(const struct tg_session *session)
{
    char created[TG_TIME_ISO], used[TG_TIME_ISO];

    tg_time_iso(session->created_s, created);
    tg_time_iso(session->last_used_s, used);
    printf("since %s  used %s  from %-15s  %s\n", created, used, session->address, session->agent);
}

/* Those that still count: what has been ended or has run out is only not swept away yet. */
static int read_sessions(struct tg_run *run, const struct tg_account *account, struct tg_session *sessions, size_t *count)
{
    int64_t now_s = tg_now_s();
    size_t found, kept = 0;

    tg_try(tg_session_list(&run->store, account->id, sessions, SHOWN, &found));
    for (size_t i = 0; i < found; i++) {
        if (tg_account_session_holds(&sessions[i], account, &run->conf.accounts, now_s))
            sessions[kept++] = sessions[i];
    }
    *count = kept;
    return 0;
}

static int open_account(struct tg_run *run, struct tg_account *account)
{
    int status = tg_run_open_store(run);

    return status == TG_EXIT_DONE ? tg_run_find_account(run, account) : status;
}

int tg_account_sessions(struct tg_run *run, const void *values)
{
    TG_FREED struct tg_session *sessions = tg_alloc(SHOWN * sizeof(*sessions));
    struct tg_account account;
    size_t count;
    int status = open_account(run, &account);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    if (read_sessions(run, &account, sessions, &count) != 0)
        return tg_run_failed("listing the sessions");
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        if (run->json)
            json_array_append_new(list, session_json(&sessions[i]));
        else
            print_session(&sessions[i]);
    }
    if (run->json)
        tg_run_print_json(json_incref(list));
    else if (count == 0)
        printf("%s is not signed in anywhere\n", account.login);
    json_decref(list);
    return TG_EXIT_DONE;
}

int tg_run_forget_sessions(struct tg_run *run, const struct tg_account *account)
{
    return tg_session_end_all(&run->store, account->id) == 0 ? TG_EXIT_DONE : tg_run_failed("sweeping the ended sessions away");
}

/* The epoch first: it ends every session of ours and of the gateway, whatever comes after. */
int tg_account_sign_out_everywhere(struct tg_run *run, const void *values)
{
    TG_FREED struct tg_session *sessions = tg_alloc(SHOWN * sizeof(*sessions));
    struct tg_account account;
    size_t count;
    int status = open_account(run, &account);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    if (read_sessions(run, &account, sessions, &count) != 0)
        return tg_run_failed("listing the sessions");
    int result = tg_account_raise_epoch(&run->store, account.id);
    if (result != 0)
        return tg_run_account_failed(run, result, "signing the account out");
    status = tg_run_forget_sessions(run, &account);
    if (status == TG_EXIT_DONE && run->json)
        tg_run_print_json(json_pack("{s:s, s:I}", "login", account.login, "ended", (json_int_t)count));
    else if (status == TG_EXIT_DONE)
        printf("%s is signed out everywhere (%zu session%s); access tokens and SSH keys go on\n", account.login, count,
               count == 1 ? "" : "s");
    return status;
}
