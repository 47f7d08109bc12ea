/*
 * state.h - what the files of front/ share: the process's part and each loop's
 */
#ifndef TG_FRONT_STATE_H
#define TG_FRONT_STATE_H

#include <pthread.h>
#include "base/spares.h"
#include "front/ask_rate.h"
#include "front/doors.h"
#include "front/front.h"
#include "front/table.h"
#include "front/upstream.h"
#include "http/metrics.h"

enum { TG_FRONT_LOOPS = 64, TG_FRONT_LISTED = 64 };

struct tg_watch {
    pthread_t thread;
    int wake; /* eventfd: something to read means stop */
    bool runs;
    struct tg_server *server;
};

struct tg_flight; /* resolver.h */

struct tg_front {
    struct tg_front_options options;
    const struct tg_host **places; /* host names, open addressing */
    size_t place_mask;
    size_t gitea_count;
    uint8_t digest_key[TG_KEY];    /* of this process: for keys of tables */
    struct tg_front_loop *loops[TG_FRONT_LOOPS];
    _Atomic size_t loop_count;
    struct tg_ask_rate *ask_rate;
    pthread_mutex_t asking_lock;   /* of all loops: what Gitea is being asked, and what it told of names */
    struct tg_flight *asking;
    struct {
        size_t instance;
        int64_t user;              /* 0: no more */
    } listed[TG_FRONT_LISTED];     /* who was let through by name last: tokens that Gitea makes for them have ids only */
    size_t listed_count;
    struct tg_watch watch;
};

/* One loop's part; touched by that loop only. */
struct tg_front_loop {
    struct tg_front *front;
    struct tg_server_loop *loop;
    struct tg_upstream *upstreams;       /* by tg_front_host.index */
    struct tg_exchange *exchanges;       /* all under way, for the tick */
    struct tg_spares spare_exchanges;
    h2o_timeout_t tick;
    h2o_timeout_entry_t tick_entry;
    unsigned ticks;
    h2o_buffer_prototype_t head_buffers; /* receive buffers: for heads, and for long bodies */
    h2o_buffer_prototype_t body_buffers;

    struct tg_table cookies;             /* opened ones: session_cookie.c */
    struct tg_table credentials;         /* digest -> struct tg_credential_entry */
    struct tg_table facts;               /* account -> struct tg_facts */
    struct tg_flight *flights;
    int64_t change_known;

    struct {
        _Atomic uint64_t facts_found, facts_read, facts_dropped, credentials_found, credentials_asked, credentials_limited, cookies_opened, cookies_broken,
            waits_refused;
    } counts;
};

static inline struct tg_front_loop *tg_front_of(const struct tg_visit *visit)
{
    return visit->loop->parts[TG_FRONT_PART];
}

/* NULL for hosts of other kinds. */
static inline const struct tg_front_host *tg_front_host_of(const struct tg_visit *visit)
{
    return visit->host != NULL && visit->host->kind == TG_HOST_GITEA ? visit->host->feature : NULL;
}

/* route.c */
int tg_front_hosts_init(struct tg_front *front);

/* Memory of the visit for texts that library code wants in an arena; given back with the request. */
struct tg_arena *tg_front_arena(struct tg_visit *visit);

#endif
