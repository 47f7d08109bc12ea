/* front.c - `teagate front`: the process that answers requests; its main thread listens to the supervisor */
#include <malloc.h>
#include "base/log.h"
#include "base/result.h"
#include "command/nouns.h"
#include "command/process.h"
#include "site.h"
#include "supervisor/tickets.h"

enum { TICK_MS = 1000, LISTENERS = 256 };

_Static_assert((int)TG_TICKET == (int)TG_TICKET_KEY && (int)TG_TICKETS == (int)TG_TICKET_KEYS, "the supervisor makes the keys that TLS takes");

static const struct {
    const char *name;
    enum tg_listener_kind kind;
} kinds[] = {
    {"https", TG_LISTEN_HTTPS},
    {"http", TG_LISTEN_HTTP},
    {"backchannel", TG_LISTEN_BACKCHANNEL},
    {"admin", TG_LISTEN_ADMIN},
};

struct front {
    struct tg_process process;
    struct tg_listener listeners[LISTENERS]; /* the site's as long as it lives */
    struct tg_site *site;
    bool serves, is_over;
};

static int read_listener(struct tg_text text, struct tg_listener *out)
{
    struct tg_text number = text;
    struct tg_text kind = tg_text_cut(&number, '=');
    uint64_t fd;

    if (!tg_text_number(number, &fd) || fd > 65535)
        return tg_fail("\"%.*s\" is not a descriptor", TG_TEXT_ARGS(text));
    for (size_t i = 0; i < tg_count(kinds); i++) {
        if (tg_text_is(kind, kinds[i].name)) {
            *out = (struct tg_listener){.kind = kinds[i].kind, .fd = (int)fd};
            return 0;
        }
    }
    return tg_fail("there is no kind of listener \"%.*s\"", TG_TEXT_ARGS(kind));
}

static int build(struct front *front, const struct tg_site_conf *conf)
{
    struct tg_site_inputs inputs = {.listeners = front->listeners, .generation = front->process.generation};
    struct tg_text rest = tg_text(front->process.listen);

    while (rest.base != NULL) {
        if (inputs.listener_count == LISTENERS)
            return tg_fail("more than %d listening sockets", LISTENERS);
        tg_try(read_listener(tg_text_cut(&rest, ','), &front->listeners[inputs.listener_count++]));
    }
    return tg_site_new(conf, &inputs, &front->site);
}

static void set_keys(struct front *front, struct tg_text text)
{
    struct tg_tickets tickets;

    if (tg_tickets_read(text, &tickets) == 0)
        tg_site_set_ticket_keys(front->site, (const uint8_t (*)[TG_TICKET_KEY])tickets.keys, tickets.count);
    explicit_bzero(&tickets, sizeof(tickets));
}

static int start(struct front *front)
{
    tg_try(tg_site_start(front->site));
    front->serves = true;
    tg_process_say(&front->process, "serving", tg_text(NULL));
    return 0;
}

static int obey(struct front *front, const struct tg_control_message *message)
{
    TG_STRING status = {NULL, 0, 0};

    if (tg_text_is(message->verb, "ticket-keys")) {
        set_keys(front, message->rest);
    } else if (tg_text_is(message->verb, "go")) {
        return start(front);
    } else if (tg_text_is(message->verb, "status")) {
        tg_site_status(front->site, &status);
        tg_process_say(&front->process, "status", tg_string_text(&status));
    } else if (tg_text_is(message->verb, "reopen-logs")) {
        tg_site_reopen_logs(front->site);
    } else if (tg_text_is(message->verb, "drain") || tg_text_is(message->verb, "stop")) {
        if (front->serves && tg_text_is(message->verb, "drain"))
            tg_site_drain(front->site);
        front->is_over = true;
    }
    return 0;
}

static int serve(struct front *front)
{
    struct tg_control_message message;

    while (!front->is_over) {
        int result = tg_process_hear(&front->process, TICK_MS, &message);

        if (result == TG_CONTROL_CLOSED)
            return TG_EXIT_FAILED;
        if (result == 0 && obey(front, &message) != 0)
            return tg_process_failed(&front->process, "starting to accept");
        if (front->serves && !front->is_over)
            tg_site_tick(front->site);
    }
    return TG_EXIT_DONE;
}

/* What a burst has taken is kept for the next one instead of being asked of the kernel again with each connection. */
static void keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
    mallopt(M_TOP_PAD, 512 << 10);
}

static int run_front(struct tg_run *run, const void *values)
{
    struct front front = {.site = NULL};

    keep_memory();
    int status = tg_process_begin(run, values, &front.process);

    if (status == TG_EXIT_DONE && build(&front, &run->conf) != 0)
        status = tg_process_failed(&front.process, "starting the front");
    if (status == TG_EXIT_DONE) {
        tg_process_say(&front.process, "ready", tg_text(NULL));
        status = serve(&front);
    }
    tg_site_free(front.site);
    tg_process_end(&front.process);
    return status;
}

const struct tg_verb tg_front_verbs[] = {
    {NULL, NULL, 0, tg_process_options, sizeof(struct tg_process_values), run_front, "answer requests"},
    {NULL},
};
