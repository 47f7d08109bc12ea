/*
 * service.h - the supervisor's state, shared by its files; nobody else includes it
 */
#ifndef TG_SUPERVISOR_SERVICE_H
#define TG_SUPERVISOR_SERVICE_H

#include "supervisor/generation.h"
#include "supervisor/supervisor.h"
#include "supervisor/tickets.h"

enum tg_command_state { TG_COMMAND_NONE, TG_COMMAND_NEW, TG_COMMAND_QUEUED, TG_COMMAND_RELOADING, TG_COMMAND_STATUS };

/* A command that is connected to the supervisor's socket. */
struct tg_command {
    int fd;
    enum tg_command_state state;
    int64_t deadline_ms;
    int64_t status_count; /* of the front when it was asked */
};

enum { TG_COMMANDS = 16 };
struct tg_supervisor {
    const struct tg_supervisor_options *options;
    int signals, lock, socket;         /* -1: not yet */
    int64_t started_ms, started_s;
    struct tg_listeners listeners;
    struct tg_tickets tickets;
    char user[TG_USER_NAME];           /* who we became */
    char run[PATH_MAX];

    int64_t last_number;
    struct tg_generation *current;     /* NULL until the first one serves */
    struct tg_generation *next;        /* NULL unless one is being made */
    struct tg_generation *leaving;     /* list */

    bool reload_wanted;
    int64_t reloads, reloads_failed;
    int64_t last_reload_s;             /* 0: none so far */
    struct tg_string last_failure;     /* of the last reload; empty: it went well */

    struct tg_command commands[TG_COMMANDS];
    int stopping;                      /* how often we were told */
    bool is_over;
    struct tg_string *errors;          /* of the start */
};

struct tg_generation_start tg_service_start(struct tg_supervisor *s, struct tg_string *keys); /* keys: holds the ticket keys */

/* reload.c: the next generation, from the file to serving. */
void tg_reload_begin(struct tg_supervisor *s);
void tg_reload_advance(struct tg_supervisor *s);
void tg_reload_fail(struct tg_supervisor *s, const char *why); /* the old generation serves on */

/* commands.c: the socket of `teagate reload` and `teagate status`. */
void tg_commands_turn(struct tg_supervisor *s);
void tg_commands_answer_reload(struct tg_supervisor *s, const char *verb, struct tg_text text);
void tg_commands_begin_reload(struct tg_supervisor *s); /* those queued now wait for this one */

/* status.c */
void tg_status_write(struct tg_supervisor *s, struct tg_string *json);

#endif
