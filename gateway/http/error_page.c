#include "http/error_page.h"

#include <inttypes.h>
#include "base/clock.h"
#include "base/result.h"

/* One row for each kind; its letter is the template. */
static const struct error {
    int status;
    const char *template;
    const char *answer;    /* in the page's margin, behind the status */
    const char *line;      /* for texts; ASCII */
    int64_t retry_after_s; /* when the caller gives none */
} errors[TG_ERROR_KINDS] = {
    [TG_ERROR_BAD_REQUEST] = {400, "bad-request", "not understood", "This request can't be read. Nothing has changed."},
    [TG_ERROR_UNKNOWN_CLIENT] = {400, "oauth-error", "app not known", "The app that asks for a sign-in is not registered here."},
    [TG_ERROR_FOREIGN_REDIRECT] = {400, "oauth-error", "address not registered",
                                   "The address to return to is not registered for this app."},
    [TG_ERROR_FORBIDDEN] = {403, "forbidden", "turned away", "This was turned away, and nothing has changed."},
    [TG_ERROR_CLOSED] = {403, "closed", "not used here", "This way in is not used here. Everything else works."},
    [TG_ERROR_ACCOUNT_CLASH] = {403, "no-account-here", "name taken",
                                "Another user here has the name or email address of your account. The operators can put it right."},
    [TG_ERROR_ACCOUNT_FOREIGN] = {403, "no-account-here", "another user",
                                  "The user here is not the one we knew. The operators can put it right."},
    [TG_ERROR_NOT_FOUND] = {404, "not-found", "no such page", "There is no page at this address."},
    [TG_ERROR_METHOD] = {405, "method", "another method", "This address can't be used with that method."},
    [TG_ERROR_TOO_SLOW] = {408, "bad-request", "not all of it came", "The request stopped on its way here. Nothing has changed."},
    [TG_ERROR_TOO_LARGE] = {413, "request-too-large", "too large", "What was sent is larger than this address takes. Nothing has changed."},
    [TG_ERROR_UNKNOWN_HOST] = {421, "unknown-host", "host not known here", "No site is set up under this name."},
    [TG_ERROR_TOO_MANY] = {429, "too-many", "too many requests", "Too many requests came from this address.", 60},
    [TG_ERROR_INTERNAL] = {500, "failed", "not done", "Something went wrong on our side. It is in our log."},
    [TG_ERROR_UPSTREAM_DOWN] = {502, "upstream-down", "not answering",
                                "The git service is starting again or stopped. Your repositories are safe."},
    [TG_ERROR_UNAVAILABLE] = {503, "unavailable", "busy", "This can't be answered right now. Your repositories are not affected.", 5},
    [TG_ERROR_UPSTREAM_TIMEOUT] = {504, "upstream-timeout", "no answer in time",
                                   "The git service gave no answer in time. Look whether what you sent arrived before you send it again."},
};

struct error_slots {
    struct tg_text host, path, reference, address, login, home_url, retry_url;
    struct tg_text answer, wait, time, time_iso;
    struct tg_text unknown_client, foreign_redirect, account_clash, account_foreign; /* which of two letters a template shows */
};

static const struct tg_slot error_slots[] = {
    {"host", offsetof(struct error_slots, host)},
    {"path", offsetof(struct error_slots, path)},
    {"reference", offsetof(struct error_slots, reference)},
    {"address", offsetof(struct error_slots, address)},
    {"login", offsetof(struct error_slots, login)},
    {"home_url", offsetof(struct error_slots, home_url)},
    {"retry_url", offsetof(struct error_slots, retry_url)},
    {"answer", offsetof(struct error_slots, answer)},
    {"wait", offsetof(struct error_slots, wait)},
    {"time", offsetof(struct error_slots, time)},
    {"time_iso", offsetof(struct error_slots, time_iso)},
    {"unknown_client", offsetof(struct error_slots, unknown_client)},
    {"foreign_redirect", offsetof(struct error_slots, foreign_redirect)},
    {"account_clash", offsetof(struct error_slots, account_clash)},
    {"account_foreign", offsetof(struct error_slots, account_foreign)},
    {NULL},
};

static struct tg_page page_of(enum tg_error_kind kind)
{
    return (struct tg_page){.template = errors[kind].template, .slots = error_slots};
}

static int64_t wait_of(enum tg_error_kind kind, const struct tg_error_values *values)
{
    return values != NULL && values->retry_after_s > 0 ? values->retry_after_s : errors[kind].retry_after_s;
}

static const char *wait_words(struct tg_arena *arena, int64_t wait_s)
{
    int64_t minutes = (wait_s + 59) / 60;

    if (wait_s < 60)
        return tg_arena_format(arena, "%" PRId64 " second%s", wait_s, wait_s == 1 ? "" : "s");
    return tg_arena_format(arena, "%" PRId64 " minute%s", minutes, minutes == 1 ? "" : "s");
}

static struct tg_text if_kind(enum tg_error_kind kind, enum tg_error_kind wanted)
{
    return kind == wanted ? TG_TEXT("yes") : (struct tg_text){NULL, 0};
}

static void set_status(enum tg_error_kind kind, const struct tg_error_values *values, struct tg_arena *arena, struct tg_reply *reply)
{
    int64_t wait_s = wait_of(kind, values);

    reply->status = errors[kind].status;
    if (wait_s > 0)
        tg_reply_header(reply, TG_TEXT("retry-after"), tg_text(tg_arena_format(arena, "%" PRId64, wait_s)));
}

void tg_error_page(struct tg_templates *templates, enum tg_error_kind kind, const struct tg_error_values *values,
                   struct tg_arena *arena, struct tg_reply *reply)
{
    struct tg_page page = page_of(kind);
    int64_t now_s = tg_now_s(), wait_s = wait_of(kind, values);
    char time[TG_TIME_WORDS], time_iso[TG_TIME_ISO];
    struct error_slots slots = {
        .host = values->host,
        .path = values->path,
        .reference = values->reference,
        .login = values->login,
        .home_url = values->home_url,
        .retry_url = values->retry_url,
        .address = kind == TG_ERROR_TOO_MANY ? values->address : (struct tg_text){NULL, 0},
        .unknown_client = if_kind(kind, TG_ERROR_UNKNOWN_CLIENT),
        .foreign_redirect = if_kind(kind, TG_ERROR_FOREIGN_REDIRECT),
        .account_clash = if_kind(kind, TG_ERROR_ACCOUNT_CLASH),
        .account_foreign = if_kind(kind, TG_ERROR_ACCOUNT_FOREIGN),
    };

    tg_time_short(now_s, tg_templates_zone(templates), time);
    tg_time_iso(now_s, time_iso);
    slots.time = tg_text(time);
    slots.time_iso = tg_text(time_iso);
    slots.answer = tg_text(tg_arena_format(arena, "%d, %s", errors[kind].status, errors[kind].answer));
    slots.wait = wait_s > 0 ? tg_text(wait_words(arena, wait_s)) : TG_TEXT("a moment");

    set_status(kind, values, arena, reply);
    reply->content_type = "text/html; charset=utf-8";
    reply->is_page = true;
    reply->body = tg_templates_fill(templates, &page, &slots, arena);
}

void tg_error_text(enum tg_error_kind kind, const struct tg_error_values *values, struct tg_arena *arena, struct tg_reply *reply)
{
    int64_t wait_s = wait_of(kind, values);
    const char *again = wait_s > 0 ? tg_arena_format(arena, " Try again in %s.", wait_words(arena, wait_s)) : "";
    const char *reference = "";

    if (values != NULL && values->reference.len > 0)
        reference = tg_arena_format(arena, " Reference: %.*s", TG_TEXT_ARGS(values->reference));
    set_status(kind, values, arena, reply);
    reply->content_type = "text/plain; charset=utf-8";
    reply->is_page = false;
    reply->body = tg_text(tg_arena_format(arena, "%s%s%s\n", errors[kind].line, again, reference));
}

int tg_error_status(enum tg_error_kind kind)
{
    return errors[kind].status;
}

const char *tg_error_line(enum tg_error_kind kind)
{
    return errors[kind].line;
}

int tg_error_pages_check(struct tg_templates *templates)
{
    for (int kind = 0; kind < TG_ERROR_KINDS; kind++) {
        struct tg_page page = page_of((enum tg_error_kind)kind);

        tg_try(tg_templates_check(templates, &page));
    }
    return 0;
}
