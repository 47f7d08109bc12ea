/*
 * api.h - the calls of Gitea's API that we make as its administrator, and as a caller whose credential we resolve
 *
 * Blocking; worker threads, jobs and commands. Speaks to the upstream address, not through ourselves.
 */
#ifndef TG_GITEA_API_H
#define TG_GITEA_API_H

#include "gitea/gitea_conf.h"
#include "store/worker.h"

struct tg_gitea_user {
    int64_t id;
    int64_t source_id;
    char login[65];
    char login_name[256];     /* the sub of our accounts */
    char email[255];
    bool is_admin;
    bool prohibit_login;
};

/* UNAVAILABLE: no usable answer (down, timeout, 5xx, our token refused): tg_failure() says which. UNKNOWN: 404. TAKEN: 409 or
   422. AMBIGUOUS: there are several, and none of them is told. */
enum { TG_GITEA_UNKNOWN = 1, TG_GITEA_TAKEN = 2, TG_GITEA_UNAVAILABLE = 3, TG_GITEA_AMBIGUOUS = 4 };
int tg_gitea_version(struct tg_worker *worker, const struct tg_gitea_conf *conf, char out[64]);
int tg_gitea_user_by_sub(struct tg_worker *worker, const struct tg_gitea_conf *conf, int64_t source_id, const char *sub,
                         struct tg_gitea_user *out);
struct tg_gitea_new_user {
    int64_t source_id;
    const char *sub, *login, *email, *full_name;
};
int tg_gitea_user_add(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_gitea_new_user *user,
                      struct tg_gitea_user *out);

/* All users, page by page from 1 on, in the order of their names; *count 0: there are no more. */
enum { TG_GITEA_PAGE = 50 };
int tg_gitea_user_page(struct tg_worker *worker, const struct tg_gitea_conf *conf, int64_t page,
                       struct tg_gitea_user out[TG_GITEA_PAGE],
                       size_t *count);

/*
 * Sets or lifts prohibit_login of the user as it was just read. What else belongs to the call (login_name, source_id) is sent
 * back as it was; never `active`, which every sign-in undoes. *out is the user as Gitea has it then. UNKNOWN: there is none of
 * that name any more. UNAVAILABLE: it is not known whether it has taken effect.
 */
int tg_gitea_user_prohibit(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_gitea_user *user,
                           bool prohibit, struct tg_gitea_user *out);

/*
 * Whose credential is this? Asked with the caller's own: `Authorization: token X` at /login/oauth/userinfo, then /api/v1/user.
 * The answers: USER with id and login (of *user nothing else is filled), INVALID, PROHIBITED (valid, its user is forbidden to
 * sign in; the id is 0 when nameless), UNAVAILABLE. deadline 2 s.
 */
enum tg_resolved { TG_RESOLVED_USER, TG_RESOLVED_INVALID, TG_RESOLVED_PROHIBITED, TG_RESOLVED_UNAVAILABLE };
int tg_gitea_resolve(struct tg_worker *worker, const struct tg_gitea_conf *conf, struct tg_text credential,
                     enum tg_resolved *answer, struct tg_gitea_user *user);

#endif
