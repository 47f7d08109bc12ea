/*
 * account_pages.c - the account pages as a whole: configuration, endpoints, and what they share
 */
#include "account/account_pages.h"
#include "account/pages.h"
#include "base/result.h"
#include "http/error_page.h"

const struct tg_key tg_account_keys[] = {
    {"session-ttl", TG_SECONDS, offsetof(struct tg_account_conf, session_ttl_s), .initial = "14d", .min = 300, .max = 31536000,
     .help = "how long somebody stays signed in at the provider"},
    {"session-idle", TG_SECONDS, offsetof(struct tg_account_conf, session_idle_s), .initial = "3d", .min = 300, .max = 31536000,
     .help = "how long somebody stays signed in at the provider without coming by"},
    {"password-memory", TG_BYTES, offsetof(struct tg_account_conf, cost.memory_bytes), .initial = "19m", .min = 7 << 20,
     .max = 64 << 20,
     .help = "memory that hashing one password takes (argon2id); stored hashes follow at the next sign-in"},
    {"password-passes", TG_NUMBER, offsetof(struct tg_account_conf, cost.passes), .initial = "2", .min = 1, .max = 10,
     .help = "passes over that memory"},
    {NULL},
};

enum { FORM_LIMIT = 16 * 1024 };

const struct tg_endpoint tg_account_endpoints[] = {
    {"/", TG_GET, tg_account_home, 0, TG_POOL_COLD},
    {"/sign-in", TG_GET, tg_account_sign_in_form, 0, TG_POOL_COLD},
    {"/sign-in", TG_POST, tg_account_sign_in, FORM_LIMIT, TG_POOL_PASSWORD},
    {"/sign-out", TG_GET, tg_account_sign_out_form, 0, TG_POOL_COLD},
    {"/sign-out", TG_POST, tg_account_sign_out, FORM_LIMIT, TG_POOL_COLD},
    {NULL},
};

static int check_templates(struct tg_templates *templates)
{
    tg_try(tg_error_pages_check(templates));
    tg_try(tg_templates_check(templates, &tg_page_sign_in));
    tg_try(tg_templates_check(templates, &tg_page_sign_in_throttled));
    tg_try(tg_templates_check(templates, &tg_page_sign_out));
    tg_try(tg_templates_check(templates, &tg_page_signed_out));
    return tg_templates_check(templates, &tg_page_home);
}

int tg_account_pages_new(const struct tg_account_options *options, struct tg_account_pages **pages)
{
    TG_FREED struct tg_account_pages *made = tg_alloc(sizeof(*made));
    char nobodys_password[TG_TOKEN];

    made->options = *options;
    tg_try(check_templates(options->templates));
    tg_random_token(nobodys_password);
    tg_try(tg_password_hash(tg_text(nobodys_password), &options->conf->cost, made->nobodys_hash));
    *pages = tg_keep(made);
    return 0;
}

void tg_account_pages_free(struct tg_account_pages *pages)
{
    free(pages);
}

int tg_account_show(struct tg_call *call, int status, const struct tg_page *page, const void *values)
{
    call->reply.status = status;
    call->reply.content_type = "text/html; charset=utf-8";
    call->reply.is_page = true;
    call->reply.body = tg_templates_fill(tg_pages_of(call)->options.templates, page, values, &call->arena);
    return 0;
}

int tg_account_see_other(struct tg_call *call, const char *location)
{
    call->reply.status = 303;
    tg_reply_header(&call->reply, TG_TEXT("location"), tg_text(location));
    return 0;
}

int tg_account_bad_request(struct tg_call *call)
{
    struct tg_error_values values = {.reference = tg_text(call->id)};

    tg_error_page(tg_pages_of(call)->options.templates, TG_ERROR_BAD_REQUEST, &values, &call->arena, &call->reply);
    return 0;
}

struct tg_text tg_account_host_of(const char *origin)
{
    if (origin == NULL)
        return (struct tg_text){NULL, 0};
    const char *name = strstr(origin, "://");
    return tg_text(name != NULL ? name + 3 : origin);
}
