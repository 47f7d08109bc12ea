/*
 * end_session.c - a client asks to end the session here (OpenID Connect RP-Initiated Logout 1.0)
 *
 * An ID token of whoever is signed in is proof enough; anybody else is asked first. From here one goes on only to an address that
 * is registered for the client, byte for byte. A post that comes from a client carries no session cookie (SameSite=Lax), so it is
 * sent through a GET; our own form is known by its token.
 */
#include "base/result.h"
#include "http/cookie.h"
#include "http/csrf.h"
#include "http/form.h"
#include "oidc/provider.h"

struct end_form {
    struct tg_text id_token_hint, client_id, post_logout_redirect_uri, state;
    struct tg_text csrf;
    struct tg_text logout_hint, ui_locales; /* not used; a second one is noticed */
};

#define FIELD(name, limit_) {#name, offsetof(struct end_form, name), .limit = (limit_)}

static const struct tg_field form_fields[] = {
    FIELD(id_token_hint, 4096), FIELD(client_id, 64), FIELD(post_logout_redirect_uri, TG_REDIRECT_URI - 1), FIELD(state, 2048),
    FIELD(csrf, 128),           FIELD(logout_hint, 512), FIELD(ui_locales, 256), {NULL},
};

struct end_values {
    struct tg_text csrf, login, client, client_id, post_logout_redirect_uri, state, back_url;
};

#define SLOT(name) {#name, offsetof(struct end_values, name)}

static const struct tg_slot end_slots[] = {
    SLOT(csrf), SLOT(login), SLOT(client), SLOT(client_id), SLOT(post_logout_redirect_uri), SLOT(state), SLOT(back_url), {NULL},
};
const struct tg_page tg_page_end_session = {"end-session", end_slots};

struct ended_values {
    struct tg_text client_url, client;
};

static const struct tg_slot ended_slots[] = {
    {"client_url", offsetof(struct ended_values, client_url)},
    {"client", offsetof(struct ended_values, client)},
    {NULL},
};
const struct tg_page tg_page_session_ended = {"signed-out", ended_slots};

/* Who asks, and where he goes on to. */
struct asked {
    struct end_form form;
    struct tg_hint hint;
    bool is_hinted;           /* by a token of ours */
    bool is_known;            /* client is filled */
    struct tg_client client;
    struct tg_text address;   /* registered; base NULL: our own page */
};

enum { REPLIED = 1 };

static int refuse(struct tg_call *call, enum tg_error_kind kind)
{
    tg_oidc_error_page(call, kind);
    return REPLIED;
}

/* A Gitea goes back to itself when nothing else is registered for it. */
static bool may_end_at(struct tg_call *call, const struct tg_client *client, struct tg_text address)
{
    const char *own = tg_arena_format(&call->arena, "https://%s", client->instance);

    if (tg_uri_listed(client->logout_uri, address))
        return true;
    if (client->kind != TG_CLIENT_GITEA || client->logout_uri[0] != '\0' || !tg_text_starts(address, own))
        return false;
    size_t len = strlen(own);
    return address.len == len || (address.len == len + 1 && address.base[len] == '/');
}

static int identify_client(struct tg_call *call, struct asked *asked)
{
    struct tg_store *store;

    tg_try(tg_oidc_store(call, &store));
    if (asked->form.id_token_hint.base != NULL && tg_try(tg_oidc_hint(call, asked->form.id_token_hint, &asked->hint)) == 0) {
        asked->is_hinted = asked->is_known = true;
        asked->client = asked->hint.client;
    }
    if (asked->form.client_id.base == NULL)
        return 0;
    if (asked->is_hinted)
        return tg_text_is(asked->form.client_id, asked->client.id) ? 0 : refuse(call, TG_ERROR_BAD_REQUEST);
    if (tg_try(tg_client_find(store, asked->form.client_id, &asked->client)) != 0)
        return refuse(call, TG_ERROR_BAD_REQUEST);
    asked->is_known = true;
    return 0;
}

static int read_asked(struct tg_call *call, struct asked *asked)
{
    bool is_posted = tg_text_is(call->method, "POST");

    if (is_posted && !tg_form_is_type(call->content_type))
        return refuse(call, TG_ERROR_BAD_REQUEST);
    if (tg_form_read(&call->arena, is_posted ? call->body : call->query, form_fields, &asked->form, NULL) != 0)
        return refuse(call, TG_ERROR_BAD_REQUEST);
    int answer = tg_try(identify_client(call, asked));
    if (answer != 0)
        return answer;
    /* a token that is not ours may be anybody's who wants to send people somewhere: it leads nowhere */
    bool is_spoilt = asked->form.id_token_hint.base != NULL && !asked->is_hinted;
    if (asked->is_known && !is_spoilt && asked->form.post_logout_redirect_uri.base != NULL &&
        may_end_at(call, &asked->client, asked->form.post_logout_redirect_uri))
        asked->address = asked->form.post_logout_redirect_uri;
    return 0;
}

static int send_through_get(struct tg_call *call, const struct end_form *form)
{
    TG_STRING location = {0};

    tg_string_add(&location, TG_TEXT("/end-session"));
    tg_oidc_add_parameter(&location, "id_token_hint", form->id_token_hint);
    tg_oidc_add_parameter(&location, "client_id", form->client_id);
    tg_oidc_add_parameter(&location, "post_logout_redirect_uri", form->post_logout_redirect_uri);
    tg_oidc_add_parameter(&location, "state", form->state);
    return tg_oidc_see_other(call, tg_string_text(&location));
}

static int go_on(struct tg_call *call, const struct asked *asked)
{
    TG_STRING location = {0};
    struct ended_values values = {0};

    if (asked->address.base == NULL)
        return tg_oidc_show(call, 200, &tg_page_session_ended, &values);
    tg_string_add(&location, asked->address);
    tg_oidc_add_parameter(&location, "state", asked->form.state);
    return tg_oidc_see_other(call, tg_string_text(&location));
}

static int end(struct tg_call *call, const struct asked *asked, const struct tg_session *session)
{
    const char *cookie = tg_oidc_of(call)->options.session_cookie;
    struct tg_store *store;

    tg_try(tg_oidc_store(call, &store));
    tg_try(tg_session_end(store, session->digest));
    if (cookie != NULL)
        tg_reply_header(&call->reply, TG_TEXT("set-cookie"), tg_text(tg_cookie_line(&call->arena, cookie, TG_TEXT(""), 0)));
    return go_on(call, asked);
}

static int ask(struct tg_call *call, const struct asked *asked, const struct tg_account *account)
{
    struct end_values values = {
        .csrf = tg_text(tg_csrf_token(call, tg_oidc_of(call)->options.ring)),
        .login = tg_text(account->login),
        .back_url = TG_TEXT("/"),
    };

    if (asked->address.base != NULL) {
        values.client = tg_text(asked->client.name);
        values.client_id = tg_text(asked->client.id);
        values.post_logout_redirect_uri = asked->address;
        values.state = asked->form.state;
        call->reply.form_action = tg_uri_form_action(&call->arena, asked->address);
    }
    return tg_oidc_show(call, 200, &tg_page_end_session, &values);
}

int tg_oidc_end_session(struct tg_call *call)
{
    const struct tg_oidc_options *options = &tg_oidc_of(call)->options;
    struct asked asked = {0};
    struct tg_account account;
    struct tg_session session;

    if (tg_try(read_asked(call, &asked)) != 0)
        return 0;
    bool is_answer = asked.form.csrf.base != NULL && tg_text_is(call->method, "POST");
    if (tg_text_is(call->method, "POST") && !is_answer)
        return send_through_get(call, &asked.form);
    if (is_answer && tg_csrf_check(call, options->ring, asked.form.csrf) != 0)
        return tg_oidc_error_page(call, TG_ERROR_FORBIDDEN);
    if (tg_try(options->session(options->session_context, call, &account, &session)) != 0)
        return go_on(call, &asked);
    if (is_answer || (asked.is_hinted && tg_text_is(asked.hint.subject, account.sub)))
        return end(call, &asked, &session);
    return ask(call, &asked, &account);
}
