/* commands.c - the socket of `teagate reload` and `teagate status` */
#include <sys/socket.h>
#include "base/clock.h"
#include "base/result.h"
#include "supervisor/service.h"

enum { PATIENCE_MS = 5000, STATUS_MS = 1000 };

static void part(struct tg_command *command)
{
    close(command->fd);
    *command = (struct tg_command){.fd = -1, .state = TG_COMMAND_NONE};
}

/* One that does not read its answer loses it. */
static void answer(struct tg_command *command, const char *verb, struct tg_text text)
{
    tg_control_send(command->fd, verb, text);
    part(command);
}

void tg_commands_begin_reload(struct tg_supervisor *s)
{
    for (size_t i = 0; i < TG_COMMANDS; i++) {
        if (s->commands[i].state == TG_COMMAND_QUEUED)
            s->commands[i].state = TG_COMMAND_RELOADING;
    }
}

void tg_commands_answer_reload(struct tg_supervisor *s, const char *verb, struct tg_text text)
{
    for (size_t i = 0; i < TG_COMMANDS; i++) {
        if (s->commands[i].state == TG_COMMAND_RELOADING)
            answer(&s->commands[i], verb, text);
    }
}

static void accept_commands(struct tg_supervisor *s)
{
    for (size_t i = 0; i < TG_COMMANDS; i++) {
        struct tg_command *command = &s->commands[i];

        if (command->state != TG_COMMAND_NONE)
            continue;
        int fd = accept4(s->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        *command = (struct tg_command){.fd = fd, .state = TG_COMMAND_NEW, .deadline_ms = tg_monotonic_ms() + PATIENCE_MS};
    }
}

static void begin(struct tg_supervisor *s, struct tg_command *command, struct tg_text verb)
{
    if (tg_text_is(verb, "reload") && s->stopping > 0) {
        answer(command, "failed", TG_TEXT("the service is stopping\n"));
    } else if (tg_text_is(verb, "reload")) {
        command->state = TG_COMMAND_QUEUED;
        command->deadline_ms = 0;
        s->reload_wanted = true;
    } else if (tg_text_is(verb, "status")) {
        command->state = TG_COMMAND_STATUS;
        command->deadline_ms = tg_monotonic_ms() + STATUS_MS;
        if (s->current != NULL) {
            command->status_count = s->current->status_count;
            tg_child_tell(&s->current->front, "status", tg_text(NULL));
        }
    } else {
        answer(command, "failed", TG_TEXT("the service does not know this command; it may be of another release\n"));
    }
}

static void hear(struct tg_supervisor *s, struct tg_command *command)
{
    TG_STRING buffer = {NULL, 0, 0};
    struct tg_control_message message;
    int result = tg_control_receive(command->fd, &buffer, &message);

    if (result == 0 && command->state == TG_COMMAND_NEW)
        begin(s, command, message.verb);
    else if (result != TG_CONTROL_NONE)
        part(command);
}

static void answer_status(struct tg_supervisor *s, struct tg_command *command)
{
    TG_STRING json = {NULL, 0, 0};

    tg_status_write(s, &json);
    tg_control_send(command->fd, "supervisor", tg_string_text(&json));
    if (s->current != NULL && s->current->status_count > command->status_count)
        tg_control_send(command->fd, "front", tg_string_text(&s->current->front_status));
    part(command);
}

void tg_commands_turn(struct tg_supervisor *s)
{
    int64_t now = tg_monotonic_ms();

    if (s->socket >= 0)
        accept_commands(s);
    for (size_t i = 0; i < TG_COMMANDS; i++) {
        struct tg_command *command = &s->commands[i];

        if (command->state != TG_COMMAND_NONE)
            hear(s, command);
        bool is_late = command->deadline_ms != 0 && now >= command->deadline_ms;
        bool has_front = s->current != NULL && s->current->front.control >= 0;
        bool has_answer = s->current != NULL && s->current->status_count != command->status_count;

        if (command->state == TG_COMMAND_STATUS && (is_late || !has_front || has_answer))
            answer_status(s, command);
        else if (command->state == TG_COMMAND_NEW && is_late)
            part(command);
    }
}
