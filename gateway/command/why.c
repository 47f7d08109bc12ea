/* why.c - `teagate why LOGIN`: what an account may do, and why */
#include "command/why.h"
#include <stdarg.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/judge_clock.h"
#include "base/result.h"
#include "command/account_parts.h"
#include "command/nouns.h"
#include "store/cache.h"
#include "store/flag.h"
#include "store/instance.h"
#include "subscription/standing.h"
#include "supervisor/control.h"

enum { HOLDS = 8 };

struct story {
    struct tg_run *run;
    struct tg_account account;
    struct tg_facts facts;
    struct tg_standing standing;
    struct tg_hold holds[HOLDS];
    size_t hold_count;
    json_t *json;
    struct tg_string text;
};

static void say(struct story *story, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(struct story *story, const char *label, const char *format, ...)
{
    va_list arguments;
    char line[1024];

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    tg_string_addf(&story->text, "%-11s %s\n", label, line);
}

static const char *zone_of(const struct story *story)
{
    return story->facts.zone[0] != '\0' ? story->facts.zone : story->run->conf.subscription.zone;
}

static void add_time(json_t *json, const char *name, int64_t when_s)
{
    char text[TG_TIME_ISO];

    tg_time_iso(when_s, text);
    json_object_set_new(json, name, json_string(text));
}

/* The verdict in one sentence. */
static void tell_verdict(struct story *story)
{
    static const char *const may[] = {
        [TG_LEVEL_FULL] = "may do everything",
        [TG_LEVEL_NOTICE] = "may do everything, and is told that the subscription needs attention",
        [TG_LEVEL_READONLY] = "may read and not write",
        [TG_LEVEL_BLOCKED] = "is let in nowhere, but to renew, take its data out and write to you",
        [TG_LEVEL_GONE] = "is let in nowhere: its time has run out, and its data may be removed",
    };
    static const char *const of_phase[] = {
        [TG_PHASE_NONE] = "it never had a subscription (without-subscription)",
        [TG_PHASE_ACTIVE] = "it is paid",
        [TG_PHASE_EXPIRING] = "its subscription ends soon",
        [TG_PHASE_GRACE] = "its subscription has ended, and the grace has not",
        [TG_PHASE_EXPIRED] = "its subscription has ended",
        [TG_PHASE_ENDED] = "its subscription has ended",
    };
    const struct tg_standing *standing = &story->standing;
    const char *because;

    if (story->facts.is_operator)
        because = "it is an operator, who is never judged";
    else if (standing->held)
        because = "there is a hold";
    else
        because = of_phase[standing->phase];
    say(story, story->account.login, "%s, since %s.", may[standing->level], because);
    if (story->account.locked)
        say(story, "", "It is locked: it cannot sign in and no session counts. teagate account unlock %s", story->account.login);
    json_object_set_new(story->json, "level", json_string(tg_level_name(standing->level)));
    json_object_set_new(story->json, "phase", json_string(tg_phase_name(standing->phase)));
    json_object_set_new(story->json, "held", json_boolean(standing->held));
    json_object_set_new(story->json, "because", json_string(because));
}

static void tell_facts(struct story *story)
{
    const struct tg_standing *standing = &story->standing;
    char when[TG_TIME_WORDS];
    json_t *facts = json_pack("{s:b, s:b, s:b, s:I}", "operator", story->facts.is_operator, "locked", story->facts.locked,
                              "subscribed",
                              story->facts.subscribed, "change", (json_int_t)story->facts.change);

    json_object_set_new(story->json, "facts", facts);
    if (!story->facts.subscribed) {
        say(story, "paid", "never; teagate subscription set %s --until WHEN", story->account.login);
    } else {
        tg_time_short(standing->end_s, zone_of(story), when);
        say(story, "paid", "until %s (phase %s)", when, tg_phase_name(standing->phase));
        add_time(facts, "paid_until", standing->end_s);
    }
    if (standing->next_transition_s == INT64_MAX) {
        say(story, "next", "nothing changes by time alone");
        return;
    }
    tg_time_short(standing->next_transition_s, zone_of(story), when);
    say(story, "next", "changes by itself on %s", when);
    add_time(story->json, "next_transition", standing->next_transition_s);
}

static void tell_holds(struct story *story)
{
    json_t *holds = json_array();

    json_object_set_new(story->json, "holds", holds);
    for (size_t i = 0; i < story->hold_count; i++) {
        const struct tg_hold *hold = &story->holds[i];
        const char *level = hold->level == TG_HOLD_READONLY ? "readonly" : "blocked", *kind = tg_hold_kind_name(hold->kind);
        char when[TG_TIME_WORDS];
        json_t *one = json_pack("{s:s, s:s, s:s}", "kind", kind, "level", level, "reason", hold->reason);

        add_time(one, "since", hold->since_s);
        json_array_append_new(holds, one);
        tg_time_short(hold->since_s, zone_of(story), when);
        say(story, "hold", "%s, %s, since %s%s%s; teagate hold lift %s --kind %s", kind, level, when,
            hold->reason[0] != '\0' ? ": " : "", hold->reason, story->account.login, kind);
    }
    if (story->hold_count == 0)
        say(story, "hold", "none");
}

/* What Redis would answer to a front that knows nothing yet; each front's own memory follows the same change numbers. */
static int tell_caches(struct story *story)
{
    struct tg_keyring ring = {.count = 0};
    struct tg_cache_stats stats;
    struct tg_facts cached;

    if (story->run->space == NULL || tg_keyring_load(&ring, tg_site_keyring_path(&story->run->conf), false) != 0) {
        say(story, "cache", "%s",
            story->run->space == NULL ? "Redis is not used" : "Redis was not looked at: the key ring cannot be read");
        return 0;
    }
    struct tg_cache *cache = tg_cache_new(&(struct tg_cache_options){.space = story->run->space, .ring = &ring, .capacity = 64});
    struct tg_worker_options options = {.directory = story->run->conf.state, .cache = cache};
    struct tg_worker *worker = tg_worker_new_cached(&options);
    tg_cache_trust(cache, tg_monotonic_ms() + 1000);
    int result = tg_cache_facts(worker, story->account.id, &cached);
    tg_cache_stats(cache, &stats);
    bool hit = result == 0 && stats.facts[TG_CACHE_REDIS] > 0;
    if (hit)
        say(story, "cache", "Redis has its facts as of change %lld, the database as of %lld", (long long)cached.change,
            (long long)story->facts.change);
    else
        say(story, "cache", "Redis has no facts of it: they come from the database");
    json_object_set_new(story->json, "cache", json_pack("{s:b}", "redis", hit));
    if (hit)
        json_object_set_new(json_object_get(story->json, "cache"), "change", json_integer(cached.change));
    tg_worker_free(worker);
    tg_cache_free(cache);
    explicit_bzero(&ring, sizeof(ring));
    return result < 0 ? result : 0;
}

static void tell_service(struct story *story)
{
    TG_CLOSED int fd = -1;
    int result = tg_control_connect(tg_site_supervisor_socket(&story->run->conf), &fd);

    json_object_set_new(story->json, "service", json_boolean(result == 0));
    if (result != 0)
        say(story, "service", "does not run, or cannot be asked: nothing of this is in force until it does");
}

static void tell_flag(struct story *story, const char *host, int64_t user, const struct tg_flag *flag)
{
    static const char *const origins[] = {"nobody", "teagate", "others"};
    json_t *one = json_pack("{s:s, s:I, s:b, s:b, s:s, s:b}", "host", host, "user", (json_int_t)user, "desired", flag->desired,
                            "observed",
                            flag->observed, "origin", origins[flag->origin], "due", flag->due_ms != 0);

    if (flag->error[0] != '\0')
        json_object_set_new(one, "error", json_string(flag->error));
    json_array_append_new(json_object_get(story->json, "gitea"), one);
    say(story, "gitea", "%s: user id %lld, %s%s", host, (long long)user,
        flag->observed ? "prohibited from signing in" : "allowed to sign in",
        flag->origin == TG_FLAG_FOREIGN ? ", by somebody else" : flag->origin == TG_FLAG_OURS && flag->observed ? ", by us" : "");
    if (flag->desired != flag->observed && flag->origin != TG_FLAG_FOREIGN)
        say(story, "", "should be %s there%s%s", flag->desired ? "prohibited" : "allowed",
            flag->error[0] != '\0' ? ", but: " : ": that is under way", flag->error);
    else if (flag->error[0] != '\0')
        say(story, "", "%s", flag->error);
}

static int tell_giteas(struct story *story)
{
    const struct tg_gitea_conf *giteas = story->run->conf.giteas.items;
    struct tg_flag flag;
    int64_t user;

    json_object_set_new(story->json, "gitea", json_array());
    for (size_t i = 0; i < story->run->conf.giteas.count; i++) {
        if (tg_try(tg_member_user(&story->run->store, giteas[i].host, story->account.id, &user)) != 0) {
            say(story, "gitea", "%s: has no user there; its first sign-in makes one", giteas[i].host);
            continue;
        }
        tg_try(tg_flag_find(&story->run->store, giteas[i].host, story->account.id, &flag));
        tell_flag(story, giteas[i].host, user, &flag);
    }
    return 0;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "-";
}

static void tell_refused(struct story *story)
{
    json_t *refused = tg_why_refused(story->run->conf.log.access, story->account.login), *one;
    size_t i;

    if (refused == NULL) {
        say(story, "refused", "there is no access log to look at");
        return;
    }
    json_object_set_new(story->json, "refused", refused);
    if (json_array_size(refused) == 0)
        say(story, "refused", "nothing in the last 4 MiB of %s", story->run->conf.log.access);
    json_array_foreach(refused, i, one)
    {
        say(story, "refused", "%s %s %s %s%s: %s %s", text_of(one, "time"), text_of(one, "id"), text_of(one, "method"),
            text_of(one, "host"), text_of(one, "path"), text_of(one, "status"), text_of(one, "verdict"));
    }
}

static int tell_all(struct story *story)
{
    tg_try(tg_facts_read(&story->run->store, story->account.id, &story->facts));
    tg_try(tg_hold_list(&story->run->store, story->account.id, story->holds, HOLDS, &story->hold_count));
    tg_standing(&story->facts, &story->run->conf.subscription, tg_judge_now_s(), &story->standing);
    tell_verdict(story);
    tell_facts(story);
    tell_holds(story);
    tg_try(tell_giteas(story));
    tg_try(tell_caches(story));
    tell_service(story);
    tell_refused(story);
    return 0;
}

static int why(struct tg_run *run, const void *values)
{
    struct story story = {.run = run};
    int status = tg_run_open_store(run);

    (void)values;
    if (status == TG_EXIT_DONE)
        status = tg_run_find_account(run, &story.account);
    if (status != TG_EXIT_DONE)
        return status;
    story.json = json_pack("{s:s}", "login", story.account.login);
    if (tell_all(&story) != 0)
        status = tg_run_failed("looking");
    else if (run->json)
        tg_run_print_json(json_incref(story.json));
    else
        tg_run_print(tg_string_text(&story.text));
    tg_string_done(&story.text);
    json_decref(story.json);
    return status;
}

const struct tg_verb tg_why_verbs[] = {
    {NULL, "LOGIN", 1, NULL, 0, why, "tell what an account may do, and why"},
    {NULL},
};
