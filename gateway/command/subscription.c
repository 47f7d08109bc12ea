/* subscription.c - `teagate subscription` and `teagate hold`: what has been paid for, and what overlays it */
#include "store/subscription.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/judge_clock.h"
#include "base/result.h"
#include "base/zone.h"
#include "command/command.h"
#include "command/nouns.h"
#include "subscription/standing.h"

struct set_values {
    const char *until, *zone;
};

static const struct tg_option set_options[] = {
    {"until", offsetof(struct set_values, until), "WHEN", true, "its end: 2026-12-31 (inclusive), 2026-12-31T18:00:00Z, +30d, -3d"},
    {"zone", offsetof(struct set_values, zone), "ZONE", false, "where that day ends, as in Europe/Berlin, initially UTC"},
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

static void add_time(json_t *json, const char *name, int64_t when_s)
{
    char text[TG_TIME_ISO];

    tg_time_iso(when_s, text);
    json_object_set_new(json, name, json_string(text));
}

static void add_boundaries(json_t *json, const struct tg_standing *standing)
{
    json_t *boundaries = json_object();

    add_time(boundaries, "warning", standing->warning_s);
    add_time(boundaries, "end", standing->end_s);
    add_time(boundaries, "closed", standing->closed_s);
    add_time(boundaries, "deleted", standing->deleted_s);
    json_object_set_new(json, "boundaries", boundaries);
}

static json_t *standing_json(const struct tg_facts *facts, const struct tg_standing *standing)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:s}", "login", facts->login, "phase", tg_phase_name(standing->phase),
                             "level", tg_level_name(standing->level), "subscribed", facts->subscribed, "held", standing->held,
                             "operator", facts->is_operator, "zone", facts->zone);

    if (facts->subscribed) {
        add_time(json, "until", facts->paid_until_s);
        add_boundaries(json, standing);
    }
    if (standing->since_s != 0)
        add_time(json, "since", standing->since_s);
    if (standing->next_transition_s != INT64_MAX)
        add_time(json, "next_transition", standing->next_transition_s);
    if (facts->hold != TG_HOLD_NONE)
        json_object_set_new(json, "hold", json_string(tg_hold_kind_name(facts->hold_kind)));
    add_time(json, "judged_by", tg_judge_now_s());
    return json;
}

/* As scripts read it, and as the account is told. */
static void print_time(const char *name, int64_t when_s, const char *zone)
{
    char iso[TG_TIME_ISO], words[TG_TIME_WORDS];

    tg_time_iso(when_s, iso);
    tg_time_long(when_s, zone, words);
    printf("%-16s %s  %s\n", name, iso, words);
}

static void print_standing(const struct tg_facts *facts, const struct tg_standing *standing, const char *zone)
{
    if (facts->zone[0] != '\0')
        zone = facts->zone;
    printf("login            %s\n", facts->login);
    printf("phase            %s\nlevel            %s\n", tg_phase_name(standing->phase), tg_level_name(standing->level));
    if (facts->hold != TG_HOLD_NONE)
        printf("hold             %s\n", tg_hold_kind_name(facts->hold_kind));
    if (!facts->subscribed) {
        printf("until            never subscribed\n");
        return;
    }
    print_time("warning", standing->warning_s, zone);
    print_time("until", standing->end_s, zone);
    print_time("closed", standing->closed_s, zone);
    print_time("deleted", standing->deleted_s, zone);
    if (standing->next_transition_s != INT64_MAX)
        print_time("next transition", standing->next_transition_s, zone);
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
    tg_standing(&facts, &run->conf.subscription, tg_judge_now_s(), &standing);
    if (run->json)
        tg_run_print_json(standing_json(&facts, &standing));
    else
        print_standing(&facts, &standing, run->conf.subscription.zone);
    return TG_EXIT_DONE;
}

static int read_until(const struct set_values *values, int64_t *until_s)
{
    bool is_day = strlen(values->until) == strlen("2026-12-31") && values->until[0] != '+' && values->until[0] != '-';

    if (tg_time_parse(values->until, tg_now_s(), until_s) != 0)
        return tg_run_refuse(TG_EXIT_USAGE, "--until: \"%s\" is not a time, as in 2026-12-31, 2026-12-31T18:00:00Z, +30d or -3d",
                             values->until);
    if (values->zone == NULL)
        return TG_EXIT_DONE;
    if (!is_day)
        return tg_run_refuse(TG_EXIT_USAGE, "--zone goes with a day only, as in --until 2026-12-31 --zone Europe/Berlin");
    if (tg_zone_find(values->zone) == NULL)
        return tg_run_refuse(TG_EXIT_USAGE, "--zone: \"%s\" is not a time zone, as in Europe/Berlin or UTC", values->zone);
    *until_s = tg_time_in_zone(*until_s, values->zone);
    return TG_EXIT_DONE;
}

static int set(struct tg_run *run, const void *given)
{
    const struct set_values *values = given;
    struct tg_account account;
    int64_t until_s;

    int status = read_until(values, &until_s);
    if (status == TG_EXIT_DONE)
        status = open_account(run, &account);
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
    if (values->reason != NULL && strlen(values->reason) >= sizeof(((struct tg_hold *)0)->reason))
        return tg_run_refuse(TG_EXIT_USAGE, "--reason: %zu bytes at the most", sizeof(((struct tg_hold *)0)->reason) - 1);
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

static const char *level_name(const struct tg_hold *hold)
{
    return hold->level == TG_HOLD_READONLY ? "readonly" : "blocked";
}

static void add_hold(json_t *list, const char *login, const struct tg_hold *hold)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "login", login, "kind", tg_hold_kind_name(hold->kind), "level",
                             level_name(hold), "reason", hold->reason);

    add_time(json, "since", hold->since_s);
    json_array_append_new(list, json);
}

static void print_hold(const char *login, const struct tg_hold *hold)
{
    char since[TG_TIME_ISO];

    tg_time_iso(hold->since_s, since);
    printf("%-24s %-10s %-8s %s  %s\n", login, tg_hold_kind_name(hold->kind), level_name(hold), since, hold->reason);
}

struct listing {
    struct tg_run *run;
    json_t *json; /* NULL: lines are printed */
};

static int list_holds(const struct tg_account *account, void *context)
{
    struct listing *listing = context;
    struct tg_hold holds[TG_HOLD_GITEA + 1]; /* one of each kind at the most */
    size_t count;

    tg_try(tg_hold_list(&listing->run->store, account->id, holds, tg_count(holds), &count));
    for (size_t i = 0; i < count; i++) {
        if (listing->json != NULL)
            add_hold(listing->json, account->login, &holds[i]);
        else
            print_hold(account->login, &holds[i]);
    }
    return 0;
}

static int list(struct tg_run *run, const void *values)
{
    struct listing listing = {run, run->json ? json_array() : NULL};
    bool is_one = run->words[0] != NULL;
    struct tg_account account = {0};
    int status = is_one ? open_account(run, &account) : tg_run_open_store(run);

    (void)values;
    if (status == TG_EXIT_DONE &&
        (is_one ? list_holds(&account, &listing) : tg_account_each(&run->store, list_holds, &listing)) < 0)
        status = tg_run_failed("listing the holds");
    if (status == TG_EXIT_DONE && run->json)
        tg_run_print_json(json_incref(listing.json));
    json_decref(listing.json);
    return status;
}

const struct tg_verb tg_subscription_verbs[] = {
    {"set", "LOGIN", 1, set_options, sizeof(struct set_values), set, "set until when is paid"},
    {"show", "LOGIN", 1, NULL, 0, show, "show the subscription and what follows from it"},
    {NULL},
};

const struct tg_verb tg_hold_verbs[] = {
    {"place", "LOGIN", 1, place_options, sizeof(struct hold_values), place, "restrict an account, whatever it has paid"},
    {"lift", "LOGIN", 1, lift_options, sizeof(struct hold_values), lift, "end a restriction"},
    {"list", "[LOGIN]", 1, NULL, 0, list, "list restrictions, of all accounts or one", .optional_count = 1},
    {NULL},
};
