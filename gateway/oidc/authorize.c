/*
 * authorize.c - the authorization endpoint (RFC 6749 3.1, OpenID Connect Core 3.1.2)
 *
 * Somebody comes from a client and goes back with a code, or reads a page of ours. A refusal that has to do with the account or
 * with Gitea is always a page: an OAuth error would make Gitea begin again, and again. On that page other clients than Gitea have
 * a way back, which ends in access_denied.
 */
#include "oidc/authorize.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/judge_clock.h"
#include "base/log.h"
#include "base/result.h"
#include "gitea/provision.h"
#include "http/error_page.h"
#include "http/form.h"
#include "store/grant.h"
#include "store/subscription.h"
#include "subscription/refusal_page.h"

static bool too_long_ago(const struct tg_authorize *request, const struct tg_session *session)
{
    int64_t age_s = tg_now_s() - session->auth_time_s;

    return request->max_age_s == 0 || (age_s > 0 && (uint64_t)age_s > request->max_age_s);
}

/* Who is signed in, freshly enough for this request; otherwise the sign-in page, or an error where no page may be shown. */
static int identify(struct tg_call *call, const struct tg_authorize *request, struct tg_visitor *visitor)
{
    const struct tg_oidc_options *options = &tg_oidc_of(call)->options;
    int found = tg_try(options->session(options->session_context, call, &visitor->account, &visitor->session));

    if (found == 0 && !request->again && !too_long_ago(request, &visitor->session))
        return 0;
    if (request->silent)
        return tg_authorize_error(call, request, "login_required", "nobody is signed in, or not recently enough");
    tg_authorize_sign_in(call, request);
    return TG_AUTHORIZE_REPLIED;
}

static int show_refusal(struct tg_call *call, const struct tg_authorize *request, const struct tg_visitor *visitor,
                        const struct tg_facts *facts, const struct tg_standing *standing)
{
    const struct tg_oidc_options *options = &tg_oidc_of(call)->options;
    struct tg_words words = {0};

    tg_words(facts, standing, options->rules, &call->arena, &words);
    struct tg_refusal refusal = {
        .words = &words,
        .standing = standing,
        .login = tg_text(visitor->account.login),
        .sign_out_url = TG_TEXT("/sign-out"),
        .reference = tg_text(call->id),
    };
    if (request->client.kind != TG_CLIENT_GITEA) {
        refusal.continue_url = tg_text(tg_authorize_error_url(call, request, "access_denied", "the account is closed for now"));
        refusal.continue_label = tg_text(request->client.name);
    }
    tg_refusal_page(options->templates, &refusal, &call->arena, &call->reply);
    call->reply.status = tg_refusal_status(standing); /* also with a way on, for it leads nowhere */
    return TG_AUTHORIZE_REPLIED;
}

/* Whether the account's subscription lets it in at all, and without a word. Who may only read is let in: the gateway judges each request. */
static int judge(struct tg_call *call, const struct tg_authorize *request, struct tg_store *store,
                 const struct tg_visitor *visitor)
{
    struct tg_facts facts = {0};
    struct tg_standing standing;

    if (tg_try(tg_facts_read(store, visitor->account.id, &facts)) != 0) { /* gone since we looked at its session */
        tg_authorize_sign_in(call, request);
        return TG_AUTHORIZE_REPLIED;
    }
    tg_standing(&facts, tg_oidc_of(call)->options.rules, tg_judge_now_s(), &standing);
    if (standing.level != TG_LEVEL_BLOCKED && standing.level != TG_LEVEL_GONE)
        return tg_authorize_notice(call, request, &facts, &standing);
    if (request->silent)
        return tg_authorize_error(call, request, "interaction_required", "the account has to read something first");
    return show_refusal(call, request, visitor, &facts, &standing);
}

static const struct tg_gitea_conf *find_gitea(const struct tg_oidc_options *options, const char *host)
{
    for (size_t i = 0; i < options->gitea_count; ++i) {
        if (strcmp(options->giteas[i].host, host) == 0)
            return &options->giteas[i];
    }
    return NULL;
}

/* What each answer of tg_provision becomes: a page for the reader, a line for the administrator. */
static const struct {
    enum tg_error_kind page;
    const char *event, *remedy;
} refusals[] = {
    [TG_PROVISION_CLASH] = {TG_ERROR_ACCOUNT_CLASH, "provision-clash",
                            "rename or remove the user of that name or e-mail in Gitea"},
    [TG_PROVISION_FOREIGN] = {TG_ERROR_ACCOUNT_FOREIGN, "provision-foreign",
                              "the account's user was removed or made anew in Gitea"},
    [TG_PROVISION_UNAVAILABLE] = {TG_ERROR_UNAVAILABLE, "provision-unavailable", "see why"},
    [TG_PROVISION_NOT_SET_UP] = {TG_ERROR_UNAVAILABLE, "provision-not-set-up", "run teagate gitea setup"},
    [TG_PROVISION_HELD] = {TG_ERROR_FORBIDDEN, "provision-held", "somebody has prohibited the user in Gitea: allow it there again"},
};

static int refuse_provision(struct tg_call *call, const struct tg_authorize *request, const struct tg_visitor *visitor,
                            int answer)
{
    struct tg_error_values values = {
        .host = tg_text(request->client.instance),
        .login = tg_text(visitor->account.login),
        .reference = tg_text(call->id),
    };
    bool passes = answer == TG_PROVISION_UNAVAILABLE || answer == TG_PROVISION_NOT_SET_UP;
    const char *why = answer == TG_PROVISION_UNAVAILABLE ? tg_failure() : NULL;

    tg_log(TG_LOG_WARN, refusals[answer].event, "instance", request->client.instance, "login", visitor->account.login,
           "request", call->id, "why", why, "do", refusals[answer].remedy, NULL);
    if (request->silent)
        return tg_authorize_error(call, request, passes ? "temporarily_unavailable" : "interaction_required",
                                  "see the page without prompt=none");
    tg_error_page(tg_oidc_of(call)->options.templates, refusals[answer].page, &values, &call->arena, &call->reply);
    return TG_AUTHORIZE_REPLIED;
}

/* No code before the account's user is known to be there, and the right one: Gitea would link, or make, somebody. Who is found to be
   prohibited there reads about the hold; operators have none. */
static int provision(struct tg_call *call, const struct tg_authorize *request, struct tg_store *store,
                     const struct tg_visitor *visitor)
{
    const struct tg_gitea_conf *gitea = find_gitea(&tg_oidc_of(call)->options, request->client.instance);
    int answer = gitea != NULL ? tg_try(tg_provision(call->worker, gitea, &visitor->account)) : TG_PROVISION_NOT_SET_UP;

    if (answer == TG_PROVISION_HELD && tg_try(judge(call, request, store, visitor)) != 0)
        return TG_AUTHORIZE_REPLIED;
    return answer == 0 ? 0 : refuse_provision(call, request, visitor, answer);
}

static void keep(char *out, size_t capacity, struct tg_text text)
{
    snprintf(out, capacity, "%.*s", TG_TEXT_ARGS(text));
}

static int give_code(struct tg_call *call, const struct tg_authorize *request, struct tg_store *store,
                     const struct tg_visitor *visitor)
{
    struct tg_grant grant = {
        .auth_time_s = visitor->session.auth_time_s,
        .expires_s = tg_now_s() + tg_oidc_of(call)->options.conf->code_ttl_s,
    };
    char code[TG_TOKEN];

    keep(grant.client, sizeof(grant.client), tg_text(request->client.id));
    keep(grant.account, sizeof(grant.account), tg_text(visitor->account.id));
    keep(grant.session, sizeof(grant.session), tg_text(visitor->session.digest));
    keep(grant.redirect_uri, sizeof(grant.redirect_uri), request->redirect_uri);
    keep(grant.nonce, sizeof(grant.nonce), request->nonce);
    keep(grant.challenge, sizeof(grant.challenge), request->code_challenge);
    tg_scope_granted(&request->client, request->scope, grant.scope);

    tg_random_token(code);
    tg_try(tg_grant_add(store, tg_text(code), &grant));
    tg_authorize_redirect(call, request, tg_text(code));
    return 0;
}

/* 0 when all of it lets a code go out, TG_AUTHORIZE_REPLIED when something else was answered. A Gitea is the operator's own, like
   us: nobody is asked about it. */
static int admit(struct tg_call *call, const struct tg_authorize *request, struct tg_visitor *visitor,
                 const struct tg_decision *decision)
{
    struct tg_store *store;

    tg_try(tg_oidc_store(call, &store));
    int answer = tg_try(identify(call, request, visitor));
    if (answer == 0)
        answer = tg_try(judge(call, request, store, visitor));
    if (answer == 0 && request->client.kind == TG_CLIENT_GITEA)
        answer = tg_try(provision(call, request, store, visitor));
    if (answer == 0 && request->client.kind != TG_CLIENT_GITEA)
        answer = tg_try(tg_authorize_consent(call, request, visitor, decision));
    return answer;
}

int tg_authorize_answer(struct tg_call *call, struct tg_text parameters, const struct tg_decision *decision)
{
    struct tg_authorize request = {0};
    struct tg_visitor visitor = {0};
    struct tg_store *store;

    tg_try(tg_oidc_store(call, &store));
    if (tg_try(tg_authorize_read(call, parameters, &request)) != 0)
        return 0;
    if (tg_try(admit(call, &request, &visitor, decision)) != 0)
        return 0;
    return give_code(call, &request, store, &visitor);
}

int tg_oidc_authorize(struct tg_call *call)
{
    bool is_posted = tg_text_is(call->method, "POST");

    if (is_posted && !tg_form_is_type(call->content_type))
        return tg_oidc_error_page(call, TG_ERROR_BAD_REQUEST);
    return tg_authorize_answer(call, is_posted ? call->body : call->query, NULL);
}
