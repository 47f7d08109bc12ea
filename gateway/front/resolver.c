/* resolver.c - see resolver.h */
#include "front/resolver.h"
#include <sodium.h>
#include <stdatomic.h>
#include <time.h>
#include "base/clock.h"
#include "base/judge_clock.h"
#include "base/log.h"
#include "base/result.h"
#include "store/cache.h"
#include "store/instance.h"

enum {
    FLIGHTS_MAX = 1024,          /* on one loop */
    WAIT_MS = 2000,              /* nobody waits longer, give or take a tick */
    READ_AGAIN = 5,              /* times, when changes overtake a fill */
    KEEP_USER_MS = 600 * 1000,   /* then the database is looked at again, not Gitea */
    KEEP_UNMANAGED_MS = 30 * 1000,
    KEEP_INVALID_MS = 10 * 1000,
    KEEP_PROHIBITED_MS = 2 * 1000,
    LIFT_WAIT_MS = 600,          /* well within the second that a change may take */
    LIFT_LOOK_MS = 10,
    LIFT_WAITERS = 4,
};

struct waiter {
    struct tg_visit *visit;
    struct tg_flight *flight;    /* NULL: landed */
    tg_flight_ready on_ready;
    struct waiter *next, **slot;
};

struct tg_flight {
    struct tg_job job;
    struct tg_message message;
    struct tg_front_loop *part;
    struct tg_flight *next, **slot;
    struct waiter *waiters;
    uint8_t key[TG_TABLE_KEY];
    bool is_credential;
    int64_t least_change;        /* a fill that is older is not kept */
    int tries;

    /* facts */
    char account[TG_ID];
    struct tg_facts_entry facts;

    /* credential, or the owner of a path */
    const struct tg_gitea_conf *conf;
    size_t instance;
    char owner[TG_OWNER];        /* "": a credential */
    char address[48];            /* of the first who wants to know */
    struct tg_pool *resolve_pool;
    char *secret;                /* owned; wiped */
    size_t secret_len;
    bool ask_gitea;              /* the second leg */
    int64_t named_user;          /* by the credential itself; 0: none */
    int64_t change;              /* of the snapshot in which the account was looked up */
    struct tg_credential_entry credential;
    bool is_asking, is_limited;
    struct tg_flight *asking_next; /* among those whose question is put; the front's, under its lock */
    struct tg_flight *followers;   /* of other loops, with the same question; linked by asking_next */

    uint64_t began_ms;           /* by the loop's clock */
    int64_t asked_ms;            /* the same moment, by everybody's */
    bool ok;
};

/* ---- on workers */

/* Whom Gitea would show its page for those who may not, though he may: what he has paid is known here before it is known there. */
static bool waits_for_gitea(const struct tg_flight *flight)
{
    const struct tg_facts *facts = &flight->facts.facts;
    struct tg_standing standing;

    if (flight->facts.unknown || !facts->flagged || facts->locked)
        return false;
    tg_standing(facts, flight->part->front->options.rules, tg_judge_now_s(), &standing);
    return standing.level != TG_LEVEL_BLOCKED && standing.level != TG_LEVEL_GONE;
}

/* jobs lifts our flag in Gitea at once. When it does not, Gitea is away, and shows no page either. */
static int wait_for_gitea(struct tg_flight *flight, struct tg_worker *worker)
{
    int64_t until_ms = tg_monotonic_ms() + LIFT_WAIT_MS;
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    while (waits_for_gitea(flight) && tg_monotonic_ms() < until_ms) {
        nanosleep(&(struct timespec){.tv_nsec = LIFT_LOOK_MS * 1000000}, NULL);
        flight->facts.unknown = tg_try(tg_facts_read(store, flight->account, &flight->facts.facts)) > 0;
    }
    return 0;
}

/* Few workers may wait like that: when very many have paid at once, the others are asked to come again. */
static int read_facts(struct tg_flight *flight, struct tg_worker *worker)
{
    static atomic_int waiting;
    int result;

    flight->facts.unknown = tg_try(tg_cache_facts(worker, flight->account, &flight->facts.facts)) > 0;
    if (!waits_for_gitea(flight))
        return 0;
    if (atomic_fetch_add(&waiting, 1) < LIFT_WAITERS)
        result = wait_for_gitea(flight, worker);
    else
        result = tg_fail("too many wait for Gitea to let them in again");
    atomic_fetch_sub(&waiting, 1);
    return result;
}

static bool is_listed(const struct tg_gitea_conf *conf, const char *login)
{
    const char *const *names = conf->unmanaged_users.items;

    for (size_t i = 0; login[0] != '\0' && i < conf->unmanaged_users.count; ++i)
        if (strcasecmp(names[i], login) == 0)
            return true;
    return false;
}

static size_t find_listed(const struct tg_front *front, size_t instance, int64_t user)
{
    size_t at = 0;

    while (at < TG_FRONT_LISTED && (front->listed[at].instance != instance || front->listed[at].user != user))
        ++at;
    return at;
}

static void note_listed(struct tg_flight *flight)
{
    struct tg_front *front = flight->part->front;
    const struct tg_credential_entry *entry = &flight->credential;
    size_t at;

    if (entry->answer != TG_RESOLVED_USER || entry->user <= 0)
        return;
    pthread_mutex_lock(&front->asking_lock);
    at = find_listed(front, flight->instance, entry->user);
    if (at < TG_FRONT_LISTED && !entry->is_listed) {
        front->listed[at].user = 0;
    } else if (at == TG_FRONT_LISTED && entry->is_listed) {
        at = front->listed_count++ % TG_FRONT_LISTED;
        front->listed[at].instance = flight->instance;
        front->listed[at].user = entry->user;
    }
    pthread_mutex_unlock(&front->asking_lock);
}

static bool was_listed(const struct tg_flight *flight, int64_t user)
{
    struct tg_front *front = flight->part->front;
    bool found;

    pthread_mutex_lock(&front->asking_lock);
    found = user > 0 && find_listed(front, flight->instance, user) < TG_FRONT_LISTED;
    pthread_mutex_unlock(&front->asking_lock);
    return found;
}

/* The second leg: with the caller's own credential. */
static int ask_gitea(struct tg_flight *flight, struct tg_worker *worker)
{
    struct tg_credential_entry *entry = &flight->credential;

    struct tg_gitea_user user;

    *entry = (struct tg_credential_entry){.user = 0};
    tg_try(tg_gitea_resolve(worker, flight->conf, tg_text_n(flight->secret, flight->secret_len), &entry->answer, &user));
    entry->user = user.id;
    entry->is_listed = is_listed(flight->conf, user.login);
    note_listed(flight);
    return entry->answer == TG_RESOLVED_UNAVAILABLE ? TG_FAILED : 0;
}

/* For users that no credential row names. The number first: what is read behind it is not older. */
static int find_account(struct tg_flight *flight, struct tg_worker *worker)
{
    struct tg_credential_entry *entry = &flight->credential;
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    tg_try(tg_change_last(store, &flight->change));
    if (entry->user <= 0 || tg_try(tg_member_account(store, flight->conf->host, entry->user, entry->account)) > 0)
        entry->account[0] = '\0';
    return 0;
}

static void take_known(struct tg_flight *flight, const struct tg_credential *known)
{
    flight->credential = (struct tg_credential_entry){.answer = TG_RESOLVED_USER, .user = known->gitea_user};
    memcpy(flight->credential.account, known->account, sizeof(known->account));
    flight->change = known->change;
}

/* Who is nobody of ours may be let through by name, and names are Gitea's to tell. */
static bool needs_name(const struct tg_flight *flight, const struct tg_credential *known)
{
    return known->account[0] == '\0' && known->gitea_user > 0 && flight->conf->unmanaged_users.count != 0;
}

static int find_owner(struct tg_flight *flight, struct tg_worker *worker)
{
    struct tg_credential_entry *entry = &flight->credential;
    struct tg_account account;
    struct tg_store *store;

    *entry = (struct tg_credential_entry){.answer = TG_RESOLVED_USER};
    tg_try(tg_worker_store(worker, &store));
    tg_try(tg_change_last(store, &flight->change));
    if (tg_try(tg_account_find_login(store, tg_text(flight->owner), &account)) > 0 ||
        tg_try(tg_member_user(store, flight->conf->host, account.id, &entry->user)) > 0)
        return 0; /* an organisation, or nobody of ours */
    memcpy(entry->account, account.id, sizeof(entry->account));
    return 0;
}

static int resolve_credential(struct tg_flight *flight, struct tg_worker *worker)
{
    uint8_t digest[TG_DIGEST];
    struct tg_credential known;
    bool listed;

    if (flight->owner[0] != '\0')
        return find_owner(flight, worker);
    if (flight->named_user != 0) {
        flight->credential = (struct tg_credential_entry){.answer = TG_RESOLVED_USER, .user = flight->named_user};
        tg_try(find_account(flight, worker));
        flight->credential.is_listed = flight->credential.account[0] == '\0' && was_listed(flight, flight->named_user);
        return 0;
    }
    tg_digest(tg_text_n(flight->secret, flight->secret_len), digest);
    if (tg_try(tg_cache_credential(worker, flight->conf->host, digest, &known)) == 0 && !needs_name(flight, &known)) {
        take_known(flight, &known);
        return 0;
    }
    if (!flight->ask_gitea) {
        flight->ask_gitea = true;
        return 0;
    }
    tg_try(ask_gitea(flight, worker));
    if (flight->credential.answer != TG_RESOLVED_USER)
        return find_account(flight, worker);
    listed = flight->credential.is_listed;
    tg_try(tg_cache_credential_keep(worker, flight->conf->host, digest, flight->credential.user, &known));
    take_known(flight, &known);
    flight->credential.is_listed = listed && known.account[0] == '\0';
    return 0;
}

static void work(struct tg_job *job, void *worker)
{
    struct tg_flight *flight = H2O_STRUCT_FROM_MEMBER(struct tg_flight, job, job);
    bool second_leg = flight->ask_gitea;
    int result;

    if (second_leg && tg_monotonic_ms() - flight->asked_ms >= WAIT_MS) { /* nobody waits for it any more */
        flight->ok = flight->ask_gitea = false;
        return;
    }
    result = flight->is_credential ? resolve_credential(flight, worker) : read_facts(flight, worker);
    flight->ok = result >= 0;
    if (result < 0)
        tg_log(TG_LOG_WARN, flight->is_credential ? "credential-unresolved" : "facts-unread", "instance",
               flight->conf != NULL ? flight->conf->host : NULL, "why", tg_failure(), NULL);
    if (second_leg || result < 0)
        flight->ask_gitea = false;
}

/* Whoever asked the same meanwhile, on another loop, has the same answer. */
static void conclude(struct tg_flight *flight)
{
    struct tg_front *front = flight->part->front;
    struct tg_flight *follower = NULL, *next;

    if (flight->is_asking) {
        struct tg_flight **slot = &front->asking;

        pthread_mutex_lock(&front->asking_lock);
        while (*slot != flight)
            slot = &(*slot)->asking_next;
        *slot = flight->asking_next;
        flight->is_asking = false;
        follower = flight->followers;
        flight->followers = NULL;
        pthread_mutex_unlock(&front->asking_lock);
    }
    for (; follower != NULL; follower = next) {
        next = follower->asking_next;
        follower->ok = flight->ok;
        follower->credential = flight->credential;
        follower->change = flight->change;
        follower->ask_gitea = false;
        tg_loop_send(follower->part->loop->loop, &follower->message);
    }
    tg_loop_send(flight->part->loop->loop, &flight->message);
}

/* false: the same is being asked already, and its answer will be this one's, too. */
static bool begin_asking(struct tg_flight *flight)
{
    struct tg_front *front = flight->part->front;
    struct tg_flight *other;
    bool is_first;

    pthread_mutex_lock(&front->asking_lock);
    for (other = front->asking; other != NULL; other = other->asking_next)
        if (memcmp(other->key, flight->key, TG_TABLE_KEY) == 0)
            break;
    is_first = flight->is_asking = other == NULL;
    flight->asking_next = is_first ? front->asking : other->followers;
    *(is_first ? &front->asking : &other->followers) = flight;
    pthread_mutex_unlock(&front->asking_lock);
    return is_first;
}

/* What the database does not know is asked of Gitea, in the pool for that: the database's answers never wait behind it. */
static void finish(struct tg_job *job)
{
    struct tg_flight *flight = H2O_STRUCT_FROM_MEMBER(struct tg_flight, job, job);
    struct tg_ask_rate *rate = flight->part->front->ask_rate;

    if (!flight->ok || !flight->is_credential || !flight->ask_gitea) {
        conclude(flight);
        return;
    }
    if (!begin_asking(flight))
        return;
    flight->is_limited = !tg_ask_rate_take(rate, flight->instance, flight->conf->resolve_rate, flight->address);
    if (flight->is_limited || flight->resolve_pool == NULL || tg_pool_submit(flight->resolve_pool, job) != 0) {
        flight->ok = flight->ask_gitea = false;
        conclude(flight);
    }
}

/* ---- on the loop */

static int submit(struct tg_flight *flight)
{
    struct tg_pool *pool = flight->part->front->options.pools->of[TG_POOL_COLD];

    flight->ok = false;
    return pool != NULL ? tg_pool_submit(pool, &flight->job) : TG_FAILED;
}

static void flight_free(struct tg_flight *flight)
{
    if ((*flight->slot = flight->next) != NULL)
        flight->next->slot = flight->slot;
    if (flight->secret != NULL) {
        sodium_memzero(flight->secret, flight->secret_len);
        free(flight->secret);
    }
    free(flight);
}

/* false: a change has overtaken it; it has to be read again. */
static bool keep_credential(struct tg_flight *flight)
{
    struct tg_front_loop *part = flight->part;
    struct tg_credential_entry *entry = &flight->credential;
    uint64_t keep = KEEP_USER_MS;

    if (flight->change < flight->least_change)
        return false;
    if (entry->answer == TG_RESOLVED_INVALID)
        keep = KEEP_INVALID_MS;
    else if (entry->answer == TG_RESOLVED_PROHIBITED)
        keep = KEEP_PROHIBITED_MS;
    else if (entry->account[0] == '\0')
        keep = KEEP_UNMANAGED_MS;
    entry->until_ms = h2o_now(part->loop->context.loop) + keep;
    *(struct tg_credential_entry *)tg_table_put(&part->credentials, flight->key) = *entry;
    return true;
}

static bool keep(struct tg_flight *flight)
{
    if (flight->is_credential)
        return keep_credential(flight);
    return tg_facts_keep(flight->part, flight->account, &flight->facts, flight->least_change);
}

static void wake_waiters(struct tg_flight *flight, bool ok)
{
    struct waiter *waiter;

    /* each may start other flights, answer its request, and take others of the same connection with it */
    while ((waiter = flight->waiters) != NULL) {
        if ((flight->waiters = waiter->next) != NULL)
            waiter->next->slot = &flight->waiters;
        waiter->flight = NULL;
        if (!waiter->visit->is_gone)
            waiter->on_ready(waiter->visit, ok);
    }
}

void tg_flights_tick(struct tg_front_loop *part, uint64_t now_ms)
{
    struct tg_flight *flight = part->flights;

    while (flight != NULL) {
        bool overdue = now_ms - flight->began_ms >= WAIT_MS && flight->waiters != NULL;

        if (overdue)
            wake_waiters(flight, false);
        flight = overdue ? part->flights : flight->next;
    }
}

static void on_landed(struct tg_message *message)
{
    struct tg_flight *flight = H2O_STRUCT_FROM_MEMBER(struct tg_flight, message, message);

    if (flight->ok && !keep(flight)) {
        if (++flight->tries < READ_AGAIN && submit(flight) == 0)
            return;
        flight->ok = false;
    }
    tg_metric_add(&flight->part->counts.credentials_limited, flight->is_limited);
    wake_waiters(flight, flight->ok);
    flight_free(flight);
}

/* Whose a credential is may change with any account and instance; facts change with their own account. */
static bool concerns(const struct tg_change *change, const struct tg_flight *flight)
{
    if (change->kind == TG_CHANGE_INSTANCE || flight->is_credential)
        return flight->is_credential && (change->kind == TG_CHANGE_INSTANCE || change->kind == TG_CHANGE_ACCOUNT);
    return change->subject[0] == '\0' || strcmp(change->subject, flight->account) == 0;
}

void tg_flights_news(struct tg_front_loop *part, const struct tg_change *change)
{
    for (struct tg_flight *flight = part->flights; flight != NULL; flight = flight->next) {
        if (change == NULL)
            flight->least_change = part->change_known;
        else if (concerns(change, flight))
            flight->least_change = change->number;
    }
}

static void on_waiter_gone(void *data)
{
    struct waiter *waiter = data;

    if (waiter->flight == NULL)
        return;
    if ((*waiter->slot = waiter->next) != NULL)
        waiter->next->slot = waiter->slot;
    waiter->flight = NULL;
}

static void wait_for(struct tg_flight *flight, struct tg_visit *visit, tg_flight_ready on_ready)
{
    struct waiter *waiter = h2o_mem_alloc_pool(&visit->req->pool, sizeof(*waiter));

    *waiter = (struct waiter){.visit = visit, .flight = flight, .on_ready = on_ready, .next = flight->waiters, .slot = &flight->waiters};
    if (flight->waiters != NULL)
        flight->waiters->slot = &waiter->next;
    flight->waiters = waiter;
    tg_visit_on_gone(visit, on_waiter_gone, waiter);
}

static struct tg_flight *find_flight(struct tg_front_loop *part, const uint8_t key[TG_TABLE_KEY], bool is_credential, size_t *count)
{
    *count = 0;
    for (struct tg_flight *flight = part->flights; flight != NULL; flight = flight->next, ++*count)
        if (flight->is_credential == is_credential && memcmp(flight->key, key, TG_TABLE_KEY) == 0)
            return flight;
    return NULL;
}

static struct tg_flight *new_flight(struct tg_front_loop *part, const uint8_t key[TG_TABLE_KEY], bool is_credential)
{
    struct tg_flight *flight = tg_alloc(sizeof(*flight));

    flight->job = (struct tg_job){.work = work, .finish = finish};
    flight->message.run = on_landed;
    flight->part = part;
    flight->is_credential = is_credential;
    flight->began_ms = h2o_now(part->loop->context.loop);
    flight->asked_ms = tg_monotonic_ms();
    memcpy(flight->key, key, TG_TABLE_KEY);
    if ((flight->next = part->flights) != NULL)
        flight->next->slot = &flight->next;
    flight->slot = &part->flights;
    part->flights = flight;
    return flight;
}

static int start_flight(struct tg_flight *flight, struct tg_visit *visit, tg_flight_ready on_ready)
{
    if (submit(flight) != 0) {
        tg_metric_add(&flight->part->counts.waits_refused, 1);
        flight_free(flight);
        return TG_FLIGHT_REFUSED;
    }
    wait_for(flight, visit, on_ready);
    return 0;
}

int tg_facts_await(struct tg_visit *visit, const char *account, tg_flight_ready on_ready)
{
    struct tg_front_loop *part = tg_front_of(visit);
    uint8_t key[TG_TABLE_KEY];
    struct tg_flight *flight;
    size_t count;

    tg_facts_key(account, key);
    if ((flight = find_flight(part, key, false, &count)) != NULL) {
        wait_for(flight, visit, on_ready);
        return 0;
    }
    if (count >= FLIGHTS_MAX)
        return TG_FLIGHT_REFUSED;
    flight = new_flight(part, key, false);
    memcpy(flight->account, account, strnlen(account, TG_ID - 1));
    return start_flight(flight, visit, on_ready);
}

/* One that is under way already, or a new one; NULL: too much is under way. */
static struct tg_flight *credential_flight(struct tg_visit *visit, const uint8_t key[TG_TABLE_KEY], bool *is_new)
{
    struct tg_front_loop *part = tg_front_of(visit);
    struct tg_flight *flight;
    size_t count;

    *is_new = false;
    if ((flight = find_flight(part, key, true, &count)) != NULL || count >= FLIGHTS_MAX)
        return flight;
    *is_new = true;
    flight = new_flight(part, key, true);
    flight->conf = tg_front_host_of(visit)->conf;
    flight->instance = tg_front_host_of(visit)->index;
    flight->resolve_pool = part->front->options.pools->of[TG_POOL_RESOLVE];
    memcpy(flight->address, visit->address, sizeof(flight->address));
    return flight;
}

int tg_owner_await(struct tg_visit *visit, const char *owner, const uint8_t key[TG_TABLE_KEY], tg_flight_ready on_ready)
{
    bool is_new;
    struct tg_flight *flight = credential_flight(visit, key, &is_new);

    if (flight == NULL)
        return TG_FLIGHT_REFUSED;
    if (!is_new) {
        wait_for(flight, visit, on_ready);
        return 0;
    }
    memcpy(flight->owner, owner, strnlen(owner, sizeof(flight->owner) - 1));
    return start_flight(flight, visit, on_ready);
}

int tg_credential_await(struct tg_visit *visit, const struct tg_presented *presented, const uint8_t key[TG_TABLE_KEY],
                        tg_flight_ready on_ready)
{
    bool is_new;
    struct tg_flight *flight = credential_flight(visit, key, &is_new);

    if (flight == NULL)
        return TG_FLIGHT_REFUSED;
    if (!is_new) {
        wait_for(flight, visit, on_ready);
        return 0;
    }
    flight->named_user = presented->gitea_user;
    flight->secret_len = presented->secret.len;
    flight->secret = tg_alloc(flight->secret_len + 1);
    memcpy(flight->secret, presented->secret.base, flight->secret_len);
    tg_metric_add(&flight->part->counts.credentials_asked, 1);
    return start_flight(flight, visit, on_ready);
}
