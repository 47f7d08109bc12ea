#include "supervisor/generation.h"

#include <stdio.h>
#include "base/clock.h"
#include "base/result.h"
#include "supervisor/snapshot.h"

enum {
    PREPARE_MS = 300 * 1000, /* migrating a large store takes its time; meanwhile the old generation serves */
    READY_MS = 15 * 1000,
    STOP_JOBS_MS = 10 * 1000,
};

static struct tg_child_start start_of(const struct tg_generation *generation, const struct tg_generation_start *how, int64_t within_ms)
{
    return (struct tg_child_start){
        .program = how->program,
        .config = how->config,
        .generation = generation->number,
        .snapshot = generation->snapshot,
        .deadline_ms = tg_monotonic_ms() + within_ms,
    };
}

int tg_generation_new(int64_t number, const struct tg_generation_start *how, struct tg_generation **out)
{
    struct tg_generation *generation = tg_alloc(sizeof(*generation));

    generation->number = number;
    generation->snapshot = -1;
    tg_plan_init(&generation->plan);
    tg_child_init(&generation->prepare, "prepare");
    tg_child_init(&generation->front, "front");
    tg_child_init(&generation->jobs, "jobs");
    int result = tg_snapshot_take(how->config, &generation->snapshot);
    if (result == 0) {
        struct tg_child_start start = start_of(generation, how, PREPARE_MS);

        result = tg_child_start(&generation->prepare, &start);
    }
    if (result != 0) {
        tg_generation_free(generation);
        return result;
    }
    *out = generation;
    return 0;
}

void tg_generation_free(struct tg_generation *generation)
{
    if (generation == NULL)
        return;
    for (size_t i = 0; i < TG_CHILDREN; i++) {
        if (generation->children[i].control >= 0)
            close(generation->children[i].control);
    }
    if (generation->snapshot >= 0)
        close(generation->snapshot);
    tg_string_done(&generation->errors);
    tg_string_done(&generation->warnings);
    tg_string_done(&generation->front_status);
    free(generation);
}

int tg_generation_start_front(struct tg_generation *generation, const struct tg_generation_start *how)
{
    TG_STRING listen = {NULL, 0, 0};
    int fds[TG_LISTENING];
    struct tg_child_start start = start_of(generation, how, READY_MS);

    for (size_t i = 0; i < how->listeners->count; i++) {
        const struct tg_listening *listening = &how->listeners->items[i];

        if (!tg_listeners_wanted(listening, &generation->plan))
            continue;
        tg_string_addf(&listen, "%s%s=%d", listen.len > 0 ? "," : "", listening->bind.kind, listening->fd);
        fds[start.listen_count++] = listening->fd;
    }
    start.listen = listen.base;
    start.listen_fds = fds;
    tg_try(tg_child_start(&generation->front, &start));
    tg_child_tell(&generation->front, "ticket-keys", how->ticket_keys); /* before anything else that it will read */
    return 0;
}

int tg_generation_start_jobs(struct tg_generation *generation, const struct tg_generation_start *how)
{
    struct tg_child_start start = start_of(generation, how, READY_MS);

    return tg_child_start(&generation->jobs, &start);
}

static void add_line(struct tg_string *lines, struct tg_text line)
{
    tg_string_add(lines, line);
    tg_string_add(lines, TG_TEXT("\n"));
}

static void take_prepare(struct tg_generation *generation, const struct tg_control_message *message)
{
    if (tg_text_is(message->verb, "error"))
        add_line(&generation->errors, message->rest);
    else if (tg_text_is(message->verb, "warning"))
        add_line(&generation->warnings, message->rest);
    else if (tg_plan_take(&generation->plan, message) < 0)
        add_line(&generation->errors, tg_text(tg_failure()));
}

static void take(struct tg_generation *generation, struct tg_child *child, const struct tg_control_message *message)
{
    if (tg_text_is(message->verb, "failed")) {
        snprintf(child->why, sizeof(child->why), "%.*s", TG_TEXT_ARGS(message->rest));
    } else if (child == &generation->prepare) {
        take_prepare(generation, message);
    } else if (tg_text_is(message->verb, "ready") && child->state == TG_CHILD_STARTING) {
        child->state = TG_CHILD_READY;
        if (generation->step == TG_CURRENT) /* a restart: nobody needs to be waited for */
            tg_child_tell(child, "go", tg_text(NULL));
    } else if (tg_text_is(message->verb, "serving") && child->state == TG_CHILD_READY) {
        child->state = TG_CHILD_SERVING;
        child->serving_ms = tg_monotonic_ms();
        child->deadline_ms = 0;
    } else if (tg_text_is(message->verb, "status")) {
        generation->front_status.len = 0;
        tg_string_add(&generation->front_status, message->rest);
        generation->status_count++;
    }
}

void tg_generation_hear(struct tg_generation *generation)
{
    TG_STRING buffer = {NULL, 0, 0};
    struct tg_control_message message;

    for (size_t i = 0; i < TG_CHILDREN; i++) {
        struct tg_child *child = &generation->children[i];

        while (child->control >= 0 && tg_control_receive(child->control, &buffer, &message) == 0)
            take(generation, child, &message);
    }
}

int tg_generation_reap(struct tg_generation *generation, struct tg_child *child, bool *clean)
{
    int status;

    if (tg_child_wait(child, &status) != 0)
        return TG_CHILD_LIVES;
    tg_generation_hear(generation);
    tg_child_close(child, status);
    *clean = status == 0;
    return 0;
}

void tg_generation_drain(struct tg_generation *generation, int64_t drain_ms)
{
    int64_t now = tg_monotonic_ms();

    generation->step = TG_LEAVING;
    tg_child_end(&generation->prepare, "stop", now);
    tg_child_end(&generation->front, "drain", now + drain_ms);
    tg_child_end(&generation->jobs, "stop", now + STOP_JOBS_MS);
}

void tg_generation_kill(struct tg_generation *generation)
{
    generation->step = TG_LEAVING;
    for (size_t i = 0; i < TG_CHILDREN; i++) {
        tg_child_kill(&generation->children[i]);
        tg_child_end(&generation->children[i], "stop", 0);
    }
}

bool tg_generation_over(const struct tg_generation *generation)
{
    for (size_t i = 0; i < TG_CHILDREN; i++) {
        if (generation->children[i].pid > 0)
            return false;
    }
    return true;
}
