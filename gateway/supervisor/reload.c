/*
 * reload.c - the next generation: prepare, start, adopt
 *
 *   PREPARING  the installed program checks the snapshot, migrates the store and tells what to listen on
 *   STARTING   sockets are open; front and jobs build themselves up; nothing is accepted yet
 *   ADOPTING   the new front is told to accept, beside the old one
 *   CURRENT    the old front drains, old jobs stop and free their lease, new jobs begin
 *
 * What fails before CURRENT leaves everything as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "supervisor/events.h"
#include "supervisor/notify.h"
#include "supervisor/privileges.h"
#include "supervisor/service.h"

enum { ABANDON_MS = 5000 };

void tg_reload_begin(struct tg_supervisor *s)
{
    TG_STRING keys = {NULL, 0, 0};
    struct tg_generation_start how = tg_service_start(s, &keys);

    s->reload_wanted = false;
    tg_commands_begin_reload(s);
    if (s->current != NULL) {
        TG_FREED char *state = tg_format("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)tg_monotonic_ms() * 1000);

        tg_notify(state);
    }
    if (tg_generation_new(++s->last_number, &how, &s->next) < 0)
        tg_reload_fail(s, tg_failure());
}

static void abandon(struct tg_supervisor *s)
{
    struct tg_generation *failed = s->next;

    s->next = NULL;
    if (failed == NULL)
        return;
    if (failed->step == TG_ADOPTING) /* its front may have accepted connections already */
        tg_generation_drain(failed, ABANDON_MS);
    else
        tg_generation_kill(failed);
    failed->older = s->leaving;
    s->leaving = failed;
    tg_listeners_keep(&s->listeners, s->current != NULL ? &s->current->plan : NULL);
}

static void log_lines(enum tg_log_level level, const char *event, struct tg_text lines)
{
    while (lines.base != NULL) {
        struct tg_text line = tg_text_cut(&lines, '\n');
        TG_FREED char *text = tg_format("%.*s", TG_TEXT_ARGS(line));

        if (line.len > 0)
            tg_log(level, event, "why", text, NULL);
    }
}

void tg_reload_fail(struct tg_supervisor *s, const char *why)
{
    TG_STRING text = {NULL, 0, 0};

    tg_string_add(&text, tg_text(why)); /* why may belong to what is abandoned now */
    if (!tg_text_ends(tg_text(why), "\n"))
        tg_string_add(&text, TG_TEXT("\n"));
    abandon(s);
    if (s->current == NULL) {
        tg_string_add(s->errors, tg_string_text(&text));
        s->is_over = true;
        return;
    }
    s->reloads++;
    s->reloads_failed++;
    s->last_reload_s = tg_now_s();
    s->last_failure.len = 0;
    tg_string_add(&s->last_failure, tg_string_text(&text));
    log_lines(TG_LOG_ERROR, "reload-failed", tg_string_text(&text));
    tg_commands_answer_reload(s, "failed", tg_string_text(&text));
    tg_notify("READY=1");
}

/* One service per run directory: the lock goes with the process, however it ends. */
static int lock_run(struct tg_supervisor *s)
{
    TG_FREED char *lock = tg_format("%s/supervisor.lock", s->run);
    TG_FREED char *socket = tg_format("%s/supervisor.sock", s->run);

    s->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0)
        return tg_fail_errno("cannot open %s (`run` must be a directory that the service may write to)", lock);
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? tg_fail("the service is running already in %s; `teagate reload` applies changes", s->run)
                                    : tg_fail_errno("cannot lock %s", lock);
    return tg_control_listen(socket, &s->socket);
}

/* What only the first generation can settle: who we are and where our socket is. */
static int settle(struct tg_supervisor *s, const struct tg_plan *plan)
{
    if (plan->run[0] == '\0')
        return tg_fail("%s prepare did not name a run directory", s->options->program);
    snprintf(s->run, sizeof(s->run), "%s", plan->run);
    snprintf(s->user, sizeof(s->user), "%s", plan->user);
    tg_try(tg_privileges_directory(s->run, 0750, s->user));
    if (tg_privileges_become_binder(s->user) != 0)
        return TG_FAILED;
    if (access(s->options->config, R_OK) != 0)
        tg_log(TG_LOG_WARN, "config-unreadable", "file", s->options->config, "user", s->user, "why", "reloads will fail", "do",
               "let the service user read the file (chgrp, chmod 640)", NULL);
    return lock_run(s);
}

static void warn_of_unchangeable(struct tg_supervisor *s, const struct tg_plan *plan)
{
    if (strcmp(s->run, plan->run) != 0)
        tg_log(TG_LOG_WARN, "restart-needed", "key", "run", "why", "a running service keeps its run directory", NULL);
    if (strcmp(s->user, plan->user) != 0)
        tg_log(TG_LOG_WARN, "restart-needed", "key", "user", "why", "a running service cannot become another user", NULL);
}

static int open_and_start(struct tg_supervisor *s, struct tg_string *errors)
{
    TG_STRING keys = {NULL, 0, 0};
    struct tg_generation_start how = tg_service_start(s, &keys);

    if (s->socket < 0)
        tg_try(settle(s, &s->next->plan));
    else
        warn_of_unchangeable(s, &s->next->plan);
    int result = tg_try(tg_listeners_open(&s->listeners, &s->next->plan, errors));
    if (result > 0)
        return tg_fail("%s", errors->base);
    tg_try(tg_generation_start_front(s->next, &how));
    return tg_generation_start_jobs(s->next, &how);
}

static void finish_prepare(struct tg_supervisor *s)
{
    struct tg_generation *next = s->next;
    TG_STRING errors = {NULL, 0, 0};
    bool clean;

    if (tg_generation_reap(next, &next->prepare, &clean) != 0)
        return;
    next->prepare.state = TG_CHILD_GONE;
    if (next->errors.len > 0) {
        tg_reload_fail(s, next->errors.base);
    } else if (!clean) {
        TG_FREED char *why = tg_format("the configuration could not be checked: %s\n", next->prepare.why);

        tg_reload_fail(s, why);
    } else if (open_and_start(s, &errors) != 0) {
        tg_reload_fail(s, errors.len > 0 ? errors.base : tg_failure());
    } else {
        next->step = TG_STARTING;
    }
}

static void say_serving(struct tg_supervisor *s, struct tg_generation *generation, const char *event)
{
    TG_FREED char *number = tg_format("%lld", (long long)generation->number);
    TG_FREED char *pid = tg_format("%d", (int)generation->front.pid);
    TG_FREED char *text = tg_format("generation %s serves\n%s", number, generation->warnings.len > 0 ? generation->warnings.base : "");

    log_lines(TG_LOG_WARN, "config-warning", tg_string_text(&generation->warnings));
    tg_log(TG_LOG_INFO, event, "generation", number, "front", pid, NULL);
    tg_commands_answer_reload(s, "ok", tg_text(text));
    tg_notify("READY=1");
}

static void adopt(struct tg_supervisor *s)
{
    struct tg_generation *old = s->current;

    s->current = s->next;
    s->next = NULL;
    s->current->step = TG_CURRENT;
    if (old != NULL) {
        tg_generation_drain(old, (old->plan.drain_s + 5) * 1000);
        old->older = s->leaving;
        s->leaving = old;
        s->reloads++;
        s->last_reload_s = tg_now_s();
        s->last_failure.len = 0;
    }
    tg_listeners_keep(&s->listeners, &s->current->plan);
    if (tg_events_open(s->current->plan.events) < 0)
        tg_log(TG_LOG_ERROR, "event-log-closed", "why", tg_failure(), "do", "make the directory and give it to the service user", NULL);
    tg_child_tell(&s->current->jobs, "go", tg_text(NULL));
    say_serving(s, s->current, old == NULL ? "started" : "reloaded");
}

/* A child of the next generation that ends before its time is the end of the reload. */
static bool lost_child(struct tg_supervisor *s)
{
    struct tg_child *children[] = {&s->next->front, &s->next->jobs};
    bool clean;

    for (size_t i = 0; i < tg_count(children); i++) {
        if (tg_generation_reap(s->next, children[i], &clean) != 0)
            continue;
        TG_FREED char *why = tg_format("the new %s did not come up: %s\n", children[i]->role, children[i]->why);

        tg_reload_fail(s, why);
        return true;
    }
    return false;
}

void tg_reload_advance(struct tg_supervisor *s)
{
    struct tg_generation *next = s->next;

    if (next == NULL)
        return;
    if (next->step == TG_PREPARING) {
        finish_prepare(s);
        return;
    }
    if (lost_child(s))
        return;
    if (next->step == TG_STARTING && next->front.state == TG_CHILD_READY && next->jobs.state == TG_CHILD_READY) {
        tg_child_tell(&next->front, "go", tg_text(NULL));
        next->step = TG_ADOPTING;
    }
    if (next->step == TG_ADOPTING && next->front.state == TG_CHILD_SERVING)
        adopt(s);
}
