/*
 * judge.c - what a verdict costs on the loop, when credential and facts are known there
 *
 * The steps classify, identify and policy are run as for a request, for many accounts in turn, by token and by cookie. Each run is
 * checked to have ended in the verdict that it should, and all of them not to have asked for memory besides the request's pool, or
 * for a lock.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "bench.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "front/path.h"
#include "front/resolver.h"
#include "front/session_cookie.h"

enum { ACCOUNTS = 512, ROUNDS = 2001, BATCH = 100, PLENTY_S = 300 * 86400, NUMBER = 1 };

struct rig {
    struct tg_gitea_conf conf;
    struct tg_front_host feature;
    struct tg_host host;
    struct tg_subscription_conf rules;
    struct tg_keyring ring;
    struct tg_front_options options;
    struct tg_front *front;
    struct tg_server_loop loop;
    struct tg_front_loop *part;
    h2o_mem_pool_t kept; /* of the header fields */
    h2o_req_t *req;
    struct tg_visit visit;
    struct tg_path path;
    h2o_headers_t by_token[ACCOUNTS], by_cookie[ACCOUNTS];
    char accounts[ACCOUNTS][TG_ID];
    struct tg_facts facts; /* of the last one */
};

static uint64_t allocations, locks;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

void *__wrap_malloc(size_t size)
{
    ++allocations;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    ++allocations;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    ++allocations;
    return __real_realloc(old, size);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    ++locks;
    return __real_pthread_mutex_lock(mutex);
}

void bench_fail(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, tg_failure());
    exit(EXIT_FAILURE);
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

bool bench_run(const struct bench *bench)
{
    static double took[ROUNDS];
    size_t round = 0;

    for (size_t i = 0; i < ROUNDS; i++) {
        double start;

        if (bench->prepare != NULL)
            bench->prepare(bench->context, round);
        start = now_ns();
        for (size_t n = 0; n < bench->batch; n++)
            bench->run(bench->context, round++);
        took[i] = (now_ns() - start) / (double)bench->batch;
    }
    qsort(took, ROUNDS, sizeof(*took), compare);
    printf("%-48s median %9.0f ns   99 %% %9.0f ns%s\n", bench->name, took[ROUNDS / 2], took[ROUNDS * 99 / 100],
           bench->limit_ns > 0 && took[ROUNDS / 2] > bench->limit_ns ? "   TOO SLOW" : "");
    return bench->limit_ns <= 0 || took[ROUNDS / 2] <= bench->limit_ns;
}

/* ---- a loop of a front that knows everybody */

static void make_front(struct rig *rig)
{
    tg_random(rig->ring.keys[0].bytes, TG_KEY);
    rig->ring.keys[0].id = rig->ring.count = 1;
    rig->conf = (struct tg_gitea_conf){.host = "git.example.test", .upstream = {.text = "it", .path = "/nonexistent"}, .source = "teagate"};
    rig->feature = (struct tg_front_host){.conf = &rig->conf};
    rig->host = (struct tg_host){TG_HOST_GITEA, "git.example.test", "https://git.example.test", &rig->feature};
    rig->rules = (struct tg_subscription_conf){.warning_s = 14 * 86400, .grace_s = 7 * 86400, .retention_s = 90 * 86400};
    rig->options = (struct tg_front_options){.hosts = &rig->host, .host_count = 1, .rules = &rig->rules, .ring = &rig->ring};
    if (tg_front_new(&rig->options, &rig->front) != 0)
        bench_fail("the front");
    rig->loop.context.loop = h2o_evloop_create();
    rig->part = rig->loop.parts[TG_FRONT_PART] = tg_front_loop_make(&rig->loop, rig->front);
}

/* As a flight would leave it (identify.c's key of a token). */
static void know_token(struct rig *rig, size_t n, const char *account, const char *token)
{
    uint8_t keyed[TG_KEY], key[TG_TABLE_KEY];
    struct tg_credential_entry *entry;

    memcpy(keyed, rig->front->digest_key, sizeof(keyed));
    keyed[sizeof(keyed) - 1] ^= 1;
    tg_digest_keyed(keyed, tg_text(token), key);
    entry = tg_table_put(&rig->part->credentials, key);
    *entry = (struct tg_credential_entry){.answer = TG_RESOLVED_USER, .user = (int64_t)n + 1, .until_ms = UINT64_MAX};
    memcpy(entry->account, account, strlen(account) + 1);
}

static void add_headers(struct rig *rig, h2o_headers_t *headers, const h2o_token_t *token, const char *format, const char *value)
{
    h2o_iovec_t text = {h2o_mem_alloc_pool(&rig->kept, 1024), 0};

    h2o_add_header(&rig->kept, headers, H2O_TOKEN_USER_AGENT, NULL, H2O_STRLIT("a client"));
    h2o_add_header(&rig->kept, headers, H2O_TOKEN_ACCEPT, NULL, H2O_STRLIT("*/*"));
    text.len = (size_t)snprintf(text.base, 1024, format, value);
    h2o_add_header(&rig->kept, headers, token, NULL, text.base, text.len);
}

static void know_account(struct rig *rig, size_t n)
{
    struct tg_gateway_cookie cookie = {.state = TG_GATEWAY_SIGNED_IN, .gitea_session = "0123456789abcdef"};
    struct tg_facts_entry entry = {.facts = {.login = "ada", .change = NUMBER, .subscribed = true}};
    char value[TG_GATEWAY_COOKIE_VALUE], token[41];

    tg_random_id(entry.facts.account);
    memcpy(rig->accounts[n], entry.facts.account, TG_ID);
    entry.facts.paid_until_s = tg_now_s() + PLENTY_S;
    rig->facts = entry.facts;
    if (!tg_facts_keep(rig->part, entry.facts.account, &entry, 0))
        bench_fail("facts");
    memcpy(cookie.account, entry.facts.account, sizeof(cookie.account));
    tg_gateway_cookie_seal(&rig->ring, rig->host.authority, &cookie, value);
    add_headers(rig, &rig->by_cookie[n], H2O_TOKEN_COOKIE, "lang=en-US; " TG_FRONT_COOKIE "=%s", value);
    snprintf(token, sizeof(token), "%040zx", n + 0xfeed);
    know_token(rig, n, entry.facts.account, token);
    add_headers(rig, &rig->by_token[n], H2O_TOKEN_AUTHORIZATION, "token %s", token);
}

static struct rig *make_rig(void)
{
    struct rig *rig = tg_alloc(sizeof(*rig));

    make_front(rig);
    h2o_mem_init_pool(&rig->kept);
    rig->req = tg_alloc(sizeof(*rig->req));
    h2o_mem_init_pool(&rig->req->pool);
    rig->req->method = h2o_iovec_init(H2O_STRLIT("GET"));
    if (tg_path_split(TG_TEXT("/ada/project.git/info/refs"), &rig->path) != 0)
        bench_fail("the path");
    for (size_t n = 0; n < ACCOUNTS; n++)
        know_account(rig, n);
    return rig;
}

/* ---- what is measured */

static void judge(struct rig *rig, const h2o_headers_t *headers, const struct tg_path *path)
{
    struct tg_visit *visit = &rig->visit;

    h2o_mem_clear_pool(&rig->req->pool);
    rig->req->headers = *headers;
    *visit = (struct tg_visit){.req = rig->req, .loop = &rig->loop, .host = &rig->host, .path = *path};
    if (tg_step_classify(visit) != TG_STEP_NEXT || tg_step_identify(visit) != TG_STEP_NEXT || tg_step_policy(visit) != TG_STEP_NEXT ||
        visit->identity.kind != TG_IDENTITY_ACCOUNT || strcmp(visit->verdict.name, "allow") != 0)
        bench_fail("a request of somebody who is known was not let through");
}

static void judge_token(void *context, size_t round)
{
    struct rig *rig = context;

    judge(rig, &rig->by_token[round % ACCOUNTS], &rig->path);
}

static void judge_cookie(void *context, size_t round)
{
    static struct tg_path settings;
    struct rig *rig = context;

    if (settings.count == 0 && tg_path_split(TG_TEXT("/user/settings"), &settings) != 0)
        bench_fail("the path");
    judge(rig, &rig->by_cookie[round % ACCOUNTS], &settings);
}

static void find_facts(void *context, size_t round)
{
    struct rig *rig = context;

    if (tg_facts_find(rig->part, rig->accounts[round % ACCOUNTS]) == NULL)
        bench_fail("facts");
}

static void stand(void *context, size_t round)
{
    struct rig *rig = context;
    struct tg_standing standing;

    tg_standing(&rig->facts, &rig->rules, rig->facts.paid_until_s - (int64_t)(round % 2) * 3600, &standing);
    if (standing.phase == TG_PHASE_NONE)
        bench_fail("a standing");
}

static bool bench_loop(struct rig *rig)
{
    static const struct {
        const char *name;
        void (*run)(void *context, size_t round);
        double limit_ns;
    } parts[] = {
        {"token to verdict, on the loop", judge_token, 1000},
        {"cookie to verdict, on the loop", judge_cookie, 1000},
        {"facts from the loop's table", find_facts, 0},
        {"facts to standing", stand, 0},
    };
    bool is_good = true;

    for (size_t i = 0; i < tg_count(parts); i++) {
        struct bench bench = {.name = parts[i].name, .run = parts[i].run, .context = rig, .batch = BATCH, .limit_ns = parts[i].limit_ns};

        for (size_t round = 0; round < ACCOUNTS; round++) /* opens each cookie once, and the pool gets its first chunk */
            parts[i].run(rig, round);
        allocations = locks = 0;
        is_good = bench_run(&bench) && is_good;
        if (allocations + locks != 0) {
            printf("    asked for memory %llu times, and for locks %llu times\n", (unsigned long long)allocations, (unsigned long long)locks);
            is_good = false;
        }
    }
    return is_good;
}

int main(void)
{
    if (tg_secret_init() != 0)
        bench_fail("starting");

    bool is_good = bench_loop(make_rig());

    is_good = bench_cache(getenv("TG_BENCH_REDIS")) && is_good;
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
