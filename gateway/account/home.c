/*
 * home.c - who is signed in here, and where his repositories are
 */
#include "account/pages.h"
#include "base/result.h"

struct home_values {
    struct tg_text login, email, sign_out_url;
    struct tg_text client_url, client, second_url, second, third_url, third;
};

#define SLOT(name) {#name, offsetof(struct home_values, name)}

static const struct tg_slot home_slots[] = {
    SLOT(login), SLOT(email), SLOT(sign_out_url), SLOT(client_url), SLOT(client), SLOT(second_url), SLOT(second), SLOT(third_url),
    SLOT(third), {NULL},
};
const struct tg_page tg_page_home = {"home", home_slots};

/* A page names three Giteas at the most; who runs more of them gives each account its own portal. */
static void add_clients(struct home_values *values, const char *const *origins)
{
    struct tg_text *const urls[] = {&values->client_url, &values->second_url, &values->third_url};
    struct tg_text *const names[] = {&values->client, &values->second, &values->third};

    for (size_t i = 0; i < tg_count(urls) && origins != NULL && origins[i] != NULL; ++i) {
        *urls[i] = tg_text(origins[i]);
        *names[i] = tg_account_host_of(origins[i]);
    }
}

int tg_account_home(struct tg_call *call)
{
    struct tg_account account;
    struct tg_session session;

    if (tg_try(tg_account_session(tg_pages_of(call), call, &account, &session)) != 0)
        return tg_account_see_other(call, "/sign-in");
    struct home_values values = {
        .login = tg_text(account.login),
        .email = tg_text(account.email),
        .sign_out_url = TG_TEXT("/sign-out"),
    };
    add_clients(&values, tg_pages_of(call)->options.client_origins);
    return tg_account_show(call, 200, &tg_page_home, &values);
}
