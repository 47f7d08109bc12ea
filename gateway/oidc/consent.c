/*
 * consent.c - may this client know who somebody is? Asked once for each client and scope, on a page of ours
 *
 * The page carries the request it belongs to, which is read again from the beginning when the answer comes: nothing on the page
 * is trusted but what the visitor could have asked for anyway.
 */
#include "base/clock.h"
#include "base/result.h"
#include "http/csrf.h"
#include "http/form.h"
#include "oidc/authorize.h"
#include "store/consent.h"

struct consent_form {
    struct tg_text csrf, subject, request, answer;
};

#define FIELD(name, limit_) {#name, offsetof(struct consent_form, name), .limit = (limit_)}

static const struct tg_field form_fields[] = {FIELD(csrf, 128), FIELD(subject, TG_ID - 1), FIELD(request, 14 * 1024),
                                              FIELD(answer, 16), {NULL}};

struct consent_values {
    struct tg_text csrf, subject, request;
    struct tg_text client, host, origin, since, since_iso;
    struct tg_text login, name, email, profile, groups, operator, switch_url;
};

#define SLOT(name) {#name, offsetof(struct consent_values, name)}

static const struct tg_slot consent_slots[] = {
    SLOT(csrf), SLOT(subject), SLOT(request), SLOT(client), SLOT(host),   SLOT(origin),   SLOT(since), SLOT(since_iso),
    SLOT(login), SLOT(name),   SLOT(email),   SLOT(profile), SLOT(groups), SLOT(operator), SLOT(switch_url), {NULL},
};
const struct tg_page tg_page_consent = {"consent", consent_slots};

static struct tg_text if_set(bool set)
{
    return set ? TG_TEXT("yes") : (struct tg_text){NULL, 0};
}

static void describe_client(struct tg_call *call, const struct tg_authorize *request, struct consent_values *values)
{
    struct tg_text origin = tg_uri_origin(request->redirect_uri), host = origin;
    const char *zone = tg_oidc_of(call)->options.rules->zone;
    char since[TG_TIME_WORDS], since_iso[TG_TIME_ISO];

    (void)tg_text_cut(&host, '/');
    (void)tg_text_cut(&host, '/');
    tg_time_short(request->client.created_s, zone, since);
    tg_time_iso(request->client.created_s, since_iso);
    values->client = tg_text(request->client.name);
    values->host = host;
    values->origin = origin;
    values->since = tg_arena_text(&call->arena, tg_text(since));
    values->since_iso = tg_arena_text(&call->arena, tg_text(since_iso));
}

static void describe_account(const struct tg_account *account, struct tg_text scope, struct consent_values *values)
{
    values->subject = tg_text(account->sub);
    values->login = tg_text(account->login);
    values->profile = if_set(tg_scope_has(scope, "profile"));
    values->name = tg_text(account->full_name);
    if (tg_scope_has(scope, "email"))
        values->email = tg_text(account->email);
    values->groups = if_set(tg_scope_has(scope, "groups"));
    values->operator = if_set(account->is_operator);
}

static void show_page(struct tg_call *call, const struct tg_authorize *request, const struct tg_account *account,
                      const char *scope)
{
    struct consent_values values = {.csrf = tg_text(tg_csrf_token(call, tg_oidc_of(call)->options.ring))};
    TG_STRING again = {0};
    TG_STRING other = {0};

    describe_client(call, request, &values);
    describe_account(account, tg_text(scope), &values);
    tg_authorize_again(&again, request);
    tg_string_add(&other, TG_TEXT("/sign-in"));
    tg_oidc_add_parameter(&other, "next", tg_string_text(&again));
    values.request = tg_string_text(&again);
    values.switch_url = tg_string_text(&other);
    call->reply.form_action = tg_uri_form_action(&call->arena, request->redirect_uri); /* where the answer ends */
    tg_oidc_show(call, 200, &tg_page_consent, &values);
}

int tg_authorize_consent(struct tg_call *call, const struct tg_authorize *request, const struct tg_visitor *visitor,
                         const struct tg_decision *decision)
{
    char scope[TG_SCOPE];
    struct tg_consent consent = {visitor->account.id, request->client.id, scope};
    struct tg_store *store;

    tg_try(tg_oidc_store(call, &store));
    tg_scope_granted(&request->client, request->scope, scope);
    if (decision != NULL && tg_text_is(decision->subject, visitor->account.sub)) {
        if (!decision->allows)
            return tg_authorize_error(call, request, "access_denied", "the user does not allow it");
        return tg_consent_give(store, &consent, tg_now_s());
    }
    if (!request->ask_consent && tg_try(tg_consent_find(store, &consent)) == 0)
        return 0;
    if (request->silent)
        return tg_authorize_error(call, request, "consent_required", "the user has not yet allowed it");
    show_page(call, request, &visitor->account, scope);
    return TG_AUTHORIZE_REPLIED;
}

int tg_oidc_consent(struct tg_call *call)
{
    struct consent_form form = {0};

    if (!tg_form_is_type(call->content_type) || tg_form_read(&call->arena, call->body, form_fields, &form, NULL) != 0)
        return tg_oidc_error_page(call, TG_ERROR_BAD_REQUEST);
    if (tg_csrf_check(call, tg_oidc_of(call)->options.ring, form.csrf) != 0)
        return tg_oidc_error_page(call, TG_ERROR_FORBIDDEN);
    struct tg_text rest = form.request;
    if (form.subject.base == NULL || !tg_text_is(tg_text_cut(&rest, '?'), "/authorize") || rest.base == NULL)
        return tg_oidc_error_page(call, TG_ERROR_BAD_REQUEST);
    struct tg_decision decision = {.subject = form.subject, .allows = tg_text_is(form.answer, "allow")};
    return tg_authorize_answer(call, rest, &decision);
}
