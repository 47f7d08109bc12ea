/*
 * pages.h - what the account pages share; inside account/ only
 */
#ifndef TG_ACCOUNT_PAGES_H
#define TG_ACCOUNT_PAGES_H

#include "account/account_pages.h"
#include "store/throttle.h"
#include "store/worker.h"

struct tg_account_pages {
    struct tg_account_options options;
    char nobodys_hash[TG_PASSWORD_HASH]; /* of today's cost: checked when there is no such account, so that it takes as long */
};

static inline const struct tg_account_pages *tg_pages_of(const struct tg_call *call)
{
    return call->context;
}

extern const struct tg_page tg_page_sign_in, tg_page_sign_in_throttled, tg_page_sign_out, tg_page_signed_out, tg_page_home;

int tg_account_sign_in_form(struct tg_call *call);
int tg_account_sign_in(struct tg_call *call);
int tg_account_sign_out_form(struct tg_call *call);
int tg_account_sign_out(struct tg_call *call);
int tg_account_home(struct tg_call *call);

/* The page that says when a password may be tried again: the same for names that nobody has. next: as in the form. */
int tg_account_paused(struct tg_call *call, const struct tg_pause *pause, struct tg_text login, const char *next);

/* Fills the page into the reply. */
int tg_account_show(struct tg_call *call, int status, const struct tg_page *page, const void *values);
int tg_account_see_other(struct tg_call *call, const char *location);
int tg_account_bad_request(struct tg_call *call);

/* Our session cookie, well formed; base NULL: none. */
struct tg_text tg_account_cookie(const struct tg_call *call);

/* The host name in "https://host:port"; what pages show of it. */
struct tg_text tg_account_host_of(const char *origin);

/*
 * Where one goes on after sign-in. Only two shapes are let through, both on this host: "/" and "/authorize?..." of plain
 * characters; anything else counts as "/" (RFC 9700 4.11). Copied into the arena.
 */
const char *tg_return_path(struct tg_arena *arena, struct tg_text wanted);
/* The origin of the client that this path leads back to, if it is one of ours; NULL otherwise. The member of origins itself. */
const char *tg_return_origin(struct tg_arena *arena, const char *path, const char *const *origins);
/* The same of every other client that is registered. */
int tg_return_app(struct tg_call *call, const char *path, const char **origin);

#endif
