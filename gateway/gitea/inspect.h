/*
 * inspect.h - what is wrong with a Gitea, as far as it can be seen from outside and from its app.ini
 *
 * Nothing is changed. Each thing looked at is told, with what to do about it when it is not as it should be. Blocking; commands.
 */
#ifndef TG_GITEA_INSPECT_H
#define TG_GITEA_INSPECT_H

#include "base/secret.h"
#include "gitea/api.h"

/* UNSEEN: it cannot be told. WARN: works, but not as well as it should. BAD: has to be mended. */
enum tg_check_state { TG_CHECK_GOOD, TG_CHECK_UNSEEN, TG_CHECK_WARN, TG_CHECK_BAD };

struct tg_checked {
    enum tg_check_state state;
    const char *name;          /* a word with hyphens, stable */
    const char *text;          /* what is */
    const char *remedy;        /* what to do; NULL: nothing */
};

struct tg_inspection {
    const struct tg_gitea_conf *conf;
    const char *backchannel;   /* "http://127.0.0.1:9443" */
    const struct tg_keyring *ring;
    struct tg_text app_ini;    /* the text of its app.ini; base NULL: it could not be read */
    void (*told)(const struct tg_checked *checked, void *context);
    void *context;
};

int tg_gitea_inspect(struct tg_worker *worker, const struct tg_inspection *inspection);

/* The part that reads app.ini: whether each key is as the fragment of `teagate gitea setup --print-app-ini` has it, or
   as good. */
void tg_gitea_inspect_app_ini(const struct tg_inspection *inspection);

/* Says something about one thing; what->text comes from the format. Use TG_CHECKED. */
void tg_gitea_checked(const struct tg_inspection *inspection, const struct tg_checked *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define TG_CHECKED(state, name, remedy) (&(struct tg_checked){(state), (name), NULL, (remedy)})

#endif
