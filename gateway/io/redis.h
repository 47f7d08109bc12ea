/*
 * redis.h - a Redis that may be lost at any time
 *
 * A call takes 30 ms at the most, connecting and authenticating included; then its connection is given up, so that a late answer is never
 * taken for the next one's. A breaker for the whole process keeps calls away from a Redis that does not answer. Whatever happens is an
 * answer to the caller, TG_REDIS_AWAY: nobody may depend on Redis. Protocol RESP2, without TLS.
 */
#ifndef TG_IO_REDIS_H
#define TG_IO_REDIS_H

#include "base/text.h"
#include "io/breaker.h"

enum { TG_REDIS_CALL_MS = 30, TG_REDIS_WORDS = 8 };

/* The server, as this process knows it: address, breaker, counters. Any thread but loops. */
struct tg_redis;

struct tg_redis_options {
    const char *path;        /* of a unix socket; NULL: host and port */
    const char *host;        /* an IP address: a name would be asked of DNS, which may take longer than the database */
    uint16_t port;
    const char *password;    /* NULL: none */
};

/* Only looks at the options. */
int tg_redis_new(const struct tg_redis_options *options, struct tg_redis **redis);
void tg_redis_free(struct tg_redis *redis); /* after its links */
void tg_redis_stats(struct tg_redis *redis, struct tg_breaker_stats *out);
/* Instead of TG_REDIS_CALL_MS. For tests on machines that are busy; while nobody calls. */
void tg_redis_set_patience(struct tg_redis *redis, int64_t call_ms);

/* A connection, made with the first call and again after a failure. Blocking; belongs to one thread. */
struct tg_redis_link;

struct tg_redis_link *tg_redis_link_new(struct tg_redis *redis);
void tg_redis_link_free(struct tg_redis_link *link);

struct tg_redis_reply {
    enum { TG_REDIS_NIL, TG_REDIS_INTEGER, TG_REDIS_TEXT, TG_REDIS_LIST } kind;
    int64_t integer;
    struct tg_text text;     /* of a list: its first item; until the link's next call */
};

/* One command of at most TG_REDIS_WORDS words. AWAY: no connection, no answer in time, an error for an answer, or the breaker is open. */
enum { TG_REDIS_AWAY = 1 };
int tg_redis_call(struct tg_redis_link *link, const struct tg_text *words, size_t count, struct tg_redis_reply *reply);
#define TG_REDIS_COMMAND(...)                                                                                                      \
    ((const struct tg_text[]){__VA_ARGS__}), (sizeof((const struct tg_text[]){__VA_ARGS__}) / sizeof(struct tg_text))

/* A script by its digest; with its text where Redis does not know it yet. words: how many keys, the keys, the arguments; at most 6. */
struct tg_redis_script {
    struct tg_text text;     /* a constant */
    char digest[41];
};
void tg_redis_script_init(struct tg_redis_script *script, const char *text);
int tg_redis_run(struct tg_redis_link *link, const struct tg_redis_script *script, const struct tg_text *words, size_t count,
                 struct tg_redis_reply *reply);

/*
 * What comes without being asked for, once a call has subscribed. Sends words without waiting for an answer.
 */
int tg_redis_send(struct tg_redis_link *link, const struct tg_text *words, size_t count);
/* The descriptor to wait for; -1: not connected. */
int tg_redis_descriptor(const struct tg_redis_link *link);
/* Takes the next of what has arrived, without waiting. NOTHING: there is none. AWAY: the connection is gone. */
enum { TG_REDIS_NOTHING = 2 };
int tg_redis_take(struct tg_redis_link *link, struct tg_redis_reply *reply);
/* Gives the connection up; a failure for the breaker. */
void tg_redis_give_up(struct tg_redis_link *link, const char *why);

#endif
