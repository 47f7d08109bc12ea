/*
 * session.c - who is signed in at the provider
 */
#include "account/pages.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/cookie.h"

enum { COOKIE_LEN = TG_TOKEN - 1, TOUCH_S = 60 };

struct tg_text tg_account_cookie(const struct tg_call *call)
{
    struct tg_text id = tg_cookie_only(call->cookie, TG_SESSION_COOKIE);

    return id.len == COOKIE_LEN ? id : (struct tg_text){NULL, 0};
}

bool tg_account_session_holds(const struct tg_session *session, const struct tg_account *account,
                              const struct tg_account_conf *conf, int64_t now_s)
{
    if (account->locked || session->epoch < account->session_epoch)
        return false;
    return now_s - session->auth_time_s < conf->session_ttl_s && now_s - session->last_used_s < conf->session_idle_s;
}

/* Whoever only reads is not turned away because somebody else writes for long: it is marked the next time. */
static int touch(struct tg_store *store, const struct tg_session *session, int64_t now_s)
{
    int result = tg_session_touch(store, session->digest, now_s);

    return result < 0 && result != TG_BUSY ? result : 0;
}

int tg_account_session(const void *context, struct tg_call *call, struct tg_account *account, struct tg_session *session)
{
    const struct tg_account_pages *pages = context;
    struct tg_text id = tg_account_cookie(call);
    struct tg_store *store;
    int64_t now_s = tg_now_s();

    if (id.base == NULL)
        return TG_SESSION_UNKNOWN;
    tg_try(tg_worker_store(call->worker, &store));
    if (tg_try(tg_session_find(store, id, session)) != 0 || tg_try(tg_account_find(store, session->account, account)) != 0)
        return TG_SESSION_UNKNOWN;
    if (!tg_account_session_holds(session, account, pages->options.conf, now_s))
        return TG_SESSION_UNKNOWN;
    return now_s - session->last_used_s >= TOUCH_S ? touch(store, session, now_s) : 0;
}
