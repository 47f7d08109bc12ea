/*
 * provision.c - an account's user in Gitea exists and is the right one, before a code goes out
 *
 * Gitea lets one subject have two users (its API does not mind), so whoever looks up and then makes one does that alone: a lock
 * in this process, and after a refused attempt a second look, because another generation of the front may have been faster.
 */
#include "gitea/provision.h"
#include <pthread.h>
#include <time.h>
#include "base/result.h"
#include "store/instance.h"

enum { LOCKS = 16, LOCK_WAIT_S = 2 };

static pthread_mutex_t locks[LOCKS] = {[0 ... LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER};

static pthread_mutex_t *take_lock(const char *account_id)
{
    pthread_mutex_t *lock = &locks[(unsigned char)account_id[0] % LOCKS]; /* ids are random */
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOCK_WAIT_S;
    return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until) == 0 ? lock : NULL;
}

static int find_or_make(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_instance *instance,
                        const struct tg_account *account, struct tg_gitea_user *user)
{
    struct tg_gitea_new_user wanted = {instance->source_id, account->sub, account->login, account->email, account->full_name};
    int result = tg_try(tg_gitea_user_by_sub(worker, conf, instance->source_id, account->sub, user));

    if (result != TG_GITEA_UNKNOWN)
        return result == 0 ? 0 : TG_PROVISION_UNAVAILABLE;
    result = tg_try(tg_gitea_user_add(worker, conf, &wanted, user));
    if (result == 0)
        return 0;
    if (result != TG_GITEA_TAKEN)
        return TG_PROVISION_UNAVAILABLE;
    result = tg_try(tg_gitea_user_by_sub(worker, conf, instance->source_id, account->sub, user));
    if (result == TG_GITEA_UNKNOWN)
        return TG_PROVISION_CLASH;
    return result == 0 ? 0 : TG_PROVISION_UNAVAILABLE;
}

/*
 * known: whom the account has been in this Gitea so far; 0: nobody. If the user found by our source and subject is on record for
 * another account, that record is the stale one (a Gitea that was put up anew counts from one again): tg_member_put voids it.
 */
static int confirm(struct tg_store *store, const struct tg_gitea_conf *conf, const struct tg_account *account, int64_t known,
                   const struct tg_gitea_user *user)
{
    if (known != 0)
        return known == user->id ? 0 : TG_PROVISION_FOREIGN;
    return tg_try(tg_member_put(store, conf->host, account->id, user->id)) == 0 ? 0 : TG_PROVISION_FOREIGN;
}

static int provision(struct tg_worker *worker, struct tg_store *store, const struct tg_gitea_conf *conf,
                     const struct tg_account *account)
{
    struct tg_instance instance;
    struct tg_gitea_user user = {0};
    int64_t known = 0;
    int result;

    if (tg_try(tg_instance_find(store, conf->host, &instance)) != 0 || instance.source_id <= 0)
        return TG_PROVISION_NOT_SET_UP;
    if (tg_try(tg_member_user(store, conf->host, account->id, &known)) != 0)
        known = 0;
    if (known == 0) {
        result = tg_try(find_or_make(worker, conf, &instance, account, &user));
        return result == 0 ? confirm(store, conf, account, known, &user) : result;
    }

    /* Known, but not there any more: deleted, or its login name was changed. Not made anew: its id would be another. */
    result = tg_try(tg_gitea_user_by_sub(worker, conf, instance.source_id, account->sub, &user));
    if (result == TG_GITEA_UNKNOWN)
        return TG_PROVISION_FOREIGN;
    return result == 0 ? confirm(store, conf, account, known, &user) : TG_PROVISION_UNAVAILABLE;
}

int tg_provision(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_account *account)
{
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    pthread_mutex_t *lock = take_lock(account->id);
    if (lock == NULL) {
        tg_fail("another sign-in of the same account waits for Gitea %s", conf->host);
        return TG_PROVISION_UNAVAILABLE;
    }
    int result = provision(worker, store, conf, account);
    pthread_mutex_unlock(lock);
    return result;
}
