/* account.c - `teagate account`: who may sign in */
#include <stdio.h>
#include "base/clock.h"
#include "base/judge_clock.h"
#include "base/result.h"
#include "base/zone.h"
#include "command/account_parts.h"
#include "command/nouns.h"
#include "command/password.h"
#include "store/subscription.h"
#include "subscription/standing.h"

struct add_values {
    const char *email, *name, *zone, *password_file;
    bool password_stdin, is_operator;
};

static const struct tg_option add_options[] = {
    {"email", offsetof(struct add_values, email), "ADDRESS", true, "where mail reaches the account"},
    {"name", offsetof(struct add_values, name), "NAME", false, "the full name"},
    {"zone", offsetof(struct add_values, zone), "ZONE", false, "the time zone in which dates are told, as in Europe/Vienna"},
    {"operator", offsetof(struct add_values, is_operator), NULL, false, "an operator of the service: never judged"},
    {"password-file", offsetof(struct add_values, password_file), "FILE", false, "read the password from a file"},
    {"password-stdin", offsetof(struct add_values, password_stdin), NULL, false, "read the password from standard input"},
    {NULL},
};

struct passwd_values {
    const char *password_file;
    bool password_stdin, keep_sessions;
};

static const struct tg_option passwd_options[] = {
    {"password-file", offsetof(struct passwd_values, password_file), "FILE", false, "read the password from a file"},
    {"password-stdin", offsetof(struct passwd_values, password_stdin), NULL, false, "read the password from standard input"},
    {"keep-sessions", offsetof(struct passwd_values, keep_sessions), NULL, false, "do not sign the account out everywhere"},
    {NULL},
};

int tg_run_find_account(struct tg_run *run, struct tg_account *account)
{
    int result = tg_account_find_login(&run->store, tg_text(run->words[0]), account);

    return result == 0 ? TG_EXIT_DONE : tg_run_account_failed(run, result, "looking up the account");
}

int tg_run_account_failed(struct tg_run *run, int result, const char *doing)
{
    if (result == TG_ACCOUNT_UNKNOWN)
        return tg_run_refuse(TG_EXIT_UNKNOWN, "there is no account \"%s\"; teagate account list shows all", run->words[0]);
    return tg_run_failed(doing);
}

static int copy(const char *what, const char *from, char *to, size_t capacity)
{
    if (from == NULL)
        return TG_EXIT_DONE;
    if (strlen(from) >= capacity)
        return tg_run_refuse(TG_EXIT_FAILED, "the %s may have %zu bytes at the most", what, capacity - 1);
    strcpy(to, from);
    return TG_EXIT_DONE;
}

/* Everything about the new account but its password, which costs time. */
static int describe(const char *login, const struct add_values *values, struct tg_account *account)
{
    const char *why = tg_login_unfit(tg_text(login));

    if (why == NULL)
        why = tg_email_unfit(tg_text(values->email));
    if (why != NULL)
        return tg_run_refuse(TG_EXIT_FAILED, "%s", why);
    account->is_operator = values->is_operator;
    int status = copy("login", login, account->login, sizeof(account->login));
    if (status == TG_EXIT_DONE)
        status = copy("e-mail address", values->email, account->email, sizeof(account->email));
    if (status == TG_EXIT_DONE)
        status = copy("name", values->name, account->full_name, sizeof(account->full_name));
    if (status == TG_EXIT_DONE && values->zone != NULL && tg_zone_find(values->zone) == NULL)
        status = tg_run_refuse(TG_EXIT_USAGE, "--zone: \"%s\" is not a time zone, as in Europe/Vienna or UTC", values->zone);
    if (status == TG_EXIT_DONE)
        status = copy("zone", values->zone, account->zone, sizeof(account->zone));
    return status;
}

static int store_new(struct tg_run *run, struct tg_account *account)
{
    int result = tg_account_add(&run->store, account);

    if (result == TG_ACCOUNT_TAKEN)
        return tg_run_refuse(TG_EXIT_TAKEN, "the login \"%s\" or the address %s belongs to an account already", account->login,
                             account->email);
    if (result != 0)
        return tg_run_failed("adding the account");
    if (run->json)
        tg_run_print_json(json_pack("{s:s, s:s}", "id", account->id, "login", account->login));
    else
        printf("account %s added\n", account->login);
    return TG_EXIT_DONE;
}

/* The password is read before we become the service user: its file belongs to whoever calls. */
static int add(struct tg_run *run, const void *given)
{
    const struct add_values *values = given;
    struct tg_account account = {.is_operator = false};
    struct tg_string password = {NULL, 0, 0};
    int status = describe(run->words[0], values, &account);

    if (status == TG_EXIT_DONE)
        status = tg_password_read(values->password_file, values->password_stdin, &password);
    if (status == TG_EXIT_DONE)
        status = tg_run_open_store(run);
    if (status == TG_EXIT_DONE && tg_password_hash(tg_string_text(&password), &run->conf.accounts.cost, account.password_hash) != 0)
        status = tg_run_failed("hashing the password");
    tg_password_wipe(&password);
    return status == TG_EXIT_DONE ? store_new(run, &account) : status;
}

static int passwd(struct tg_run *run, const void *given)
{
    const struct passwd_values *values = given;
    struct tg_account account;
    struct tg_string password = {NULL, 0, 0};
    char hash[TG_PASSWORD_HASH];
    int status = tg_password_read(values->password_file, values->password_stdin, &password);

    if (status == TG_EXIT_DONE)
        status = tg_run_open_store(run);
    if (status == TG_EXIT_DONE)
        status = tg_run_find_account(run, &account);
    if (status == TG_EXIT_DONE && tg_password_hash(tg_string_text(&password), &run->conf.accounts.cost, hash) != 0)
        status = tg_run_failed("hashing the password");
    tg_password_wipe(&password);
    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_account_set_password(&run->store, account.id, hash, values->keep_sessions);
    if (result != 0)
        return tg_run_account_failed(run, result, "setting the password");
    return values->keep_sessions ? TG_EXIT_DONE : tg_run_forget_sessions(run, &account);
}

/* Whom the sysadmin sees: never the hash. */
static json_t *account_json(const struct tg_account *account)
{
    char created[TG_TIME_ISO];

    tg_time_iso(account->created_s, created);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:s}", "id", account->id, "sub", account->sub, "login", account->login,
                     "email", account->email, "name", account->full_name, "zone", account->zone, "operator", account->is_operator, "locked",
                     account->locked, "has_password", account->password_hash[0] != '\0', "created_at", created);
}

static int add_to_list(const struct tg_account *account, void *list)
{
    json_array_append_new(list, account_json(account));
    return 0;
}

static int print_line(const struct tg_account *account, void *context)
{
    (void)context;
    printf("%-24s %-32s %s%s%s\n", account->login, account->email, account->full_name, account->is_operator ? " [operator]" : "",
           account->locked ? " [locked]" : "");
    return 0;
}

static int list(struct tg_run *run, const void *values)
{
    int status = tg_run_open_store(run);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    json_t *accounts = json_array();
    int result = run->json ? tg_account_each(&run->store, add_to_list, accounts) : tg_account_each(&run->store, print_line, NULL);
    if (result == 0 && run->json)
        tg_run_print_json(json_incref(accounts));
    json_decref(accounts);
    return result == 0 ? TG_EXIT_DONE : tg_run_failed("listing the accounts");
}

static void print_account(const struct tg_account *account, const struct tg_facts *facts, const struct tg_standing *standing)
{
    char created[TG_TIME_ISO], until[TG_TIME_ISO];

    tg_time_iso(account->created_s, created);
    tg_time_iso(facts->paid_until_s, until);
    printf("login         %s\nid            %s\nsub           %s\nemail         %s\nname          %s\ncreated       %s\n", account->login,
           account->id, account->sub, account->email, account->full_name, created);
    printf("operator      %s\nlocked        %s\n", account->is_operator ? "yes" : "no", account->locked ? "yes" : "no");
    printf("subscription  %s\nphase         %s\nlevel         %s\n", facts->subscribed ? until : "none", tg_phase_name(standing->phase),
           tg_level_name(standing->level));
    if (facts->hold != TG_HOLD_NONE)
        printf("hold          %s\n", tg_hold_kind_name(facts->hold_kind));
}

static int show(struct tg_run *run, const void *values)
{
    struct tg_account account;
    struct tg_facts facts;
    struct tg_standing standing;
    int status = tg_run_open_store(run);

    (void)values;
    if (status == TG_EXIT_DONE)
        status = tg_run_find_account(run, &account);
    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_facts_read(&run->store, account.id, &facts);
    if (result != 0)
        return tg_run_account_failed(run, result, "reading the subscription");
    tg_standing(&facts, &run->conf.subscription, tg_judge_now_s(), &standing);
    if (!run->json) {
        print_account(&account, &facts, &standing);
        return TG_EXIT_DONE;
    }
    json_t *json = account_json(&account);
    json_object_set_new(json, "phase", json_string(tg_phase_name(standing.phase)));
    json_object_set_new(json, "level", json_string(tg_level_name(standing.level)));
    tg_run_print_json(json);
    return TG_EXIT_DONE;
}

static int set_locked(struct tg_run *run, bool locked)
{
    struct tg_account account;
    int status = tg_run_open_store(run);

    if (status == TG_EXIT_DONE)
        status = tg_run_find_account(run, &account);
    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_account_set_locked(&run->store, account.id, locked);
    if (result != 0)
        return tg_run_account_failed(run, result, locked ? "locking the account" : "unlocking the account");
    return locked ? tg_run_forget_sessions(run, &account) : TG_EXIT_DONE;
}

static int lock(struct tg_run *run, const void *values)
{
    (void)values;
    return set_locked(run, true);
}

static int unlock(struct tg_run *run, const void *values)
{
    (void)values;
    return set_locked(run, false);
}

/* Gitea is told by the groups claim, and only at a sign-in. */
static int set_operator(struct tg_run *run, const void *values)
{
    bool yes = strcmp(run->words[1], "yes") == 0;
    struct tg_account account;

    (void)values;
    if (!yes && strcmp(run->words[1], "no") != 0)
        return tg_run_refuse(TG_EXIT_USAGE, "\"%s\" is neither yes nor no", run->words[1]);
    int status = tg_run_open_store(run);
    if (status == TG_EXIT_DONE)
        status = tg_run_find_account(run, &account);
    if (status != TG_EXIT_DONE)
        return status;
    int result = account.is_operator != yes ? tg_account_set_operator(&run->store, account.id, yes) : 0;
    if (result != 0)
        return tg_run_account_failed(run, result, "changing the account");
    if (!yes)
        status = tg_run_forget_sessions(run, &account);
    if (status == TG_EXIT_DONE && run->json)
        tg_run_print_json(json_pack("{s:s, s:b}", "login", account.login, "operator", yes));
    else if (status == TG_EXIT_DONE && yes)
        printf("%s is an operator now; Gitea makes it an administrator when it signs in next\n", account.login);
    else if (status == TG_EXIT_DONE)
        printf("%s is no operator any more and signed out everywhere; Gitea takes its administrator's rights away when it signs in"
               " next: until then its access tokens have them, so end them in Gitea's user administration now\n", account.login);
    return status;
}

const struct tg_verb tg_account_verbs[] = {
    {"add", "LOGIN", 1, add_options, sizeof(struct add_values), add, "add an account"},
    {"list", NULL, 0, NULL, 0, list, "list all accounts"},
    {"show", "LOGIN", 1, NULL, 0, show, "show an account and what it may do"},
    {"passwd", "LOGIN", 1, passwd_options, sizeof(struct passwd_values), passwd, "set a password, sign out everywhere"},
    {"lock", "LOGIN", 1, NULL, 0, lock, "forbid signing in, sign out everywhere"},
    {"unlock", "LOGIN", 1, NULL, 0, unlock, "allow signing in again"},
    {"set-operator", "LOGIN yes|no", 2, NULL, 0, set_operator, "make an account an operator of the service, or end that"},
    {"sessions", "LOGIN", 1, NULL, 0, tg_account_sessions, "list where an account is signed in"},
    {"sign-out", "LOGIN", 1, NULL, 0, tg_account_sign_out_everywhere, "sign an account out everywhere"},
    {NULL},
};
