/* clock.c - `teagate clock`: whether time ends subscriptions, and an operator's word that the clock is right */
#include "store/clock.h"
#include <inttypes.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/result.h"
#include "command/command.h"
#include "command/nouns.h"

static const char *const doubts[] = {NULL, "jump", "many"};

static void add_time(json_t *json, const char *name, int64_t when_s)
{
    char text[TG_TIME_ISO];

    tg_time_iso(when_s, text);
    json_object_set_new(json, name, json_string(text));
}

static json_t *clock_json(const struct tg_clock *clock)
{
    bool in_doubt = clock->doubt != TG_CLOCK_SURE;
    json_t *json = json_pack("{s:b}", "in_doubt", in_doubt);

    add_time(json, "clock", tg_now_s());
    add_time(json, "judged_by", tg_judge_now_s());
    if (clock->accepted_s != 0)
        add_time(json, "accepted_at", clock->accepted_s);
    if (in_doubt)
        json_object_set_new(json, "why", json_string(doubts[clock->doubt]));
    if (in_doubt)
        json_object_set_new(json, clock->doubt == TG_CLOCK_JUMPED ? "seconds" : "accounts", json_integer(clock->amount));
    return json;
}

/* "1 day 2 h 3 min" would be more than anybody asks: the largest unit tells what has happened. */
static void print_jump(int64_t jump_s)
{
    uint64_t s = jump_s < 0 ? -(uint64_t)jump_s : (uint64_t)jump_s;
    const char *way = jump_s < 0 ? "back" : "ahead";

    if (s >= 2 * 86400)
        printf("the clock jumped %s by %" PRIu64 " days", way, s / 86400);
    else if (s >= 2 * 3600)
        printf("the clock jumped %s by %" PRIu64 " hours", way, s / 3600);
    else
        printf("the clock jumped %s by %" PRIu64 " minutes", way, s / 60);
}

static void print_clock(const struct tg_clock *clock)
{
    char now[TG_TIME_ISO], judged[TG_TIME_ISO];

    tg_time_iso(tg_now_s(), now);
    tg_time_iso(tg_judge_now_s(), judged);
    printf("clock      %s\njudged by  %s\n", now, judged);
    if (clock->doubt == TG_CLOCK_SURE)
        return;
    printf("in doubt   ");
    if (clock->doubt == TG_CLOCK_JUMPED)
        print_jump(clock->amount);
    else
        printf("by it, something would end for %" PRId64 " accounts at once", clock->amount);
    printf("\n\nNo subscription ends until this is settled. When the clock is right: teagate clock accept\n");
}

static int print_now(struct tg_run *run)
{
    struct tg_clock clock;

    if (tg_clock_read(&run->store, &clock) < 0)
        return tg_run_failed("reading what is known about the clock");
    if (run->json)
        tg_run_print_json(clock_json(&clock));
    else
        print_clock(&clock);
    return TG_EXIT_DONE;
}

static int show(struct tg_run *run, const void *values)
{
    int status = tg_run_open_store(run);

    (void)values;
    return status == TG_EXIT_DONE ? print_now(run) : status;
}

static int accept_clock(struct tg_run *run, const void *values)
{
    int status = tg_run_open_store(run);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    if (tg_clock_accept(&run->store) < 0 || tg_clock_follow(&run->store) < 0)
        return tg_run_failed("accepting the clock");
    return print_now(run);
}

const struct tg_verb tg_clock_verbs[] = {
    {"show", NULL, 0, NULL, 0, show, "show the clock, and whether it is believed"},
    {"accept", NULL, 0, NULL, 0, accept_clock, "believe the clock; what is due by it ends now"},
    {NULL},
};
