/*
 * front.h - the way of a request to a Gitea: guard, route, identify, policy, upstream
 *
 * The steps, for site.c's list, and what they need. Steps run on the loop.
 */
#ifndef TG_FRONT_FRONT_H
#define TG_FRONT_FRONT_H

#include "base/secret.h"
#include "gitea/gitea_conf.h"
#include "http/call.h"
#include "http/metrics.h"
#include "http/server.h"
#include "http/template.h"
#include "store/cache.h"
#include "subscription/standing.h"

/* tg_host.feature of a host of kind TG_HOST_GITEA. */
struct tg_front_host {
    const struct tg_gitea_conf *conf;
    size_t index;                           /* counted from 0 over the hosts of that kind */
};

/* What the front needs; immutable in a process. What it points at lives as long as the front. */
struct tg_front_options {
    const struct tg_host *hosts;            /* all host names of the HTTPS listeners */
    size_t host_count;
    const struct tg_subscription_conf *rules;
    const struct tg_keyring *ring;          /* seals gateway cookies */
    struct tg_templates *templates;
    const struct tg_pools *pools;
    const char *state_directory;
    struct tg_cache *cache;                 /* the workers'; is told of changes. NULL: none */
};

struct tg_front;
/* Fails when two hosts have one name, or an upstream is no address. */
int tg_front_new(const struct tg_front_options *options, struct tg_front **front);
void tg_front_free(struct tg_front *front);

/* Each loop's part: upstream pools, facts table, sealed cookies opened. context: struct tg_front *. */
void *tg_front_loop_make(struct tg_server_loop *loop, const void *front);
void tg_front_loop_drop(void *part);
enum { TG_FRONT_PART = 0 }; /* its index in tg_server_options.parts */

/* Follows the change table (at least four times a second) and tells the loops; its own thread. */
int tg_front_watch_start(struct tg_front *front, struct tg_server *server);
void tg_front_watch_stop(struct tg_front *front);

enum tg_step_answer tg_step_guard(struct tg_visit *visit);     /* limits, canonical method, path and authority */
enum tg_step_answer tg_step_route(struct tg_visit *visit);     /* host -> visit->host, or 421; the style sheet; unknown hosts */
enum tg_step_answer tg_step_classify(struct tg_visit *visit);  /* door; closed doors are answered here */
enum tg_step_answer tg_step_identify(struct tg_visit *visit);
enum tg_step_answer tg_step_policy(struct tg_visit *visit);
enum tg_step_answer tg_step_upstream(struct tg_visit *visit);  /* hosts of kind TG_HOST_GITEA; passes on for others */

/* Which host an authority of a client stands for; NULL: none. Any thread. For tg_server_options.find_host, whose context is the front. */
const struct tg_host *tg_front_find_host(struct tg_text authority, void *front);

/* The gateway's cookie: sealed, of one instance. */
#define TG_FRONT_COOKIE "__Host-tg-gitea"

/* Names of doors and verdicts, for log and metrics: tg_server_options.names. */
extern const struct tg_metric_names tg_front_names;
const char *tg_door_name(int door); /* NULL: none */

/* Metrics of the front itself, as Prometheus text. Any thread, once the loops have their parts. */
void tg_front_metrics(struct tg_front *front, struct tg_string *out);

#endif
