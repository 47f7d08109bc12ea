/* judge_cache.c - what facts cost a worker: out of the process's memory, out of Redis, out of the database */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "bench.h"
#include "base/result.h"
#include "store/cache.h"

struct node {
    char directory[64];
    struct tg_store store;
    struct tg_account account;
    struct tg_keyring ring;
    struct tg_space *space;
    struct tg_cache *cache;
    struct tg_worker_options options;
    struct tg_worker *worker;
    int64_t last;
};

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    return remove(path);
}

static void make_store(struct node *node)
{
    struct tg_account account = {.login = "ada", .email = "ada@example.test"};

    snprintf(node->directory, sizeof(node->directory), "/tmp/teagate-bench-XXXXXX");
    if (mkdtemp(node->directory) == NULL)
        bench_fail("a directory");
    if (tg_store_migrate(node->directory) != 0 || tg_store_open(node->directory, &node->store) != 0)
        bench_fail("a store");
    if (tg_account_add(&node->store, &account) != 0 || tg_subscription_set(&node->store, account.id, INT32_MAX) != 0)
        bench_fail("an account");
    node->account = account;
    if (tg_change_last(&node->store, &node->last) != 0)
        bench_fail("changes");
}

static void make_cache(struct node *node, const char *socket)
{
    struct tg_redis_conf conf = {.prefix = "bench"};

    if (socket != NULL)
        conf.address = (struct tg_address){.text = "it", .path = socket};
    if (tg_space_new(&conf, &node->store, &node->space) < 0)
        bench_fail("Redis");
    tg_random(node->ring.keys[0].bytes, TG_KEY);
    node->ring.keys[0].id = node->ring.count = 1;
    node->cache = tg_cache_new(&(struct tg_cache_options){.space = node->space, .ring = &node->ring, .capacity = 1024});
    node->options = (struct tg_worker_options){node->directory, node->cache};
    node->worker = tg_worker_new_cached(&node->options);
    tg_cache_forget(node->cache, node->last);
    tg_cache_trust(node->cache, INT64_MAX);
}

static void ask(void *context, size_t round)
{
    struct node *node = context;
    struct tg_facts facts;

    if (tg_cache_facts(node->worker, node->account.id, &facts) != 0 || facts.paid_until_s != INT32_MAX)
        bench_fail("facts");
}

static void forget(void *context, size_t round)
{
    struct node *node = context;

    tg_cache_forget(node->cache, node->last);
    tg_cache_trust(node->cache, INT64_MAX);
}

static void ask_database(void *context, size_t round)
{
    struct node *node = context;
    struct tg_facts facts;

    if (tg_facts_read(&node->store, node->account.id, &facts) != 0)
        bench_fail("facts");
}

static bool bench_redis(struct node *node)
{
    struct bench bench = {.name = "facts from Redis", .run = ask, .prepare = forget, .context = node, .batch = 1, .limit_ns = 1e6};
    struct tg_cache_stats before, after;

    ask(node, 0);
    tg_cache_stats(node->cache, &before);
    bool is_good = bench_run(&bench);
    tg_cache_stats(node->cache, &after);
    if (after.facts[TG_CACHE_DATABASE] - before.facts[TG_CACHE_DATABASE] > 20) {
        printf("    %llu of them came from the database\n",
               (unsigned long long)(after.facts[TG_CACHE_DATABASE] - before.facts[TG_CACHE_DATABASE]));
        return false;
    }
    return is_good;
}

bool bench_cache(const char *socket)
{
    struct node node = {.last = 0};
    bool is_good = true;

    make_store(&node);
    make_cache(&node, socket);
    ask(&node, 0);
    is_good = bench_run(&(struct bench){.name = "facts from the process's memory", .run = ask, .context = &node, .batch = 100});
    if (socket != NULL)
        is_good = bench_redis(&node) && is_good;
    else
        printf("%-48s not measured: TG_BENCH_REDIS names no socket\n", "facts from Redis");
    is_good = bench_run(&(struct bench){.name = "facts from the database", .run = ask_database, .context = &node, .batch = 1}) && is_good;
    tg_worker_free(node.worker);
    tg_cache_free(node.cache);
    tg_space_free(node.space);
    tg_store_close(&node.store);
    nftw(node.directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return is_good;
}
