/*
 * cache.h - facts and credentials of this process, between the tables of its loops and the database
 *
 * Asked in this order: memory, Redis (where there is one), the database. What is remembered carries the change number of the snapshot it
 * was read in, and is found only if it is not older than the last change of its account that is known here, and only while the table of
 * changes is being followed (tg_cache_trust). Redis holds sealed values under digests, for a minute: it can forget them, not make one up,
 * nor serve one that is too old or another one's. Everything it does wrong costs time only.
 *
 * The environment's TG_FAULT_DELAY_FILL=MS, read when the cache is made, lets each value rest for so long between the database and every
 * memory, so that tests can change what was read meanwhile.
 */
#ifndef TG_STORE_CACHE_H
#define TG_STORE_CACHE_H

#include "store/cache_table.h"
#include "store/redis_conf.h"
#include "store/worker.h"

struct tg_cache_options {
    const struct tg_space *space;    /* NULL: no Redis */
    const struct tg_keyring *ring;
    size_t capacity;                 /* values in memory */
};

/* Lives longer than its workers. */
struct tg_cache *tg_cache_new(const struct tg_cache_options *options);
void tg_cache_free(struct tg_cache *cache);
const struct tg_space *tg_cache_space(const struct tg_cache *cache); /* NULL: no Redis */

/*
 * Worker threads. A worker without a cache asks the database.
 */

/* As tg_facts_read: 0 or TG_ACCOUNT_UNKNOWN (out->change is set all the same). */
int tg_cache_facts(struct tg_worker *worker, const char *account, struct tg_facts *out);

/* Whose is the credential with this digest, as Gitea answered once? TG_CREDENTIAL_UNKNOWN: it was not asked yet. */
int tg_cache_credential(struct tg_worker *worker, const char *host, const uint8_t digest[TG_DIGEST], struct tg_credential *out);
/* Gitea has answered: keeps it in the database, too. */
int tg_cache_credential_keep(struct tg_worker *worker, const char *host, const uint8_t digest[TG_DIGEST], int64_t gitea_user,
                             struct tg_credential *out);

/*
 * The thread that follows the table of changes. It tells the cache before it tells the loops: a loop that has dropped something then asks
 * here, and must not be given the same again.
 */
void tg_cache_news(struct tg_cache *cache, const struct tg_change *changes, size_t count, int64_t last);
void tg_cache_forget(struct tg_cache *cache, int64_t last);        /* everything: there was a gap, or it is the beginning */
void tg_cache_trust(struct tg_cache *cache, int64_t until_ms);     /* monotonic; before the first of these nothing is trusted */

enum tg_cache_source { TG_CACHE_MEMORY, TG_CACHE_REDIS, TG_CACHE_DATABASE, TG_CACHE_SOURCES };
struct tg_cache_stats {
    uint64_t facts[TG_CACHE_SOURCES], credentials[TG_CACHE_SOURCES]; /* answered from */
    uint64_t stale;          /* read from the database and overtaken by a change before anybody got it */
    uint64_t refused;        /* by Redis: too old, of a future this node has not seen, or not sealed by us for this name */
};
void tg_cache_stats(struct tg_cache *cache, struct tg_cache_stats *out);

#endif
