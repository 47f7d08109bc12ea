/*
 * site_parts.h - the front process's parts, shared by site*.c; nobody else includes it
 */
#ifndef TG_SITE_PARTS_H
#define TG_SITE_PARTS_H

#include "account/account_pages.h"
#include "front/front.h"
#include "http/admin.h"
#include "oidc/oidc.h"
#include "site.h"
#include "store/cache.h"

enum { TG_SITE_PART = TG_FRONT_PART + 1 };

struct tg_site {
    const struct tg_site_conf *conf;
    int64_t generation, started_s, next_look_ms;
    struct tg_keyring ring;
    struct tg_templates *templates;
    struct tg_tls *tls;
    struct tg_logfile *access_log, *event_log;
    struct tg_space *space;              /* NULL: no Redis */
    struct tg_cache *cache;
    struct tg_worker_options workers;
    struct tg_site_redis {               /* what the log was told */
        bool away;
        uint64_t openings;
        int calm_ticks;
    } redis;
    struct tg_pools pools;
    struct tg_host *hosts;               /* Giteas, then the provider */
    size_t host_count;
    struct tg_host backchannel, admin;
    const char **client_origins;         /* of the Giteas; NULL-terminated */
    const char **names;                  /* which need a certificate; NULL-terminated */
    char backchannel_url[96];
    struct tg_account_pages *pages;
    struct tg_oidc *oidc;
    struct tg_front *front;
    struct tg_admin admin_texts;
    struct tg_loop_part parts[TG_SITE_PART + 2];
    struct tg_server *server;
    struct tg_arena arena;               /* names above */
};

/* The site of a visit's loop. */
struct tg_site *tg_site_of(struct tg_visit *visit);

/* site_hosts.c: what each host name stands for. */
void tg_site_make_hosts(struct tg_site *site);
const struct tg_host *tg_site_find_host(struct tg_text authority, void *site);

/* site_steps.c: the way of a request, for each kind of listener. */
extern const struct tg_step tg_site_steps[];
extern const struct tg_step tg_site_backchannel_steps[];
extern const struct tg_step tg_site_admin_steps[];

/* site_redis.c: the cache, what Redis is for it, and what the log and /metrics say of both. */
int tg_site_make_cache(struct tg_site *site, struct tg_store *store);
void tg_site_watch_redis(struct tg_site *site); /* every second or so */
void tg_site_cache_metrics(struct tg_site *site, struct tg_string *out);

/* site_status.c: what the admin listener shows besides what loops count */
void tg_site_metrics(struct tg_string *out, void *site);
void tg_site_admin_status(struct tg_string *out, void *site);

#endif
