/*
 * paused.c - the page of who has to wait before a password is looked at again
 *
 * It says the same whether or not there is such an account, so its times are those of the operator's zone, never of the
 * account's.
 */
#include <inttypes.h>
#include "account/pages.h"
#include "base/clock.h"
#include "base/result.h"

struct paused_values {
    struct tg_text login, network, address, wait, again, until, until_iso, since, since_iso, back_url, reference;
};

#define SLOT(name) {#name, offsetof(struct paused_values, name)}

static const struct tg_slot paused_slots[] = {
    SLOT(login), SLOT(network), SLOT(address), SLOT(wait), SLOT(again), SLOT(until), SLOT(until_iso), SLOT(since),
    SLOT(since_iso), SLOT(back_url), SLOT(reference), {NULL},
};
const struct tg_page tg_page_sign_in_throttled = {"sign-in-throttled", paused_slots};

static const char *wait_words(struct tg_arena *arena, int64_t wait_s)
{
    int64_t minutes = (wait_s + 59) / 60;

    if (wait_s <= 90)
        return tg_arena_format(arena, "%" PRId64 " second%s", wait_s, wait_s == 1 ? "" : "s");
    return tg_arena_format(arena, "%" PRId64 " minutes", minutes);
}

/* "23 November 2026, 07:36:09 CET": with its seconds, since a pause may be over before its minute is. Zones are whole minutes
   apart. */
static void tell_time(struct tg_arena *arena, int64_t when_s, const char *zone, struct tg_text *words, struct tg_text *iso)
{
    char text[TG_TIME_WORDS], machine[TG_TIME_ISO];

    tg_time_short(when_s, zone != NULL ? zone : "UTC", text);
    tg_time_iso(when_s, machine);
    size_t minutes = strcspn(text, ":") + 3;
    *words = tg_text(tg_arena_format(arena, "%.*s:%02d%s", (int)minutes, text, (int)(when_s % 60), text + minutes));
    *iso = tg_arena_text(arena, tg_text(machine));
}

/* What stands behind the date. */
static struct tg_text time_of_day(struct tg_text words)
{
    (void)tg_text_cut(&words, ',');
    return tg_text_trim(words);
}

static const char *back_to(struct tg_arena *arena, const char *next)
{
    TG_STRING encoded = {NULL};

    if (strcmp(next, "/") == 0)
        return "/sign-in";
    tg_url_encode(&encoded, tg_text(next));
    return tg_arena_format(arena, "/sign-in?next=%.*s", TG_TEXT_ARGS(tg_string_text(&encoded)));
}

int tg_account_paused(struct tg_call *call, const struct tg_pause *pause, struct tg_text login, const char *next)
{
    const char *zone = tg_templates_zone(tg_pages_of(call)->options.templates);
    int64_t until_s = (pause->until_ms + 999) / 1000, left_ms = pause->until_ms - tg_now_ms();
    int64_t wait_s = left_ms > 0 ? (left_ms + 999) / 1000 : 1;
    struct paused_values values = {
        .login = login,
        .network = pause->is_network ? TG_TEXT("yes") : (struct tg_text){NULL, 0},
        .address = call->address,
        .wait = tg_text(wait_words(&call->arena, wait_s)),
        .back_url = tg_text(back_to(&call->arena, next)),
        .reference = tg_text(call->id),
    };

    tell_time(&call->arena, until_s, zone, &values.until, &values.until_iso);
    values.again = time_of_day(values.until);
    tell_time(&call->arena, pause->since_ms / 1000, zone, &values.since, &values.since_iso);
    tg_reply_header(&call->reply, TG_TEXT("retry-after"), tg_text(tg_arena_format(&call->arena, "%" PRId64, wait_s)));
    return tg_account_show(call, 429, &tg_page_sign_in_throttled, &values);
}
