/*
 * identify.h - whose request is it?
 *
 * A cookie names an account; a credential is told by Gitea itself, once, and by Gitea user id. Both end in the account's facts, which
 * come out of this loop's table or, on a miss, from one worker call that all who wait for it share.
 */
#ifndef TG_FRONT_IDENTIFY_H
#define TG_FRONT_IDENTIFY_H

#include "base/secret.h"
#include "http/visit.h"

/* What an Authorization field presents, as Gitea reads it. UNREADABLE: in no form that we know; it is not sent on. */
struct tg_presented {
    struct tg_text secret;   /* token, or the slot of Basic that Gitea takes for one; points into the field or into scratch */
    int64_t gitea_user;      /* of a token that names its user itself and that Gitea signed; 0: ask; < 0: nobody, or TG_GITEA_ACTIONS */
    char scratch[2048];
};
enum { TG_GITEA_ACTIONS = -2 }; /* Gitea's id for jobs of Actions */
enum { TG_PRESENTED_UNREADABLE = 1 };
int tg_presented_read(struct tg_text authorization, struct tg_presented *out);

#endif
