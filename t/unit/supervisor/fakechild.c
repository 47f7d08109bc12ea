/*
 * fakechild.c - a program for the supervisor that does nothing but behave, or misbehave, as its configuration says
 *
 * The configuration is a list of lines. Those that begin with "front-" or "jobs-" are for these; prepare passes all others on as messages.
 *
 *   front-fails WHY | front-dies | front-hangs | front-crashes MS | front-lingers MS | jobs-fails WHY
 *
 * The fake front answers each connection with "PID GENERATION\n". `serve` runs the supervisor with this very program.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "supervisor/control.h"
#include "supervisor/snapshot.h"
#include "supervisor/supervisor.h"
#include "supervisor/tickets.h"

struct fake {
    const char *role, *config, *listen;
    int control, snapshot;
    long generation;
    struct tg_string text;
    bool serves, has_keys;
    int fds[32];
    size_t count;
};

/* The line that begins with the word: what follows it; absent when there is none. */
static struct tg_text line_of(struct fake *fake, const char *word)
{
    struct tg_text rest = tg_string_text(&fake->text);

    while (rest.base != NULL) {
        struct tg_text tail = tg_text_cut(&rest, '\n');
        struct tg_text first = tg_text_cut(&tail, ' ');

        if (tg_text_is(first, word))
            return tail.base != NULL ? tail : TG_TEXT("");
    }
    return tg_text(NULL);
}

static int number_of(struct fake *fake, const char *word)
{
    uint64_t number = 0;

    return tg_text_number(line_of(fake, word), &number) ? (int)number : 0;
}

static int prepare(struct fake *fake)
{
    struct tg_text rest = tg_string_text(&fake->text);
    struct tg_control_message message;

    while (rest.base != NULL) {
        struct tg_text line = tg_text_cut(&rest, '\n');

        if (line.len == 0 || tg_text_starts(line, "front-") || tg_text_starts(line, "jobs-"))
            continue;
        tg_control_read(line, &message);
        TG_FREED char *verb = tg_format("%.*s", TG_TEXT_ARGS(message.verb));
        tg_control_send(fake->control, verb, message.rest);
    }
    return 0;
}

static void fail_if_told(struct fake *fake, const char *word)
{
    struct tg_text why = line_of(fake, word);

    if (why.base == NULL)
        return;
    tg_control_send(fake->control, "failed", why);
    exit(1);
}

static void read_listen(struct fake *fake)
{
    struct tg_text rest = tg_text(fake->listen);

    while (rest.base != NULL && fake->count < tg_count(fake->fds)) {
        struct tg_text tail = tg_text_cut(&rest, ',');

        tg_text_cut(&tail, '=');
        fake->fds[fake->count++] = atoi(tail.base);
    }
}

static void answer(struct fake *fake, int fd)
{
    TG_CLOSED int connection = accept(fd, NULL, NULL);
    char line[64];

    if (connection < 0)
        return;
    int len = snprintf(line, sizeof(line), "%d %ld\n", (int)getpid(), fake->generation);
    (void)!write(connection, line, (size_t)len);
}

/* 0: go on. */
static int obey(struct fake *fake, const struct tg_control_message *message)
{
    struct tg_tickets tickets;

    if (tg_text_is(message->verb, "drain")) {
        usleep((useconds_t)number_of(fake, "front-lingers") * 1000);
        return 1;
    }
    if (tg_text_is(message->verb, "stop"))
        return 1;
    if (tg_text_is(message->verb, "ticket-keys"))
        fake->has_keys = tg_tickets_read(message->rest, &tickets) == 0;
    if (tg_text_is(message->verb, "status"))
        tg_control_send(fake->control, "status", TG_TEXT("{\"fake\":true}"));
    if (tg_text_is(message->verb, "go")) {
        if (strcmp(fake->role, "front") == 0 && !fake->has_keys)
            exit(3);
        fake->serves = true;
        tg_control_send(fake->control, "serving", tg_text(NULL));
    }
    return 0;
}

static int serve_loop(struct fake *fake, int64_t end_ms)
{
    TG_STRING buffer = {NULL, 0, 0};
    struct tg_control_message message;
    struct pollfd fds[33] = {{.fd = fake->control, .events = POLLIN}};

    for (;;) {
        size_t count = fake->serves ? fake->count : 0;

        for (size_t i = 0; i < count; i++)
            fds[i + 1] = (struct pollfd){.fd = fake->fds[i], .events = POLLIN};
        poll(fds, count + 1, 50);
        if (end_ms != 0 && tg_monotonic_ms() >= end_ms)
            abort();
        if (fds[0].revents != 0 && (tg_control_receive(fake->control, &buffer, &message) != 0 || obey(fake, &message) != 0))
            return 0;
        for (size_t i = 0; i < count; i++) {
            if (fds[i + 1].revents != 0)
                answer(fake, fake->fds[i]);
        }
    }
}

static int front(struct fake *fake)
{
    int crash_ms = number_of(fake, "front-crashes");

    fail_if_told(fake, "front-fails");
    if (line_of(fake, "front-dies").base != NULL)
        abort();
    if (line_of(fake, "front-hangs").base != NULL)
        pause();
    read_listen(fake);
    tg_control_send(fake->control, "ready", tg_text(NULL));
    return serve_loop(fake, crash_ms > 0 ? tg_monotonic_ms() + crash_ms : 0);
}

static int jobs(struct fake *fake)
{
    fail_if_told(fake, "jobs-fails");
    tg_control_send(fake->control, "ready", tg_text(NULL));
    return serve_loop(fake, 0);
}

static int serve(const char *program, const char *config)
{
    struct tg_supervisor_options options = {.program = program, .config = config};
    TG_STRING errors = {NULL, 0, 0};
    int result = tg_supervisor_run(&options, &errors);

    if (result != 0)
        fprintf(stderr, "%s", result < 0 ? tg_failure() : errors.base);
    return result == 0 ? 0 : 1;
}

/* Sends the verb to the supervisor's socket and prints its answers. */
static int ask(const char *socket, const char *verb)
{
    TG_STRING buffer = {NULL, 0, 0};
    struct tg_control_message message;
    int fd;
    int status = 1;

    if (tg_control_connect(socket, &fd) != 0)
        return 5;
    tg_control_send(fd, verb, tg_text(NULL));
    while (tg_control_receive(fd, &buffer, &message) == 0) {
        printf("%s\n", buffer.base);
        status = tg_text_is(message.verb, "failed") ? 1 : 0;
    }
    close(fd);
    return status;
}

int main(int argc, char **argv)
{
    struct fake fake = {.control = -1, .snapshot = -1};

    if (tg_secret_init() < 0 || argc < 3)
        return 2;
    fake.role = argv[1];
    if (strcmp(fake.role, "serve") == 0)
        return serve(argv[0], argv[2]);
    if (strcmp(fake.role, "ask") == 0)
        return argc > 3 ? ask(argv[2], argv[3]) : 2;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--control") == 0)
            fake.control = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--snapshot") == 0)
            fake.snapshot = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--generation") == 0)
            fake.generation = atol(argv[i + 1]);
        else if (strcmp(argv[i], "--listen") == 0)
            fake.listen = argv[i + 1];
    }
    if (tg_snapshot_read(fake.snapshot, &fake.text) < 0)
        return 2;
    int status = strcmp(fake.role, "prepare") == 0 ? prepare(&fake) : strcmp(fake.role, "front") == 0 ? front(&fake) : jobs(&fake);
    tg_string_done(&fake.text);
    return status;
}
