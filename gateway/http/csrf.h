/*
 * csrf.h - state-changing posts come from our own pages (OWASP signed double submit, bound to a cookie)
 *
 * The token is an HMAC over a random cookie's value; the form carries the token, the browser the cookie. Origin and Sec-Fetch-Site must
 * not contradict. Any thread.
 */
#ifndef TG_HTTP_CSRF_H
#define TG_HTTP_CSRF_H

#include "base/secret.h"
#include "http/call.h"

#define TG_CSRF_COOKIE "__Host-tg-csrf"

/* The form's token for this call; sets the cookie on the reply when the client has none. */
const char *tg_csrf_token(struct tg_call *call, const struct tg_keyring *ring);

enum { TG_CSRF_REFUSED = 1 };
int tg_csrf_check(struct tg_call *call, const struct tg_keyring *ring, struct tg_text token);

#endif
