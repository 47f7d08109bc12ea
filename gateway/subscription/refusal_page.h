/*
 * refusal_page.h - the pages that tell somebody how his subscription stands
 *
 * Which page it is follows from the standing: held, without-subscription, expiring, grace, expired or ended. Any thread.
 */
#ifndef TG_SUBSCRIPTION_REFUSAL_PAGE_H
#define TG_SUBSCRIPTION_REFUSAL_PAGE_H

#include "http/reply.h"
#include "http/template.h"
#include "subscription/words.h"

struct tg_refusal {
    const struct tg_words *words;
    const struct tg_standing *standing;
    struct tg_text login;          /* absent: nobody is named */
    struct tg_text sign_out_url;   /* absent: no link */
    struct tg_text continue_url;   /* where a reader goes on to whom this is only a notice; absent: it is a refusal */
    struct tg_text continue_label; /* the host it leads to */
    struct tg_text csrf, request;  /* the way on is a form with both, posted to continue_url; absent: a link */
    struct tg_text reference;      /* visit->id */
};

/* The status of a refusal: 402 for a subscription that lapsed or never was, 403 for a hold. */
int tg_refusal_status(const struct tg_standing *standing);

/* Fills status (200 when there is a continue_url) and page. */
void tg_refusal_page(struct tg_templates *templates, const struct tg_refusal *refusal, struct tg_arena *arena, struct tg_reply *reply);

/* All pages above have their templates: called once at start. */
int tg_refusal_pages_check(struct tg_templates *templates);

#endif
