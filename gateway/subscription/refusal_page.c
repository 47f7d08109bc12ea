#include "subscription/refusal_page.h"

#include "base/result.h"

struct refusal_slots {
    struct tg_text title, state, heading, what, remedy;
    struct tg_text renew_url, renew_label, takeout_url, contact_url;
    struct tg_text ended_at, closed_at, deleted_at, held_since;
    struct tg_text ended_at_iso, closed_at_iso, deleted_at_iso, held_since_iso;
    struct tg_text readonly; /* not empty where the level is, or after the end will be, read-only */
    struct tg_text login, sign_out_url, continue_url, continue_label, csrf, request, reference;
};

static const struct tg_slot refusal_slots[] = {
    {"title", offsetof(struct refusal_slots, title)},
    {"state", offsetof(struct refusal_slots, state)},
    {"heading", offsetof(struct refusal_slots, heading)},
    {"what", offsetof(struct refusal_slots, what)},
    {"remedy", offsetof(struct refusal_slots, remedy)},
    {"renew_url", offsetof(struct refusal_slots, renew_url)},
    {"renew_label", offsetof(struct refusal_slots, renew_label)},
    {"takeout_url", offsetof(struct refusal_slots, takeout_url)},
    {"contact_url", offsetof(struct refusal_slots, contact_url)},
    {"ended_at", offsetof(struct refusal_slots, ended_at)},
    {"closed_at", offsetof(struct refusal_slots, closed_at)},
    {"deleted_at", offsetof(struct refusal_slots, deleted_at)},
    {"held_since", offsetof(struct refusal_slots, held_since)},
    {"ended_at_iso", offsetof(struct refusal_slots, ended_at_iso)},
    {"closed_at_iso", offsetof(struct refusal_slots, closed_at_iso)},
    {"deleted_at_iso", offsetof(struct refusal_slots, deleted_at_iso)},
    {"held_since_iso", offsetof(struct refusal_slots, held_since_iso)},
    {"readonly", offsetof(struct refusal_slots, readonly)},
    {"login", offsetof(struct refusal_slots, login)},
    {"sign_out_url", offsetof(struct refusal_slots, sign_out_url)},
    {"continue_url", offsetof(struct refusal_slots, continue_url)},
    {"continue_label", offsetof(struct refusal_slots, continue_label)},
    {"csrf", offsetof(struct refusal_slots, csrf)},
    {"request", offsetof(struct refusal_slots, request)},
    {"reference", offsetof(struct refusal_slots, reference)},
    {NULL},
};

static const struct tg_page held_page = {"held", refusal_slots};

/* By enum tg_phase. Nothing is said to active accounts; the page is then that of an account about which nothing is known. */
static const struct tg_page pages[] = {
    [TG_PHASE_NONE] = {"without-subscription", refusal_slots}, [TG_PHASE_ACTIVE] = {"without-subscription", refusal_slots},
    [TG_PHASE_EXPIRING] = {"expiring", refusal_slots},         [TG_PHASE_GRACE] = {"grace", refusal_slots},
    [TG_PHASE_EXPIRED] = {"expired", refusal_slots},           [TG_PHASE_ENDED] = {"ended", refusal_slots},
};

static bool is_readonly(const struct tg_refusal *refusal)
{
    if (refusal->standing->phase == TG_PHASE_EXPIRING && !refusal->standing->held)
        return refusal->words->grace_is_readonly;
    return refusal->standing->level == TG_LEVEL_READONLY;
}

int tg_refusal_status(const struct tg_standing *standing)
{
    return standing->held ? 403 : 402;
}

void tg_refusal_page(struct tg_templates *templates, const struct tg_refusal *refusal, struct tg_arena *arena, struct tg_reply *reply)
{
    const struct tg_words *words = refusal->words;
    const struct tg_page *page = refusal->standing->held ? &held_page : &pages[refusal->standing->phase];
    struct refusal_slots slots = {
        .title = words->title,
        .state = words->state,
        .heading = words->heading,
        .what = words->what,
        .remedy = words->remedy,
        .renew_url = words->renew_url,
        .renew_label = words->renew_label,
        .takeout_url = words->takeout_url,
        .contact_url = words->contact_url,
        .ended_at = words->ended_at,
        .closed_at = words->closed_at,
        .deleted_at = words->deleted_at,
        .held_since = words->held_since,
        .ended_at_iso = words->ended_at_iso,
        .closed_at_iso = words->closed_at_iso,
        .deleted_at_iso = words->deleted_at_iso,
        .held_since_iso = words->held_since_iso,
        .readonly = is_readonly(refusal) ? TG_TEXT("yes") : (struct tg_text){NULL, 0},
        .login = refusal->login,
        .sign_out_url = refusal->sign_out_url,
        .continue_url = refusal->continue_url,
        .continue_label = refusal->continue_label,
        .csrf = refusal->csrf,
        .request = refusal->request,
        .reference = refusal->reference,
    };

    reply->status = refusal->continue_url.len > 0 ? 200 : tg_refusal_status(refusal->standing);
    reply->content_type = "text/html; charset=utf-8";
    reply->is_page = true;
    reply->body = tg_templates_fill(templates, page, &slots, arena);
}

int tg_refusal_pages_check(struct tg_templates *templates)
{
    for (size_t i = 0; i < tg_count(pages); i++)
        tg_try(tg_templates_check(templates, &pages[i]));
    return tg_templates_check(templates, &held_page);
}
