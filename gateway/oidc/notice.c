/*
 * notice.c - who should renew soon reads so between signing in and going on
 *
 * The page carries the request it belongs to, as the page for consent does: it is read again from the beginning.
 */
#include "base/judge_clock.h"
#include "base/result.h"
#include "http/csrf.h"
#include "http/form.h"
#include "oidc/authorize.h"
#include "subscription/interstitial.h"
#include "subscription/refusal_page.h"

struct notice_form {
    struct tg_text csrf, request;
};

static const struct tg_field form_fields[] = {
    {"csrf", offsetof(struct notice_form, csrf), .limit = 128},
    {"request", offsetof(struct notice_form, request), .limit = 14 * 1024},
    {NULL},
};

static void show_page(struct tg_call *call, const struct tg_authorize *request, const struct tg_facts *facts,
                      const struct tg_standing *standing)
{
    const struct tg_oidc_options *options = &tg_oidc_of(call)->options;
    bool is_gitea = request->client.kind == TG_CLIENT_GITEA;
    struct tg_words words = {0};
    TG_STRING again = {0};

    tg_authorize_again(&again, request);
    if (request->ask_consent)
        tg_oidc_add_parameter(&again, "prompt", TG_TEXT("consent"));
    tg_words(facts, standing, options->rules, &call->arena, &words);
    struct tg_refusal page = {
        .words = &words,
        .standing = standing,
        .login = tg_text(facts->login),
        .sign_out_url = TG_TEXT("/sign-out"),
        .continue_url = TG_TEXT("/notice"),
        .continue_label = tg_text(is_gitea ? request->client.instance : request->client.name),
        .csrf = tg_text(tg_csrf_token(call, options->ring)),
        .request = tg_string_text(&again),
        .reference = tg_text(call->id),
    };
    call->reply.form_action = tg_uri_form_action(&call->arena, request->redirect_uri); /* where the way on ends */
    tg_refusal_page(options->templates, &page, &call->arena, &call->reply);
}

int tg_authorize_notice(struct tg_call *call, const struct tg_authorize *request, const struct tg_facts *facts,
                        const struct tg_standing *standing)
{
    struct tg_store *store;

    if (request->silent)
        return 0;
    tg_try(tg_oidc_store(call, &store));
    if (tg_try(tg_interstitial_find(store, facts, standing)) != TG_INTERSTITIAL_DUE)
        return 0;
    show_page(call, request, facts, standing);
    return TG_AUTHORIZE_REPLIED;
}

/* Of the account that is signed in now: its page is the one that was read. */
static int remember(struct tg_call *call)
{
    const struct tg_oidc_options *options = &tg_oidc_of(call)->options;
    struct tg_visitor visitor = {0};
    struct tg_standing standing;
    struct tg_facts facts;
    struct tg_store *store;

    tg_try(tg_oidc_store(call, &store));
    if (tg_try(options->session(options->session_context, call, &visitor.account, &visitor.session)) != 0)
        return 0; /* signed out meanwhile */
    if (tg_try(tg_facts_read(store, visitor.account.id, &facts)) != 0)
        return 0;
    tg_standing(&facts, options->rules, tg_judge_now_s(), &standing);
    return tg_interstitial_read(store, &facts, &standing, options->rules->zone);
}

int tg_oidc_notice(struct tg_call *call)
{
    struct notice_form form = {0};

    if (!tg_form_is_type(call->content_type) || tg_form_read(&call->arena, call->body, form_fields, &form, NULL) != 0)
        return tg_oidc_error_page(call, TG_ERROR_BAD_REQUEST);
    if (tg_csrf_check(call, tg_oidc_of(call)->options.ring, form.csrf) != 0)
        return tg_oidc_error_page(call, TG_ERROR_FORBIDDEN);
    struct tg_text rest = form.request;
    if (!tg_text_is(tg_text_cut(&rest, '?'), "/authorize") || rest.base == NULL)
        return tg_oidc_error_page(call, TG_ERROR_BAD_REQUEST);
    tg_try(remember(call));
    return tg_authorize_answer(call, rest, NULL);
}
