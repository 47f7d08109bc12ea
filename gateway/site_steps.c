#include "http/error_page.h"
#include "site_parts.h"

struct tg_site *tg_site_of(struct tg_visit *visit)
{
    return visit->loop->parts[TG_SITE_PART];
}

static void drop_arena(void *arena)
{
    tg_arena_done(arena);
}

static void answer_not_found(struct tg_visit *visit)
{
    struct tg_arena *arena = h2o_mem_alloc_shared(&visit->req->pool, sizeof(*arena), drop_arena);
    struct tg_error_values values = {.path = visit->path.raw, .reference = tg_text(visit->id)};
    struct tg_reply reply = {0};

    *arena = (struct tg_arena){NULL};
    tg_error_page(tg_site_of(visit)->templates, TG_ERROR_NOT_FOUND, &values, arena, &reply);
    tg_reply_send(visit, &reply);
}

/* The provider's own host: sign-in pages, and its public endpoints. */
static enum tg_step_answer step_provider(struct tg_visit *visit)
{
    struct tg_site *site = tg_site_of(visit);

    if (visit->host->kind != TG_HOST_AUTH)
        return TG_STEP_NEXT;
    if (tg_call_start(visit, tg_account_endpoints, &site->pools, site->pages) != 0 &&
        tg_call_start(visit, tg_oidc_endpoints, &site->pools, site->oidc) != 0)
        answer_not_found(visit);
    return TG_STEP_DONE;
}

/* Where Gitea redeems codes: no cookies, no sign-in, only a client's own endpoints. */
static enum tg_step_answer step_backchannel(struct tg_visit *visit)
{
    struct tg_site *site = tg_site_of(visit);

    visit->host = &site->backchannel;
    return tg_call_start(visit, tg_oidc_backchannel_endpoints, &site->pools, site->oidc) != 0 ? TG_STEP_NEXT : TG_STEP_DONE;
}

/* Whoever reaches this listener may know; the steps behind say what. */
static enum tg_step_answer step_admin_host(struct tg_visit *visit)
{
    visit->host = &tg_site_of(visit)->admin;
    return TG_STEP_NEXT;
}

static enum tg_step_answer step_admin_pages(struct tg_visit *visit)
{
    return tg_admin_steps[0].run(visit);
}

static enum tg_step_answer step_nothing(struct tg_visit *visit)
{
    tg_reply_text(visit, 404, "There is nothing at this address.\n");
    return TG_STEP_DONE;
}

const struct tg_step tg_site_steps[] = {
    {"guard", tg_step_guard},
    {"route", tg_step_route},
    {"provider", step_provider},
    {"classify", tg_step_classify},
    {"identify", tg_step_identify},
    {"policy", tg_step_policy},
    {"upstream", tg_step_upstream},
    {NULL, NULL},
};

const struct tg_step tg_site_backchannel_steps[] = {
    {"guard", tg_step_guard},
    {"backchannel", step_backchannel},
    {"nothing", step_nothing},
    {NULL, NULL},
};

const struct tg_step tg_site_admin_steps[] = {
    {"guard", tg_step_guard},
    {"host", step_admin_host},
    {"admin", step_admin_pages},
    {"nothing", step_nothing},
    {NULL, NULL},
};
