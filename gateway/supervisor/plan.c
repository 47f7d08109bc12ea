#include "supervisor/plan.h"

#include "base/result.h"

void tg_plan_init(struct tg_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    plan->drain_s = 300;
}

static int take_text(struct tg_text text, char *out, size_t capacity)
{
    if (text.base == NULL || text.len == 0 || text.len >= capacity)
        return tg_fail("\"%.*s\" does not fit where it belongs", TG_TEXT_ARGS(text));
    memset(out, 0, capacity);
    memcpy(out, text.base, text.len);
    return 0;
}

static int take_bind(struct tg_plan *plan, struct tg_text rest)
{
    struct tg_bind bind = {.port = 0};
    struct tg_text kind = tg_text_cut(&rest, ' ');
    struct tg_text host = tg_text_cut(&rest, ' ');
    uint64_t port;

    if (plan->bind_count == TG_BINDS)
        return tg_fail("more than %d addresses to listen on", TG_BINDS);
    tg_try(take_text(kind, bind.kind, sizeof(bind.kind)));
    if (tg_text_is(host, "unix")) {
        tg_try(take_text(rest, bind.path, sizeof(bind.path)));
    } else {
        tg_try(take_text(host, bind.host, sizeof(bind.host)));
        if (!tg_text_number(rest, &port) || port == 0 || port > UINT16_MAX)
            return tg_fail("\"%.*s\" is not a port", TG_TEXT_ARGS(rest));
        bind.port = (uint16_t)port;
    }
    plan->binds[plan->bind_count++] = bind;
    return 0;
}

static int take_drain(struct tg_plan *plan, struct tg_text rest)
{
    uint64_t seconds;

    if (!tg_text_number(rest, &seconds) || seconds > 86400)
        return tg_fail("\"%.*s\" is not a time to drain", TG_TEXT_ARGS(rest));
    plan->drain_s = (int64_t)seconds;
    return 0;
}

int tg_plan_take(struct tg_plan *plan, const struct tg_control_message *message)
{
    if (tg_text_is(message->verb, "run"))
        return take_text(message->rest, plan->run, sizeof(plan->run));
    if (tg_text_is(message->verb, "user"))
        return take_text(message->rest, plan->user, sizeof(plan->user));
    if (tg_text_is(message->verb, "events"))
        return take_text(message->rest, plan->events, sizeof(plan->events));
    if (tg_text_is(message->verb, "drain"))
        return take_drain(plan, message->rest);
    if (tg_text_is(message->verb, "listen"))
        return take_bind(plan, message->rest);
    return TG_PLAN_UNKNOWN;
}

void tg_bind_name(const struct tg_bind *bind, struct tg_string *out)
{
    if (bind->path[0] != '\0')
        tg_string_addf(out, "unix:%s", bind->path);
    else if (strcmp(bind->host, "*") == 0)
        tg_string_addf(out, ":%u", bind->port);
    else if (strchr(bind->host, ':') != NULL)
        tg_string_addf(out, "[%s]:%u", bind->host, bind->port);
    else
        tg_string_addf(out, "%s:%u", bind->host, bind->port);
}
