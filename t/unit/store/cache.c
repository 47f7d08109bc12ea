/* The cache in memory, and what is read while it changes. */
#include "node.h"
#include <pthread.h>
#include <stdatomic.h>
#include "store/instance.h"

#define HOST "git.example"

/* ---- memory */

static void a_worker_without_a_cache_asks_the_database(void **state)
{
    struct rig *rig = *state;
    struct node node = {.worker = tg_worker_new(rig->stored->directory)};
    struct tg_credential credential;
    uint8_t digest[TG_DIGEST] = {1};

    assert_int_equal(paid_until(&node, rig->ada.id), 1000);
    assert_result(TG_CREDENTIAL_UNKNOWN, tg_cache_credential(node.worker, HOST, digest, &credential));
    assert_result(0, tg_cache_credential_keep(node.worker, HOST, digest, 7, &credential));
    assert_int_equal(credential.gitea_user, 7);
    tg_worker_free(node.worker);
}

static void facts_are_read_once_and_again_after_a_change(void **state)
{
    struct rig *rig = alone(state);

    assert_int_equal(paid_until(&rig->here, rig->ada.id), 1000);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 1000);
    assert_facts_from(&rig->here, 1, 0, 1);
    int64_t before = change_it(rig, 2000);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 1000); /* nobody has told it yet */
    hear(rig, &rig->here, before);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 2000);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 2000);
    assert_facts_from(&rig->here, 3, 0, 2);
}

static void a_change_of_another_account_forgets_nothing(void **state)
{
    struct rig *rig = alone(state);
    struct tg_account bob = stored_account(rig->store, "bob");

    hear(rig, &rig->here, 0);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 1000);
    int64_t before = last_change(rig->store);
    assert_result(0, tg_subscription_set(rig->store, bob.id, 5));
    hear(rig, &rig->here, before);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 1000);
    assert_facts_from(&rig->here, 1, 0, 1);
}

static void nobody_is_told_as_nobody(void **state)
{
    struct rig *rig = alone(state);
    struct tg_facts facts;

    assert_result(TG_ACCOUNT_UNKNOWN, tg_cache_facts(rig->here.worker, "nobody", &facts));
    assert_int_equal(facts.change, last_change(rig->store));
}

static void nothing_is_trusted_while_changes_are_not_followed(void **state)
{
    struct rig *rig = alone(state);

    assert_int_equal(paid_until(&rig->here, rig->ada.id), 1000);
    tg_cache_trust(rig->here.cache, tg_monotonic_ms() - 1);
    change_it(rig, 2000);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 2000);
    tg_cache_forget(rig->here.cache, last_change(rig->store)); /* and what was read meanwhile is not kept */
    tg_cache_trust(rig->here.cache, INT64_MAX);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 2000);
    assert_facts_from(&rig->here, 0, 0, 3);
}

static void floors_that_are_forgotten_make_nothing_good_again(void **state)
{
    struct tg_cache_table *table = tg_cache_table_new(64);
    struct tg_cache_entry entry = {.change = 4, .until_ms = INT64_MAX}, out;
    char account[TG_ID];

    (void)state;
    tg_cache_table_raise(table, "ada", 5);
    for (int i = 0; i < 20000; i++) {
        snprintf(account, sizeof(account), "account%d", i);
        tg_cache_table_raise(table, account, 6 + i);
    }
    assert_true(tg_cache_table_floor(table, "ada") >= 5);
    for (int i = 0; i < 20000; i++) {
        snprintf(account, sizeof(account), "account%d", i);
        assert_true(tg_cache_table_floor(table, account) >= 6 + i);
    }
    memcpy(entry.account, "ada", 4);
    tg_cache_table_put(table, &entry);
    assert_int_equal(tg_cache_table_find(table, entry.name, 1, &out), TG_CACHE_ABSENT);
    tg_cache_table_clear(table, 3); /* an older database was put back: its numbers count */
    assert_int_equal(tg_cache_table_floor(table, "ada"), 3);
    tg_cache_table_put(table, &entry);
    assert_int_equal(tg_cache_table_find(table, entry.name, 1, &out), 0);
    tg_cache_table_free(table);
}

static void a_full_table_lets_the_oldest_go(void **state)
{
    struct tg_cache_table *table = tg_cache_table_new(64);
    struct tg_cache_entry entry = {.change = 1, .until_ms = INT64_MAX, .account = "a"}, out;
    int found = 0;

    (void)state;
    for (int i = 0; i < 5; i++) { /* one place too many */
        memcpy(entry.name + 8, &i, sizeof(i));
        tg_cache_table_put(table, &entry);
        found = 0;
        assert_int_equal(tg_cache_table_find(table, entry.name, 1, &out), 0);
    }
    for (int i = 0; i < 5; i++) {
        memcpy(entry.name + 8, &i, sizeof(i));
        found += tg_cache_table_find(table, entry.name, 1, &out) == 0;
    }
    assert_int_equal(found, 4);
    entry.change = 0; /* the newer stays */
    tg_cache_table_put(table, &entry);
    assert_int_equal(tg_cache_table_find(table, entry.name, 1, &out), 0);
    assert_int_equal(out.change, 1);
    tg_cache_table_free(table);
}

/* ---- fills that are overtaken */

static void a_fill_that_a_change_overtakes_is_read_again(void **state)
{
    struct rig *rig = *state;
    struct reader reader = {.account = rig->ada.id};

    rig->here = slow_node(rig);
    reader.node = &rig->here;
    pthread_create(&reader.thread, NULL, read_it, &reader);
    redis_pause_ms(100);
    int64_t before = change_it(rig, 2000);
    hear(rig, &rig->here, before);
    pthread_join(reader.thread, NULL);
    assert_int_equal(reader.paid_until_s, 2000);
    assert_int_equal(stats_of(&rig->here).stale, 1);
    assert_int_equal(paid_until(&rig->here, rig->ada.id), 2000);
}

/* ---- credentials */

static void a_credential_is_known_until_its_user_changes_hands(void **state)
{
    struct rig *rig = alone(state);
    struct tg_account bob = stored_account(rig->store, "bob");
    struct tg_instance instance = {.host = HOST, .source_name = "teagate"};
    struct tg_credential credential;
    uint8_t digest[TG_DIGEST] = {7}, other[TG_DIGEST] = {8};

    assert_result(0, tg_instance_put(rig->store, &instance));
    assert_result(0, tg_member_put(rig->store, HOST, rig->ada.id, 5));
    hear(rig, &rig->here, 0);
    assert_result(TG_CREDENTIAL_UNKNOWN, tg_cache_credential(rig->here.worker, HOST, digest, &credential));
    assert_result(0, tg_cache_credential_keep(rig->here.worker, HOST, digest, 5, &credential));
    assert_result(0, tg_cache_credential(rig->here.worker, HOST, digest, &credential));
    assert_int_equal(credential.gitea_user, 5);
    assert_string_equal(credential.account, rig->ada.id);
    assert_int_equal(stats_of(&rig->here).credentials[TG_CACHE_MEMORY], 1);
    assert_result(TG_CREDENTIAL_UNKNOWN, tg_cache_credential(rig->here.worker, HOST, other, &credential));
    assert_result(TG_CREDENTIAL_UNKNOWN, tg_cache_credential(rig->here.worker, "other.example", digest, &credential));

    int64_t before = last_change(rig->store);
    assert_result(0, tg_member_put(rig->store, HOST, bob.id, 5)); /* the user is bob's now */
    hear(rig, &rig->here, before);
    assert_result(0, tg_cache_credential(rig->here.worker, HOST, digest, &credential));
    assert_string_equal(credential.account, bob.id);
}

static void what_is_nobodys_is_not_remembered(void **state)
{
    struct rig *rig = alone(state);
    struct tg_instance instance = {.host = HOST, .source_name = "teagate"};
    struct tg_credential credential;
    uint8_t digest[TG_DIGEST] = {7};

    assert_result(0, tg_instance_put(rig->store, &instance));
    assert_result(0, tg_cache_credential_keep(rig->here.worker, HOST, digest, 5, &credential));
    assert_string_equal(credential.account, "");
    assert_result(0, tg_member_put(rig->store, HOST, rig->ada.id, 5));
    assert_result(0, tg_cache_credential(rig->here.worker, HOST, digest, &credential)); /* before any news */
    assert_string_equal(credential.account, rig->ada.id);
}

/* ---- many threads */

enum { READERS = 3, ACCOUNTS = 8, ROUNDS = 300 };

struct crowd {
    struct rig *rig;
    char accounts[ACCOUNTS][TG_ID];
    _Atomic int64_t told[ACCOUNTS]; /* the end that everybody must have seen */
    _Atomic bool over;
    _Atomic int wrong, answers;
};

static void *read_many(void *argument)
{
    struct crowd *crowd = argument;
    struct tg_worker *worker = tg_worker_new_cached(&crowd->rig->here.options);
    struct tg_facts facts;

    for (unsigned i = 0; !atomic_load(&crowd->over); i++) {
        int64_t least = atomic_load(&crowd->told[i % ACCOUNTS]);

        if (tg_cache_facts(worker, crowd->accounts[i % ACCOUNTS], &facts) != 0 || facts.paid_until_s < least)
            atomic_fetch_add(&crowd->wrong, 1);
        atomic_fetch_add(&crowd->answers, 1);
    }
    tg_worker_free(worker);
    return NULL;
}

static void run_crowd(struct rig *rig)
{
    struct crowd crowd = {.rig = rig};
    pthread_t threads[READERS];

    for (int i = 0; i < ACCOUNTS; i++) {
        char login[8];

        snprintf(login, sizeof(login), "user%d", i);
        memcpy(crowd.accounts[i], stored_account(rig->store, login).id, TG_ID);
    }
    hear(rig, &rig->here, 0);
    for (int i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, read_many, &crowd);
    for (int i = 1; i <= ROUNDS; i++) {
        int64_t before = last_change(rig->store);

        assert_result(0, tg_subscription_set(rig->store, crowd.accounts[i % ACCOUNTS], i));
        hear(rig, &rig->here, before);
        atomic_store(&crowd.told[i % ACCOUNTS], i);
    }
    atomic_store(&crowd.over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.wrong, 0);
    assert_true(crowd.answers > ROUNDS);
}

static void nobody_gets_what_is_older_than_the_news(void **state)
{
    run_crowd(alone(state));
}

static void nobody_gets_it_out_of_redis_either(void **state)
{
    struct rig *rig = with_redis(state);

    run_crowd(rig);
    assert_true(stats_of(&rig->here).facts[TG_CACHE_MEMORY] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(a_worker_without_a_cache_asks_the_database),
        rig_test(facts_are_read_once_and_again_after_a_change),
        rig_test(a_change_of_another_account_forgets_nothing),
        rig_test(nobody_is_told_as_nobody),
        rig_test(nothing_is_trusted_while_changes_are_not_followed),
        cmocka_unit_test(floors_that_are_forgotten_make_nothing_good_again),
        cmocka_unit_test(a_full_table_lets_the_oldest_go),
        rig_test(a_fill_that_a_change_overtakes_is_read_again),
        rig_test(a_credential_is_known_until_its_user_changes_hands),
        rig_test(what_is_nobodys_is_not_remembered),
        rig_test(nobody_gets_what_is_older_than_the_news),
        rig_test(nobody_gets_it_out_of_redis_either),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
