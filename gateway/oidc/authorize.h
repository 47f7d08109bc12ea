/*
 * authorize.h - the parts of the authorization endpoint; inside oidc/ only
 */
#ifndef TG_OIDC_AUTHORIZE_H
#define TG_OIDC_AUTHORIZE_H

#include "oidc/provider.h"
#include "store/session.h"
#include "subscription/standing.h"

/* What was asked (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1, RFC 7636 4.3). base NULL: absent or empty. */
struct tg_authorize {
    struct tg_text client_id, redirect_uri, state;
    struct tg_text response_type, response_mode, scope, nonce, prompt, max_age;
    struct tg_text code_challenge, code_challenge_method;
    struct tg_text request, request_uri, registration;
    /* understood by nobody here; listed so that a second one is noticed, and kept for the way back from sign-in */
    struct tg_text display, ui_locales, claims_locales, acr_values, claims, id_token_hint, login_hint;

    struct tg_client client;
    uint64_t max_age_s;        /* UINT64_MAX: not asked for */
    bool silent;               /* prompt=none */
    bool again;                /* prompt=login: sign in again, whoever is signed in */
    bool ask_consent;          /* prompt=consent: ask, whatever was allowed before */
};

struct tg_visitor {
    struct tg_account account;
    struct tg_session session;
};

/* What somebody has answered on the page that asks for consent. */
struct tg_decision {
    struct tg_text subject;    /* whom the page named */
    bool allows;
};

/* The answers of all: REPLIED means that the reply is made (a page for an unknown client or address, else an error at the
   client). */
enum { TG_AUTHORIZE_REPLIED = 1 };
int tg_authorize_read(struct tg_call *call, struct tg_text parameters, struct tg_authorize *request);

/* The whole endpoint, with or without a decision (NULL). */
int tg_authorize_answer(struct tg_call *call, struct tg_text parameters, const struct tg_decision *decision);

/* Whether the client may know what it asks for: 0 when that was allowed before or is now. */
int tg_authorize_consent(struct tg_call *call, const struct tg_authorize *request, const struct tg_visitor *visitor,
                         const struct tg_decision *decision);

/* Whether the account may go on without reading about its subscription first: 0 when it may. */
int tg_authorize_notice(struct tg_call *call, const struct tg_authorize *request, const struct tg_facts *facts,
                        const struct tg_standing *standing);

/* An error at the client's address, with state and iss (RFC 6749 4.1.2.1, RFC 9207 2). Always TG_AUTHORIZE_REPLIED. */
int tg_authorize_error(struct tg_call *call, const struct tg_authorize *request, const char *error, const char *description);

const char *tg_authorize_error_url(struct tg_call *call, const struct tg_authorize *request, const char *error,
                                   const char *description);

/* A code at the client's address. */
void tg_authorize_redirect(struct tg_call *call, const struct tg_authorize *request, struct tg_text code);

/* This request once more, as a path: without asking to sign in again, which has then been done and would never end. */
void tg_authorize_again(struct tg_string *url, const struct tg_authorize *request);

/* To the sign-in page, and from there to this request again. */
void tg_authorize_sign_in(struct tg_call *call, const struct tg_authorize *request);

#endif
