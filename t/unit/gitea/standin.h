/*
 * standin.h - a Gitea of a few fixed answers on a unix socket, for what a real one does not do on demand
 */
#ifndef TG_TEST_STANDIN_H
#define TG_TEST_STANDIN_H

#include <pthread.h>
#include "gitea/gitea_conf.h"

struct standin_answer {
    const char *request;      /* how the request line begins: "GET /api/v1/token" */
    int status;               /* 0: no answer at all, the connection waits */
    const char *type, *body;
};

struct standin {
    char path[96], token_file[96];
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;     /* of what follows, while requests may come */
    const struct standin_answer *answers; /* ends with a NULL request; what was given before must not change. No match: 404 */
    int asked;                            /* how many requests came */
    char heads[8192];                     /* request heads and bodies since standin_answers */
};

void standin_start(struct standin *standin, const char *directory);
void standin_stop(struct standin *standin);
void standin_answers(struct standin *standin, const struct standin_answer *answers);
/* Fills what tg_gitea_conf needs to reach it: host git.example.test, the socket, a token file. */
void standin_configure(struct standin *standin, struct tg_gitea_conf *conf);

#endif
