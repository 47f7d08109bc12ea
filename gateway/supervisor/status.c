/* status.c - what `teagate status` shows of the supervisor */
#include <jansson.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "supervisor/service.h"

static json_t *child_json(const struct tg_generation *generation, const struct tg_child *child, int64_t now_ms)
{
    json_t *json = json_pack("{s:s, s:I, s:s, s:I}", "role", child->role, "generation", (json_int_t)generation->number, "state",
                             tg_child_state_name(child->state), "restarts", (json_int_t)child->restarts);

    if (child->pid > 0) {
        json_object_set_new(json, "pid", json_integer(child->pid));
        json_object_set_new(json, "uptime_s", json_integer((now_ms - child->started_ms) / 1000));
    }
    if (child->why[0] != '\0')
        json_object_set_new(json, "last_end", json_string(child->why));
    return json;
}

static void add_generation(json_t *children, const struct tg_generation *generation, int64_t now_ms)
{
    for (size_t i = 0; generation != NULL && i < TG_CHILDREN; i++) {
        const struct tg_child *child = &generation->children[i];
        bool is_shown = child->pid > 0 || (generation->step == TG_CURRENT && child != &generation->prepare);

        if (is_shown)
            json_array_append_new(children, child_json(generation, child, now_ms));
    }
}

static json_t *children_json(struct tg_supervisor *s)
{
    json_t *children = json_array();
    int64_t now = tg_monotonic_ms();

    add_generation(children, s->current, now);
    add_generation(children, s->next, now);
    for (struct tg_generation *generation = s->leaving; generation != NULL; generation = generation->older)
        add_generation(children, generation, now);
    return children;
}

/* "All addresses" has two sockets, and is one line. */
static json_t *listeners_json(const struct tg_listeners *listeners)
{
    json_t *json = json_array();

    for (size_t i = 0; i < listeners->count; i++) {
        const struct tg_bind *bind = &listeners->items[i].bind;
        TG_STRING name = {NULL, 0, 0};

        if (i > 0 && memcmp(bind, &listeners->items[i - 1].bind, sizeof(*bind)) == 0)
            continue;
        tg_bind_name(bind, &name);
        json_array_append_new(json, json_pack("{s:s, s:s}", "kind", bind->kind, "address", name.base));
    }
    return json;
}

static json_t *reloads_json(struct tg_supervisor *s)
{
    char when[TG_TIME_ISO];
    json_t *json = json_pack("{s:I, s:I, s:b}", "count", (json_int_t)s->reloads, "failed", (json_int_t)s->reloads_failed, "running",
                             s->next != NULL);

    if (s->last_reload_s != 0) {
        tg_time_iso(s->last_reload_s, when);
        json_object_set_new(json, "last_at", json_string(when));
        json_object_set_new(json, "last_ok", json_boolean(s->last_failure.len == 0));
    }
    if (s->last_failure.len > 0)
        json_object_set_new(json, "last_failure", json_stringn_nocheck(s->last_failure.base, s->last_failure.len));
    return json;
}

void tg_status_write(struct tg_supervisor *s, struct tg_string *out)
{
    char since[TG_TIME_ISO];

    tg_time_iso(s->started_s, since);
    TG_JSON *json = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:b, s:o, s:o, s:o}", "pid", (int)getpid(), "program", s->options->program,
                              "config", s->options->config, "started_at", since, "uptime_s",
                              (json_int_t)((tg_monotonic_ms() - s->started_ms) / 1000), "generation",
                              (json_int_t)(s->current != NULL ? s->current->number : 0), "stopping", s->stopping > 0, "listeners",
                              listeners_json(&s->listeners), "children", children_json(s), "reloads", reloads_json(s));

    tg_json_add(out, json);
}
