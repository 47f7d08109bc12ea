#include "supervisor/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "supervisor/events.h"
#include "supervisor/notify.h"
#include "supervisor/service.h"

/* At the end nobody takes over: waiting long for the last clients would only make the gap longer. */
enum { LAST_DRAIN_S = 20, LONGEST_SLEEP_MS = 60 * 1000 };

struct tg_generation_start tg_service_start(struct tg_supervisor *s, struct tg_string *keys)
{
    tg_tickets_write(&s->tickets, keys);
    return (struct tg_generation_start){
        .program = s->options->program,
        .config = s->options->config,
        .listeners = &s->listeners,
        .ticket_keys = tg_string_text(keys),
    };
}

/* Calls each with every generation. It may not change the list. */
static void each_generation(struct tg_supervisor *s, void (*each)(struct tg_supervisor *s, struct tg_generation *generation))
{
    if (s->current != NULL)
        each(s, s->current);
    if (s->next != NULL)
        each(s, s->next);
    for (struct tg_generation *generation = s->leaving; generation != NULL; generation = generation->older)
        each(s, generation);
}

static void hear(struct tg_supervisor *s, struct tg_generation *generation)
{
    (void)s;
    tg_generation_hear(generation);
}

static void kill_late(struct tg_supervisor *s, struct tg_generation *generation)
{
    int64_t now = tg_monotonic_ms();

    (void)s;
    for (size_t i = 0; i < TG_CHILDREN; i++) {
        struct tg_child *child = &generation->children[i];

        if (child->deadline_ms == 0 || now < child->deadline_ms)
            continue;
        if (child->state != TG_CHILD_ENDING && child->why[0] == '\0')
            snprintf(child->why, sizeof(child->why), "not ready in time");
        child->deadline_ms = 0;
        tg_child_kill(child);
    }
}

static void log_end(const struct tg_generation *generation, const struct tg_child *child, int64_t now_ms)
{
    TG_FREED char *number = tg_format("%lld", (long long)generation->number);
    TG_FREED char *wait = tg_format("%lld", (long long)(child->restart_ms - now_ms));
    TG_FREED char *restarts = tg_format("%lld", (long long)child->restarts);

    tg_log(TG_LOG_ERROR, "process-ended", "role", child->role, "generation", number, "why", child->why, "restart-in-ms", wait, "restarts",
           restarts, NULL);
}

static void restart(struct tg_supervisor *s, struct tg_child *child)
{
    TG_STRING keys = {NULL, 0, 0};
    struct tg_generation_start how = tg_service_start(s, &keys);
    int result = child == &s->current->front ? tg_generation_start_front(s->current, &how) : tg_generation_start_jobs(s->current, &how);

    if (result < 0) {
        snprintf(child->why, sizeof(child->why), "%s", tg_failure());
        tg_child_schedule(child, tg_monotonic_ms());
        log_end(s->current, child, tg_monotonic_ms());
    }
}

/* The current generation: who ended is started again, from the same snapshot. */
static void keep_alive(struct tg_supervisor *s)
{
    struct tg_child *children[] = {&s->current->front, &s->current->jobs};
    int64_t now = tg_monotonic_ms();
    bool clean;

    for (size_t i = 0; i < tg_count(children); i++) {
        struct tg_child *child = children[i];

        if (tg_generation_reap(s->current, child, &clean) == 0) {
            tg_child_schedule(child, now);
            log_end(s->current, child, now);
        }
        if (child->state == TG_CHILD_DOWN && child->restart_ms != 0 && now >= child->restart_ms)
            restart(s, child);
    }
}

static void bury(struct tg_supervisor *s)
{
    struct tg_generation **at = &s->leaving;
    bool clean;

    while (*at != NULL) {
        struct tg_generation *generation = *at;

        for (size_t i = 0; i < TG_CHILDREN; i++) {
            if (tg_generation_reap(generation, &generation->children[i], &clean) == 0)
                generation->children[i].state = TG_CHILD_GONE;
        }
        if (tg_generation_over(generation)) {
            *at = generation->older;
            tg_generation_free(generation);
        } else {
            at = &generation->older;
        }
    }
}

static void tell_keys(struct tg_supervisor *s, struct tg_generation *generation)
{
    TG_STRING keys = {NULL, 0, 0};

    tg_tickets_write(&s->tickets, &keys);
    tg_child_tell(&generation->front, "ticket-keys", tg_string_text(&keys));
}

static void turn_keys(struct tg_supervisor *s)
{
    int64_t now = tg_monotonic_ms();

    if (s->tickets.count > 0 && now - s->tickets.made_ms < TG_TICKET_TURN_MS)
        return;
    tg_tickets_turn(&s->tickets, now);
    each_generation(s, tell_keys);
}

static void kill_all(struct tg_supervisor *s, struct tg_generation *generation)
{
    (void)s;
    tg_generation_kill(generation);
}

static void stop(struct tg_supervisor *s)
{
    if (s->stopping++ > 0) {
        each_generation(s, kill_all);
        return;
    }
    tg_log(TG_LOG_INFO, "stopping", NULL);
    tg_notify("STOPPING=1");
    s->reload_wanted = false;
    if (s->next != NULL)
        tg_reload_fail(s, "the service is stopping\n");
    if (s->current != NULL) {
        int64_t drain_s = s->current->plan.drain_s;

        tg_generation_drain(s->current, (drain_s < LAST_DRAIN_S ? drain_s : LAST_DRAIN_S) * 1000);
        s->current->older = s->leaving;
        s->leaving = s->current;
        s->current = NULL;
    }
    for (struct tg_generation *old = s->leaving; old != NULL; old = old->older)
        tg_generation_drain(old, LAST_DRAIN_S * 1000);
    tg_listeners_keep(&s->listeners, NULL); /* who comes now is refused rather than kept waiting */
}

static void tell_reopen(struct tg_supervisor *s, struct tg_generation *generation)
{
    (void)s;
    tg_child_tell(&generation->front, "reopen-logs", tg_text(NULL));
    tg_child_tell(&generation->jobs, "reopen-logs", tg_text(NULL));
}

static void take_signals(struct tg_supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            stop(s);
        else if (info.ssi_signo == SIGHUP)
            s->reload_wanted = s->stopping == 0;
        else if (info.ssi_signo == SIGUSR1) {
            if (tg_events_reopen() < 0)
                tg_log(TG_LOG_ERROR, "event-log-closed", "why", tg_failure(), NULL);
            each_generation(s, tell_reopen);
        }
    }
}

static int catch_signals(struct tg_supervisor *s)
{
    sigset_t caught;

    sigemptyset(&caught);
    sigaddset(&caught, SIGHUP);
    sigaddset(&caught, SIGTERM);
    sigaddset(&caught, SIGINT);
    sigaddset(&caught, SIGCHLD);
    sigaddset(&caught, SIGUSR1);
    s->signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
    sigaddset(&caught, SIGPIPE); /* never taken: a log reader that went away is no reason to end */
    if (s->signals < 0 || sigprocmask(SIG_BLOCK, &caught, NULL) != 0)
        return tg_fail_errno("cannot catch signals");
    return 0;
}

/* As many connections as the system lets us have; the children get the same. */
static void raise_limits(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

struct waiting {
    struct pollfd fds[2 + TG_COMMANDS + 256]; /* what does not fit is seen by its signal or the next turn */
    size_t count;
    int64_t until_ms;
};

static void wait_for(struct waiting *waiting, int fd)
{
    if (fd >= 0 && waiting->count < tg_count(waiting->fds))
        waiting->fds[waiting->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void wait_until(struct waiting *waiting, int64_t when_ms)
{
    if (when_ms != 0 && when_ms < waiting->until_ms)
        waiting->until_ms = when_ms;
}

static void wait_for_generation(struct waiting *waiting, const struct tg_generation *generation)
{
    for (size_t i = 0; generation != NULL && i < TG_CHILDREN; i++) {
        wait_for(waiting, generation->children[i].control);
        wait_until(waiting, generation->children[i].deadline_ms);
        wait_until(waiting, generation->children[i].restart_ms);
    }
}

static void wait_for_events(struct tg_supervisor *s)
{
    int64_t now = tg_monotonic_ms();
    struct waiting waiting = {.count = 0, .until_ms = now + LONGEST_SLEEP_MS};

    wait_for(&waiting, s->signals);
    bool has_room = false;
    for (size_t i = 0; i < TG_COMMANDS; i++) {
        has_room = has_room || s->commands[i].state == TG_COMMAND_NONE;
        wait_for(&waiting, s->commands[i].fd);
        wait_until(&waiting, s->commands[i].deadline_ms);
    }
    if (has_room)
        wait_for(&waiting, s->socket);
    wait_for_generation(&waiting, s->current);
    wait_for_generation(&waiting, s->next);
    for (struct tg_generation *generation = s->leaving; generation != NULL; generation = generation->older)
        wait_for_generation(&waiting, generation);
    poll(waiting.fds, waiting.count, waiting.until_ms > now ? (int)(waiting.until_ms - now) : 0);
}

/* All that may have happened is looked at in each turn; there is little of it, and no order of events to get wrong. */
static void turn(struct tg_supervisor *s)
{
    take_signals(s);
    each_generation(s, hear);
    tg_reload_advance(s);
    if (s->current != NULL)
        keep_alive(s);
    bury(s);
    each_generation(s, kill_late);
    tg_commands_turn(s);
    turn_keys(s);
    if (s->reload_wanted && s->next == NULL)
        tg_reload_begin(s);
    if (s->current == NULL && s->next == NULL && s->leaving == NULL)
        s->is_over = true;
}

static void close_all(struct tg_supervisor *s)
{
    tg_listeners_keep(&s->listeners, NULL);
    for (size_t i = 0; i < TG_COMMANDS; i++) {
        if (s->commands[i].fd >= 0)
            close(s->commands[i].fd);
    }
    if (s->socket >= 0) {
        TG_FREED char *path = tg_format("%s/supervisor.sock", s->run);

        unlink(path);
        close(s->socket);
    }
    if (s->lock >= 0)
        close(s->lock);
    close(s->signals);
    tg_string_done(&s->last_failure);
    explicit_bzero(&s->tickets, sizeof(s->tickets));
}

int tg_supervisor_run(const struct tg_supervisor_options *options, struct tg_string *errors)
{
    struct tg_supervisor s = {.options = options, .signals = -1, .lock = -1, .socket = -1, .errors = errors};
    bool has_served = false;

    s.started_ms = tg_monotonic_ms();
    s.started_s = tg_now_s();
    for (size_t i = 0; i < TG_COMMANDS; i++)
        s.commands[i].fd = -1;
    tg_try(catch_signals(&s));
    raise_limits();
    turn_keys(&s);
    tg_reload_begin(&s);
    while (!s.is_over) {
        wait_for_events(&s);
        turn(&s);
        has_served = has_served || s.current != NULL;
    }
    while (s.leaving != NULL) { /* what a failed start left behind has been killed */
        wait_for_events(&s);
        take_signals(&s);
        each_generation(&s, hear);
        bury(&s);
        each_generation(&s, kill_late);
    }
    close_all(&s);
    return has_served || s.stopping > 0 ? 0 : TG_SUPERVISOR_NOT_STARTED;
}
