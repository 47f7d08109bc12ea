/*
 * call_api.h - one call of Gitea's HTTP interface at its upstream address; inside gitea/ only
 *
 * Host and X-Forwarded-Proto are those of the public name, so that Gitea makes the links it would make for browsers. Blocking.
 */
#ifndef TG_GITEA_CALL_API_H
#define TG_GITEA_CALL_API_H

#include "base/json.h"
#include "gitea/api.h"

struct tg_gitea_call {
    const char *method;       /* NULL: GET */
    const char *path;         /* with its query */
    struct tg_text token;     /* for Authorization: token ...; base NULL: none. Checked by tg_gitea_token_fit */
    const char *authorization; /* instead of a token: the header's value */
    struct tg_text json;      /* body; base NULL: none */
    int64_t timeout_ms;
};

/* 0 with any status, or TG_GITEA_UNAVAILABLE (tg_failure() says more). */
int tg_gitea_call(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_gitea_call *call,
                  struct tg_arena *arena, struct tg_fetched *out);

/* The same with our administrator's token, which is read from its file; call->token is set. Our own faults (no token) are
   UNAVAILABLE too: to the caller Gitea cannot be asked. */
int tg_gitea_call_as_admin(struct tg_worker *worker, const struct tg_gitea_conf *conf, struct tg_gitea_call *call,
                           struct tg_arena *arena, struct tg_fetched *out);
/* An answer that we can make nothing of: TG_GITEA_UNAVAILABLE, with words. */
int tg_gitea_unexpected(const struct tg_gitea_conf *conf, const char *what, const struct tg_fetched *answer);
/* 1: it is not in a form that we know. The members that a verdict rests on must be there; the address is for messages only. */
int tg_gitea_read_user(const json_t *json, struct tg_gitea_user *out);

/* Whether the text can stand in a header as a token: printable, without space, not empty and not too long. */
bool tg_gitea_token_fit(struct tg_text token);

#endif
