/*
 * sign_in.h - the way through Gitea's sign-in routes, and whose sign-in it was
 *
 * Gitea redeems a code wherever it finds one, also on the start path, and reads odd queries in its own way. So the queries are exact, or
 * Gitea never sees them. The account of a session is that of exactly the code in this callback, if Gitea redeemed it at our token
 * endpoint while this callback was in flight, and the provider session that gave it has not ended; otherwise the session stays in state
 * login, which is as good as anonymous. Signing out of Gitea ends that provider session, too.
 */
#ifndef TG_FRONT_SIGN_IN_H
#define TG_FRONT_SIGN_IN_H

#include "front/doors.h"

struct tg_exchange;

/* Whether the query is one of a sign-in route: start: only redirect_to; callback: one code, one state, at most one iss; or one error with
   state, error_description and error_uri at most once. Plain characters. */
bool tg_sign_in_query_fits(enum tg_door door, struct tg_text query);

/* GET /user/login of 1.25 shows a page of its own: the way to our provider instead, unless Gitea has a message to show there.
   NULL: let it pass. The text is the pool's. */
const char *tg_sign_in_redirect(struct tg_visit *visit);
/* The same for a page that is only for somebody: back to it afterwards. NULL: what is not a page has no way back. */
const char *tg_sign_in_return(struct tg_visit *visit);

/* Looks at the head of an answer on a sign-in route and sets what cookie of ours it carries. true: it waits for a worker, which then
   calls tg_exchange_unpark. */
bool tg_sign_in_park(struct tg_exchange *exchange);
/* The exchange is gone: its worker's answer will be dropped. */
void tg_sign_in_forget(struct tg_exchange *exchange);

#endif
