/*
 * node.h - what the tests of the cache and the doorbell share: a store, perhaps a Redis, and caches on both, each of which stands for a node
 */
#ifndef TG_TEST_NODE_H
#define TG_TEST_NODE_H

#include "../io/redis_server.h"
#include "stored.h"
#include <pthread.h>
#include "base/clock.h"
#include "store/cache.h"

struct node {
    struct tg_space *space;
    struct tg_cache *cache;
    struct tg_worker_options options;
    struct tg_worker *worker;
};

struct rig {
    struct stored *stored;
    struct tg_store *store;
    struct redis_server server;
    struct tg_keyring ring;
    struct node here, there;
    struct tg_account ada;
};

static inline void node_make(struct rig *rig, struct node *node, const struct tg_keyring *ring)
{
    struct tg_redis_conf conf = {.prefix = "test"};
    struct tg_cache_options options = {.ring = ring, .capacity = 1024};

    if (rig->server.pid != 0)
        conf.address = (struct tg_address){.text = "it", .path = rig->server.socket};
    assert_result(rig->server.pid != 0 ? 0 : TG_SPACE_NONE, tg_space_new(&conf, rig->store, &node->space));
    options.space = node->space;
    if (node->space != NULL)
        tg_redis_set_patience(node->space->redis, REDIS_PATIENCE_MS);
    node->cache = tg_cache_new(&options);
    node->options = (struct tg_worker_options){rig->stored->directory, node->cache};
    node->worker = tg_worker_new_cached(&node->options);
    tg_cache_forget(node->cache, last_change(rig->store));
    tg_cache_trust(node->cache, INT64_MAX);
}

static inline void node_remove(struct node *node)
{
    tg_worker_free(node->worker);
    tg_cache_free(node->cache);
    tg_space_free(node->space);
    *node = (struct node){.space = NULL};
}

static inline int setup(void **state)
{
    struct rig *rig = tg_alloc(sizeof(*rig));

    *state = rig;
    if (stored_make((void **)&rig->stored) != 0)
        return -1;
    rig->store = &rig->stored->store;
    rig->ring.count = 1;
    rig->ring.keys[0].id = 1;
    tg_random(rig->ring.keys[0].bytes, TG_KEY);
    rig->ada = stored_account(rig->store, "ada");
    assert_result(0, tg_subscription_set(rig->store, rig->ada.id, 1000));
    return 0;
}

static inline int teardown(void **state)
{
    struct rig *rig = *state;

    node_remove(&rig->here);
    node_remove(&rig->there);
    if (rig->server.directory[0] != '\0')
        redis_server_remove(&rig->server);
    stored_remove((void **)&rig->stored);
    free(rig);
    return 0;
}

static inline struct rig *alone(void **state)
{
    struct rig *rig = *state;

    node_make(rig, &rig->here, &rig->ring);
    return rig;
}

static inline struct rig *with_redis(void **state)
{
    struct rig *rig = *state;

    if (!redis_is_installed())
        skip();
    assert_int_equal(redis_server_make(&rig->server), 0);
    redis_start(&rig->server);
    node_make(rig, &rig->here, &rig->ring);
    node_make(rig, &rig->there, &rig->ring);
    return rig;
}

/* What the thread that follows changes does. */
static inline void hear(struct rig *rig, struct node *node, int64_t since)
{
    struct tg_change changes[64];
    size_t count;

    assert_result(0, tg_change_after(rig->store, since, changes, tg_count(changes), &count));
    tg_cache_news(node->cache, changes, count, last_change(rig->store));
}

static inline int64_t paid_until(struct node *node, const char *account)
{
    struct tg_facts facts;

    assert_result(0, tg_cache_facts(node->worker, account, &facts));
    assert_string_equal(facts.account, account);
    return facts.paid_until_s;
}

static inline struct tg_cache_stats stats_of(struct node *node)
{
    struct tg_cache_stats stats;

    tg_cache_stats(node->cache, &stats);
    return stats;
}

static inline void assert_facts_from(struct node *node, uint64_t memory, uint64_t redis, uint64_t database)
{
    struct tg_cache_stats stats = stats_of(node);

    assert_int_equal(stats.facts[TG_CACHE_MEMORY], memory);
    assert_int_equal(stats.facts[TG_CACHE_REDIS], redis);
    assert_int_equal(stats.facts[TG_CACHE_DATABASE], database);
}

/* An account that expired is paid for; the number before that. */
static inline int64_t change_it(struct rig *rig, int64_t paid_until_s)
{
    int64_t before = last_change(rig->store);

    assert_result(0, tg_subscription_set(rig->store, rig->ada.id, paid_until_s));
    return before;
}

/* Reads in a thread of its own. */
struct reader {
    pthread_t thread;
    struct node *node;
    const char *account;
    int64_t paid_until_s;
};

static inline void *read_it(void *argument)
{
    struct reader *reader = argument;

    reader->paid_until_s = paid_until(reader->node, reader->account);
    return NULL;
}

static inline struct node slow_node(struct rig *rig)
{
    struct node node;

    setenv("TG_FAULT_DELAY_FILL", "300", 1);
    node_make(rig, &node, &rig->ring);
    unsetenv("TG_FAULT_DELAY_FILL");
    return node;
}

#define rig_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
