/*
 * sign_out.c - a session at the provider ends: asked by GET, done by POST
 */
#include "account/pages.h"
#include "base/result.h"
#include "http/cookie.h"
#include "http/csrf.h"
#include "http/form.h"

struct sign_out_form {
    struct tg_text csrf;
};

static const struct tg_field form_fields[] = {
    {"csrf", offsetof(struct sign_out_form, csrf), .limit = 128},
    {NULL},
};

struct sign_out_values {
    struct tg_text csrf, login, next, back_url;
};

static const struct tg_slot sign_out_slots[] = {
    {"csrf", offsetof(struct sign_out_values, csrf)},
    {"login", offsetof(struct sign_out_values, login)},
    {"next", offsetof(struct sign_out_values, next)},
    {"back_url", offsetof(struct sign_out_values, back_url)},
    {NULL},
};
const struct tg_page tg_page_sign_out = {"sign-out", sign_out_slots};

struct signed_out_values {
    struct tg_text client_url, client;
};

static const struct tg_slot signed_out_slots[] = {
    {"client_url", offsetof(struct signed_out_values, client_url)},
    {"client", offsetof(struct signed_out_values, client)},
    {NULL},
};
const struct tg_page tg_page_signed_out = {"signed-out", signed_out_slots};

static int show_signed_out(struct tg_call *call)
{
    const char *const *origins = tg_pages_of(call)->options.client_origins;
    struct signed_out_values values = {0};

    if (origins != NULL && origins[0] != NULL) {
        values.client_url = tg_text(origins[0]);
        if (origins[1] == NULL) /* there is only this one that it may be */
            values.client = tg_account_host_of(origins[0]);
    }
    return tg_account_show(call, 200, &tg_page_signed_out, &values);
}

static int ask(struct tg_call *call, int status, const struct tg_account *account)
{
    struct sign_out_values values = {
        .csrf = tg_text(tg_csrf_token(call, tg_pages_of(call)->options.ring)),
        .login = tg_text(account->login),
        .back_url = TG_TEXT("/"),
    };

    return tg_account_show(call, status, &tg_page_sign_out, &values);
}

int tg_account_sign_out_form(struct tg_call *call)
{
    struct tg_account account;
    struct tg_session session;

    if (tg_try(tg_account_session(tg_pages_of(call), call, &account, &session)) != 0)
        return show_signed_out(call);
    return ask(call, 200, &account);
}

int tg_account_sign_out(struct tg_call *call)
{
    struct sign_out_form form = {0};
    struct tg_account account;
    struct tg_session session;
    struct tg_store *store;

    if (!tg_form_is_type(call->content_type) || tg_form_read(&call->arena, call->body, form_fields, &form, NULL) != 0)
        return tg_account_bad_request(call);
    if (tg_try(tg_account_session(tg_pages_of(call), call, &account, &session)) != 0)
        return show_signed_out(call);
    if (tg_csrf_check(call, tg_pages_of(call)->options.ring, form.csrf) != 0)
        return ask(call, 403, &account);

    tg_try(tg_worker_store(call->worker, &store));
    tg_try(tg_session_end(store, session.digest));
    tg_reply_header(&call->reply, TG_TEXT("set-cookie"),
                    tg_text(tg_cookie_line(&call->arena, TG_SESSION_COOKIE, TG_TEXT(""), 0)));
    return show_signed_out(call);
}
