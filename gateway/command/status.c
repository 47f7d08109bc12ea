/* status.c - `teagate status`: what runs, since when, and how it is */
#include <stdio.h>
#include "base/result.h"
#include "command/ask.h"
#include "command/nouns.h"
#include "command/status_front.h"

static void hear(const struct tg_control_message *message, void *context)
{
    json_t *status = context;
    json_t *part;

    if (tg_json_parse(message->rest, &part) != 0)
        return;
    if (tg_text_is(message->verb, "supervisor")) {
        json_object_update(status, part);
        json_decref(part);
    } else if (tg_text_is(message->verb, "front")) {
        json_object_set_new(status, "front", part);
    } else {
        json_decref(part);
    }
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "-";
}

static long long number_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

/* The processes that serve now, by their role: what scripts want most. */
static void add_pids(json_t *status)
{
    json_t *pids = json_pack("{s:I}", "supervisor", (json_int_t)number_of(status, "pid"));
    json_t *child;
    size_t i;

    json_array_foreach(json_object_get(status, "children"), i, child) {
        if (strcmp(text_of(child, "state"), "serving") == 0 && number_of(child, "generation") == number_of(status, "generation"))
            json_object_set(pids, text_of(child, "role"), json_object_get(child, "pid"));
    }
    json_object_set_new(status, "pids", pids);
}

static void add_time(struct tg_string *out, long long seconds)
{
    if (seconds >= 86400)
        tg_string_addf(out, "%lldd%lldh", seconds / 86400, seconds / 3600 % 24);
    else if (seconds >= 3600)
        tg_string_addf(out, "%lldh%lldm", seconds / 3600, seconds / 60 % 60);
    else if (seconds >= 60)
        tg_string_addf(out, "%lldm%llds", seconds / 60, seconds % 60);
    else
        tg_string_addf(out, "%llds", seconds);
}

static void add_children(struct tg_string *out, const json_t *children)
{
    json_t *child;
    size_t i;

    json_array_foreach(children, i, child) {
        tg_string_addf(out, "%-12s pid %lld, generation %lld, %s", text_of(child, "role"), number_of(child, "pid"),
                       number_of(child, "generation"), text_of(child, "state"));
        tg_string_add(out, TG_TEXT(", for "));
        add_time(out, number_of(child, "uptime_s"));
        if (number_of(child, "restarts") > 0)
            tg_string_addf(out, ", restarted %lld times", number_of(child, "restarts"));
        if (json_object_get(child, "last_end") != NULL)
            tg_string_addf(out, ", ended: %s", text_of(child, "last_end"));
        tg_string_add(out, TG_TEXT("\n"));
    }
}

static void add_reloads(struct tg_string *out, const json_t *reloads)
{
    tg_string_addf(out, "%-12s %lld", "reloads", number_of(reloads, "count"));
    if (json_object_get(reloads, "last_at") != NULL)
        tg_string_addf(out, ", the last at %s %s", text_of(reloads, "last_at"),
                       json_is_true(json_object_get(reloads, "last_ok")) ? "went well" : "failed:");
    tg_string_add(out, TG_TEXT("\n"));
    if (json_object_get(reloads, "last_failure") != NULL)
        tg_string_add(out, tg_text(text_of(reloads, "last_failure")));
}

static void print_status(const json_t *status)
{
    TG_STRING out = {NULL, 0, 0};
    json_t *listener;
    size_t i;

    tg_string_addf(&out, "%-12s pid %lld, for ", "supervisor", number_of(status, "pid"));
    add_time(&out, number_of(status, "uptime_s"));
    tg_string_addf(&out, "%s\n", json_is_true(json_object_get(status, "stopping")) ? ", stopping" : "");
    add_children(&out, json_object_get(status, "children"));
    json_array_foreach(json_object_get(status, "listeners"), i, listener)
        tg_string_addf(&out, "%-12s %s\n", text_of(listener, "kind"), text_of(listener, "address"));
    add_reloads(&out, json_object_get(status, "reloads"));
    tg_string_addf(&out, "%-12s %s\n%-12s %s\n", "program", text_of(status, "program"), "config", text_of(status, "config"));
    json_t *front = json_object_get(status, "front");
    if (front != NULL)
        tg_status_front(&out, front);
    tg_run_print(tg_string_text(&out));
}

static int show(struct tg_run *run, const void *values)
{
    TG_JSON *status = json_object();
    int result = tg_ask(run, "status", hear, status);

    (void)values;
    if (result != TG_EXIT_DONE)
        return result;
    add_pids(status);
    if (run->json)
        tg_run_print_json(json_incref(status));
    else
        print_status(status);
    return TG_EXIT_DONE;
}

const struct tg_verb tg_status_verbs[] = {
    {NULL, NULL, 0, NULL, 0, show, "show what runs"},
    {NULL},
};
