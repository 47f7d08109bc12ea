/*
 * sign_in.c - name and password become a session
 *
 * Who has no account here and who mistyped get the same answer after the same time, and the same pauses. Within a pause no
 * password is looked at. A session gets a new id at each sign-in, and the one that the browser had before is ended (session
 * fixation).
 */
#include <stdio.h>
#include "account/pages.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/cookie.h"
#include "http/csrf.h"
#include "http/form.h"

struct sign_in_form {
    struct tg_text csrf, name, password, next;
};

#define FIELD(name, limit_) {#name, offsetof(struct sign_in_form, name), .limit = (limit_)}

/* Longer passwords than any we take (1024) are only an expensive way to be wrong. */
static const struct tg_field query_fields[] = {FIELD(next, 8192), {NULL}};
static const struct tg_field form_fields[] = {FIELD(csrf, 128), FIELD(name, TG_EMAIL - 1), FIELD(password, 1024),
                                              FIELD(next, 8192), {NULL}};

struct sign_in_values {
    struct tg_text csrf, login, next, client, issuer, mismatch, notice;
};

#define SLOT(name) {#name, offsetof(struct sign_in_values, name)}

static const struct tg_slot sign_in_slots[] = {
    SLOT(csrf), SLOT(login), SLOT(next), SLOT(client), SLOT(issuer), SLOT(mismatch), SLOT(notice), {NULL},
};
const struct tg_page tg_page_sign_in = {"sign-in", sign_in_slots};

static const char stale[] = "This page was open for too long, or the request came from elsewhere. Nothing has changed.";
static const char locked[] = "This account is locked. Only the people who run this service can open it again.";

/* The form; mismatch and notice say what came of it before. Its answer ends at the client's origin, so the policy must name
   that. */
static int show_form(struct tg_call *call, int status, const char *next, struct sign_in_values values)
{
    const struct tg_account_options *options = &tg_pages_of(call)->options;
    const char *origin = tg_return_origin(&call->arena, next, options->client_origins);

    if (origin == NULL)
        tg_try(tg_return_app(call, next, &origin));
    values.csrf = tg_text(tg_csrf_token(call, options->ring));
    if (strcmp(next, "/") != 0)
        values.next = tg_text(next);
    values.client = tg_account_host_of(origin);
    values.issuer = tg_text(options->issuer_origin);
    call->reply.form_action = origin;
    return tg_account_show(call, status, &tg_page_sign_in, &values);
}

int tg_account_sign_in_form(struct tg_call *call)
{
    struct sign_in_form query = {0};

    if (tg_form_read(&call->arena, call->query, query_fields, &query, NULL) != 0)
        return tg_account_bad_request(call);
    return show_form(call, 200, tg_return_path(&call->arena, query.next), (struct sign_in_values){0});
}

/* Somebody's try: the account he names, if there is one with a password, and how often such tries may come. */
struct attempt {
    bool known;
    struct tg_account account;
    struct tg_throttle who;
};

static int find_account(struct tg_call *call, struct tg_store *store, struct tg_text name, struct attempt *attempt)
{
    bool found = name.base != NULL && tg_try(tg_account_find_login(store, name, &attempt->account)) == 0;

    attempt->known = found && attempt->account.password_hash[0] != '\0';
    attempt->who = (struct tg_throttle){
        .name = found ? tg_text(attempt->account.id) : name, /* login and address are one account's */
        .address = call->address,
        .now_ms = tg_now_ms(),
    };
    return 0;
}

/* 0, or TG_PASSWORD_WRONG for anything that is not the right password of an account that has one. */
static int check_password(struct tg_call *call, struct tg_store *store, struct tg_text password, const struct attempt *attempt)
{
    const struct tg_account_pages *pages = tg_pages_of(call);
    const struct tg_password_cost *cost = &pages->options.conf->cost;
    const struct tg_account *account = &attempt->account;
    char hash[TG_PASSWORD_HASH];

    int answer = tg_try(tg_password_verify(attempt->known ? account->password_hash : pages->nobodys_hash, password, cost));
    if (!attempt->known || answer == TG_PASSWORD_WRONG)
        return TG_PASSWORD_WRONG;
    if (answer == TG_PASSWORD_OUTDATED) {
        tg_try(tg_password_hash(password, cost, hash));
        tg_try(tg_account_rehash(store, account->id, account->password_hash, hash));
    }
    return 0;
}

static int end_session_before(struct tg_call *call, struct tg_store *store)
{
    struct tg_text id = tg_account_cookie(call);
    struct tg_session before;

    if (id.base != NULL && tg_try(tg_session_find(store, id, &before)) == 0)
        tg_try(tg_session_end(store, before.digest));
    return 0;
}

/* Browsers send this in a header, so it is bytes from outside: only what can be shown again is kept. */
static void keep_agent(struct tg_text agent, char *out, size_t capacity)
{
    size_t len = 0;

    for (size_t i = 0; i < agent.len && len + 1 < capacity; ++i) {
        if (agent.base[i] >= ' ' && agent.base[i] <= '~')
            out[len++] = agent.base[i];
    }
    out[len] = '\0';
}

static int begin_session(struct tg_call *call, struct tg_store *store, const struct tg_account *account)
{
    struct tg_session session = {.epoch = account->session_epoch, .auth_time_s = tg_now_s(), .amr = "pwd"};
    char id[TG_TOKEN];

    tg_try(end_session_before(call, store));
    session.created_s = session.last_used_s = session.auth_time_s;
    snprintf(session.account, sizeof(session.account), "%s", account->id);
    snprintf(session.address, sizeof(session.address), "%.*s", TG_TEXT_ARGS(call->address));
    keep_agent(call->user_agent, session.agent, sizeof(session.agent));
    tg_random_token(id);
    tg_try(tg_session_add(store, tg_text(id), &session));
    tg_reply_header(&call->reply, TG_TEXT("set-cookie"),
                    tg_text(tg_cookie_line(&call->arena, TG_SESSION_COOKIE, tg_text(id),
                                           tg_pages_of(call)->options.conf->session_ttl_s)));
    return 0;
}

int tg_account_sign_in(struct tg_call *call)
{
    struct sign_in_form form = {0};
    struct attempt attempt;
    struct tg_pause pause;
    struct tg_store *store;

    if (!tg_form_is_type(call->content_type) || tg_form_read(&call->arena, call->body, form_fields, &form, NULL) != 0)
        return tg_account_bad_request(call);
    const char *next = tg_return_path(&call->arena, form.next);
    if (tg_csrf_check(call, tg_pages_of(call)->options.ring, form.csrf) != 0)
        return show_form(call, 403, next, (struct sign_in_values){.login = form.name, .notice = tg_text(stale)});

    tg_try(tg_worker_store(call->worker, &store));
    tg_try(find_account(call, store, form.name, &attempt));
    if (tg_try(tg_throttle_take(store, &attempt.who, &pause)) != 0)
        return tg_account_paused(call, &pause, form.name, next);
    if (tg_try(check_password(call, store, form.password, &attempt)) != 0)
        return show_form(call, 403, next, (struct sign_in_values){.login = form.name, .mismatch = TG_TEXT("yes")});
    tg_try(tg_throttle_forgive(store, &attempt.who));
    if (attempt.account.locked) /* said only to who knows the password */
        return show_form(call, 403, next, (struct sign_in_values){.login = form.name, .notice = tg_text(locked)});
    tg_try(begin_session(call, store, &attempt.account));
    return tg_account_see_other(call, next);
}
