/*
 * call_api.h - one call of Gitea's HTTP interface at its upstream address; inside gitea/ only
 *
 * Host and X-Forwarded-Proto are those of the public name, so that Gitea makes the links it would make for browsers. Blocking.
 */
#ifndef TG_GITEA_CALL_API_H
#define TG_GITEA_CALL_API_H

#include "gitea/api.h"

struct tg_gitea_call {
    const char *method;       /* NULL: GET */
    const char *path;         /* with its query */
    struct tg_text token;     /* for Authorization: token ...; base NULL: none. Checked by tg_gitea_token_fit */
    struct tg_text json;      /* body; base NULL: none */
    int64_t timeout_ms;
};

/* 0 with any status, or TG_GITEA_UNAVAILABLE (tg_failure() says more). */
int tg_gitea_call(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_gitea_call *call,
                  struct tg_arena *arena, struct tg_fetched *out);

/* Whether the text can stand in a header as a token: printable, without space, not empty and not too long. */
bool tg_gitea_token_fit(struct tg_text token);

#endif
