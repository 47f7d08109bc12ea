/* subscription.c - `teagate subscription` and `teagate hold`: what has been paid for, and what overlays it */
#include "store/subscription.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/result.h"
#include "command/command.h"
#include "command/nouns.h"
#include "subscription/standing.h"

struct set_values {
    const char *until;
};

static const struct tg_option set_options[] = {
    {"until", offsetof(struct set_values, until), "WHEN", true, "its end: 2026-12-31 (inclusive, UTC), 2026-12-31T18:00:00Z, +30d, -3d"},
    {NULL},
};

struct hold_values {
    const char *kind, *level, *reason;
};

static const struct tg_option place_options[] = {
    {"kind", offsetof(struct hold_values, kind), "KIND", true, "nonpayment, abuse, fraud, quota, legal or admin"},
    {"level", offsetof(struct hold_values, level), "LEVEL", false, "readonly or blocked, initially blocked"},
    {"reason", offsetof(struct hold_values, reason), "TEXT", false, "for colleagues; the account does not see it"},
    {NULL},
};

static const struct tg_option lift_options[] = {
    {"kind", offsetof(struct hold_values, kind), "KIND", true, "nonpayment, abuse, fraud, quota, legal, admin or gitea"},
    {NULL},
};

static int unknown(const char *login)
{
    return tg_run_refuse(TG_EXIT_UNKNOWN, "there is no account \"%s\"; teagate account list shows all", login);
}

static int open_account(struct tg_run *run, struct tg_account *account)
{
    int status = tg_run_open_store(run);

    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_account_find_login(&run->store, tg_text(run->words[0]), account);
    if (result == TG_ACCOUNT_UNKNOWN)
        return unknown(run->words[0]);
    return result == 0 ? TG_EXIT_DONE : tg_run_failed("looking up the account");
}

static json_t *standing_json(const struct tg_facts *facts, const struct tg_standing *standing)
{
    char text[TG_TIME_ISO];
    json_t *json = json_pack("{s:s, s:s, s:s, s:b, s:b}", "login", facts->login, "phase", tg_phase_name(standing->phase), "level",
                             tg_level_name(standing->level), "subscribed", facts->subscribed, "held", standing->held);

    if (facts->subscribed) {
        tg_time_iso(facts->paid_until_s, text);
        json_object_set_new(json, "until", json_string(text));
    }
    if (standing->next_transition_s != INT64_MAX) {
        tg_time_iso(standing->next_transition_s, text);
        json_object_set_new(json, "next_transition", json_string(text));
    }
    if (facts->hold != TG_HOLD_NONE)
        json_object_set_new(json, "hold", json_string(tg_hold_kind_name(facts->hold_kind)));
    return json;
}

static void print_standing(const struct tg_facts *facts, const struct tg_standing *standing)
{
    char text[TG_TIME_ISO];

    printf("login            %s\n", facts->login);
    tg_time_iso(facts->paid_until_s, text);
    printf("until            %s\n", facts->subscribed ? text : "never subscribed");
    printf("phase            %s\nlevel            %s\n", tg_phase_name(standing->phase), tg_level_name(standing->level));
    if (facts->hold != TG_HOLD_NONE)
        printf("hold             %s\n", tg_hold_kind_name(facts->hold_kind));
    if (standing->next_transition_s != INT64_MAX) {
        tg_time_iso(standing->next_transition_s, text);
        printf("next transition  %s\n", text);
    }
}

static int print_now(struct tg_run *run, const struct tg_account *account)
{
    struct tg_facts facts;
    struct tg_standing standing;
    int result = tg_facts_read(&run->store, account->id, &facts);

    if (result > 0)
        return unknown(run->words[0]);
    if (result < 0)
        return tg_run_failed("reading the subscription");
    tg_standing(&facts, &run->conf.subscription, tg_now_s(), &standing);
    if (run->json)
        tg_run_print_json(standing_json(&facts, &standing));
    else
        print_standing(&facts, &standing);
    return TG_EXIT_DONE;
}

static int set(struct tg_run *run, const void *given)
{
    const struct set_values *values = given;
    struct tg_account account;
    int64_t until_s;

    if (tg_time_parse(values->until, tg_now_s(), &until_s) != 0)
        return tg_run_refuse(TG_EXIT_USAGE, "--until: \"%s\" is not a time, as in 2026-12-31, 2026-12-31T18:00:00Z, +30d or -3d",
                             values->until);
    int status = open_account(run, &account);
    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_subscription_set(&run->store, account.id, until_s);
    if (result > 0)
        return unknown(run->words[0]);
    return result == 0 ? print_now(run, &account) : tg_run_failed("setting the subscription");
}

static int show(struct tg_run *run, const void *values)
{
    struct tg_account account;
    int status = open_account(run, &account);

    (void)values;
    return status == TG_EXIT_DONE ? print_now(run, &account) : status;
}

/* False, and said so: there is no such kind. */
static bool read_kind(const char *text, enum tg_hold_kind last, enum tg_hold_kind *kind)
{
    for (*kind = TG_HOLD_NONPAYMENT; *kind <= last; (*kind)++) {
        if (strcmp(text, tg_hold_kind_name(*kind)) == 0)
            return true;
    }
    tg_run_refuse(TG_EXIT_USAGE, "--kind: \"%s\" is not a kind of hold; nonpayment, abuse, fraud, quota, legal or admin", text);
    return false;
}

static int place(struct tg_run *run, const void *given)
{
    const struct hold_values *values = given;
    bool is_readonly = values->level != NULL && strcmp(values->level, "readonly") == 0;
    struct tg_account account;
    enum tg_hold_kind kind;

    if (!read_kind(values->kind, TG_HOLD_ADMIN, &kind))
        return TG_EXIT_USAGE;
    if (values->level != NULL && !is_readonly && strcmp(values->level, "blocked") != 0)
        return tg_run_refuse(TG_EXIT_USAGE, "--level: \"%s\" is neither readonly nor blocked", values->level);
    int status = open_account(run, &account);
    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_hold_place(&run->store, account.id, kind, is_readonly ? TG_HOLD_READONLY : TG_HOLD_BLOCKED,
                               values->reason != NULL ? values->reason : "");
    if (result > 0)
        return unknown(run->words[0]);
    return result == 0 ? print_now(run, &account) : tg_run_failed("placing the hold");
}

static int lift(struct tg_run *run, const void *given)
{
    const struct hold_values *values = given;
    struct tg_account account;
    enum tg_hold_kind kind;

    if (!read_kind(values->kind, TG_HOLD_GITEA, &kind))
        return TG_EXIT_USAGE;
    int status = open_account(run, &account);
    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_hold_lift(&run->store, account.id, kind);
    if (result == TG_HOLD_UNKNOWN)
        return tg_run_refuse(TG_EXIT_UNKNOWN, "there is no hold of kind %s on \"%s\"", values->kind, run->words[0]);
    if (result > 0)
        return unknown(run->words[0]);
    return result == 0 ? print_now(run, &account) : tg_run_failed("lifting the hold");
}

const struct tg_verb tg_subscription_verbs[] = {
    {"set", "LOGIN", 1, set_options, sizeof(struct set_values), set, "set until when is paid"},
    {"show", "LOGIN", 1, NULL, 0, show, "show the subscription and what follows from it"},
    {NULL},
};

const struct tg_verb tg_hold_verbs[] = {
    {"place", "LOGIN", 1, place_options, sizeof(struct hold_values), place, "restrict an account, whatever it has paid"},
    {"lift", "LOGIN", 1, lift_options, sizeof(struct hold_values), lift, "end a restriction"},
    {NULL},
};
