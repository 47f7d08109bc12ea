/*
 * redis_conf.h - keys of the section `redis`, and the part of that Redis that is ours
 *
 * Without an address there is no Redis: a single node needs none. Names of keys and channels begin with PREFIX:INSTALLATION, where the
 * installation is a random number in the database: two services that share a Redis do not meet.
 */
#ifndef TG_STORE_REDIS_CONF_H
#define TG_STORE_REDIS_CONF_H

#include "base/conf.h"
#include "io/redis.h"
#include "store/store.h"

struct tg_redis_conf {
    struct tg_address address;   /* text NULL: no Redis */
    const char *password_file;   /* NULL: no password */
    const char *prefix;
};

extern const struct tg_key tg_redis_keys[];

/* What is wrong with a value, for the administrator; NULL: nothing. */
const char *tg_redis_address_unfit(const struct tg_address *address);
const char *tg_redis_prefix_unfit(const char *prefix);

/* Immutable; any thread. */
struct tg_space {
    struct tg_redis *redis;
    char name[64];               /* PREFIX:INSTALLATION */
    char channel[80];            /* of the doorbell */
};

/* NONE: the configuration names no Redis. Reads the password; nothing is connected yet. */
enum { TG_SPACE_NONE = 1 };
int tg_space_new(const struct tg_redis_conf *conf, struct tg_store *store, struct tg_space **space);
void tg_space_free(struct tg_space *space); /* after everything that was made with it */

/* The number of this database's installation; made when there is none. */
int tg_installation(struct tg_store *store, int64_t *number);

#endif
