#include "stored.h"
#include "base/clock.h"
#include "store/client.h"
#include "store/flag.h"
#include "store/instance.h"
#include "store/subscription.h"

static const char host[] = "localhost:8443";

static void put_instance(struct stored *s)
{
    struct tg_instance instance = {.source_id = 4, .source_name = "teagate"};

    memcpy(instance.host, host, sizeof(host));
    assert_result(0, tg_instance_put(&s->store, &instance));
}

static int64_t user_of(struct stored *s, const struct tg_account *account)
{
    int64_t user;

    return tg_member_user(&s->store, host, account->id, &user) == 0 ? user : -1;
}

static void an_instance_comes_back_as_it_was(void **state)
{
    struct stored *s = *state;
    struct tg_client client = {.instance = "localhost:8443"};
    struct tg_instance instance = {.host = "localhost:8443", .source_id = 9, .source_name = "other"}, found;

    put_instance(s);
    assert_one_change(&s->store, 0, TG_CHANGE_INSTANCE, host);
    assert_result(0, tg_instance_find(&s->store, host, &found));
    assert_int_equal(found.source_id, 4);
    assert_string_equal(found.source_name, "teagate");
    assert_string_equal(found.client, "");

    assert_result(0, tg_client_add(&s->store, &client));
    memcpy(instance.client, client.id, sizeof(client.id));
    assert_result(0, tg_instance_put(&s->store, &instance)); /* again: replaced */
    assert_result(0, tg_instance_find(&s->store, host, &found));
    assert_int_equal(found.source_id, 9);
    assert_string_equal(found.source_name, "other");
    assert_string_equal(found.client, client.id);
    memcpy(instance.client, "nobody", 7);
    assert_result(TG_FAILED, tg_instance_put(&s->store, &instance)); /* of a client that there is not */
    assert_result(TG_INSTANCE_UNKNOWN, tg_instance_find(&s->store, "localhost", &found));
}

static void members_are_mapped_both_ways(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada"), bob = stored_account(&s->store, "bob");
    char account[TG_ID];
    int64_t before;

    assert_result(TG_MEMBER_UNKNOWN, tg_member_put(&s->store, host, ada.id, 7)); /* no instance yet */
    put_instance(s);
    assert_result(TG_MEMBER_UNKNOWN, tg_member_put(&s->store, host, "nobody", 7));
    before = last_change(&s->store);
    assert_result(0, tg_member_put(&s->store, host, ada.id, 7));
    assert_one_change(&s->store, before, TG_CHANGE_ACCOUNT, ada.id);
    assert_int_equal(user_of(s, &ada), 7);
    assert_int_equal(user_of(s, &bob), -1);
    assert_result(0, tg_member_account(&s->store, host, 7, account));
    assert_string_equal(account, ada.id);
    assert_result(TG_MEMBER_UNKNOWN, tg_member_account(&s->store, host, 8, account));
    assert_result(TG_MEMBER_UNKNOWN, tg_member_account(&s->store, "elsewhere", 7, account));
}

static void what_is_known_already_writes_nothing(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada");
    struct tg_store holder;

    put_instance(s);
    assert_result(0, tg_member_put(&s->store, host, ada.id, 7));
    int64_t before = last_change(&s->store);
    assert_result(0, tg_store_open(s->directory, &holder));
    assert_result(0, tg_db_begin_write(holder.truth));
    assert_result(0, tg_member_put(&s->store, host, ada.id, 7)); /* does not wait for the writer either */
    tg_store_close(&holder);
    assert_int_equal(last_change(&s->store), before);
}

static void a_new_mapping_replaces_both_old_ones(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada"), bob = stored_account(&s->store, "bob");
    struct tg_change changes[4];
    size_t count;
    char account[TG_ID];

    put_instance(s);
    assert_result(0, tg_member_put(&s->store, host, ada.id, 7));
    assert_result(0, tg_member_put(&s->store, host, bob.id, 8));
    int64_t before = last_change(&s->store);
    assert_result(0, tg_member_put(&s->store, host, ada.id, 8));
    assert_int_equal(user_of(s, &ada), 8);
    assert_int_equal(user_of(s, &bob), -1);
    assert_result(TG_MEMBER_UNKNOWN, tg_member_account(&s->store, host, 7, account));
    assert_result(0, tg_change_after(&s->store, before, changes, 4, &count));
    assert_int_equal(count, 2); /* both are told */
    assert_string_equal(changes[0].subject, bob.id);
    assert_string_equal(changes[1].subject, ada.id);
}

/* A Gitea that was put up anew: who was the user before is nobody there, neither flagged nor held for it. */
static void who_loses_his_user_loses_its_flag(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada"), bob = stored_account(&s->store, "bob");
    struct tg_facts facts;
    struct tg_flag flag;

    put_instance(s);
    assert_result(0, tg_member_put(&s->store, host, bob.id, 8));
    assert_result(TG_FLAG_UNKNOWN, tg_flag_find(&s->store, host, bob.id, &flag));
    flag.origin = TG_FLAG_FOREIGN;
    flag.observed = true;
    assert_result(0, tg_flag_save(&s->store, &flag));
    assert_result(0, tg_facts_read(&s->store, bob.id, &facts));
    assert_int_equal(facts.hold, TG_HOLD_BLOCKED);
    assert_result(0, tg_member_put(&s->store, host, ada.id, 8));
    assert_result(TG_FLAG_UNKNOWN, tg_flag_find(&s->store, host, bob.id, &flag));
    assert_result(0, tg_facts_read(&s->store, bob.id, &facts));
    assert_int_equal(facts.hold, 0);
}

static void credentials_are_known_per_instance_until_pruned(void **state)
{
    struct stored *s = *state;
    uint8_t digest[TG_DIGEST] = {1}, other[TG_DIGEST] = {2};
    int64_t user = 0;

    assert_result(TG_CREDENTIAL_UNKNOWN, tg_credential_find(&s->store, host, digest, &user));
    assert_result(0, tg_credential_put(&s->store, host, digest, 7));
    assert_result(0, tg_credential_put(&s->store, "elsewhere", digest, 9));
    assert_result(0, tg_credential_find(&s->store, host, digest, &user));
    assert_int_equal(user, 7);
    assert_result(TG_CREDENTIAL_UNKNOWN, tg_credential_find(&s->store, host, other, &user));
    assert_result(0, tg_credential_put(&s->store, host, digest, 8));
    assert_result(0, tg_credential_find(&s->store, host, digest, &user));
    assert_int_equal(user, 8);

    assert_result(0, tg_credential_prune(&s->store, tg_now_s() - 10, 100));
    assert_result(0, tg_credential_find(&s->store, host, digest, &user));
    assert_result(0, tg_credential_prune(&s->store, tg_now_s() + 10, 1));
    int left = tg_credential_find(&s->store, host, digest, &user) == 0;
    left += tg_credential_find(&s->store, "elsewhere", digest, &user) == 0;
    assert_int_equal(left, 1);
    assert_result(0, tg_credential_prune(&s->store, tg_now_s() + 10, 100));
    assert_result(TG_CREDENTIAL_UNKNOWN, tg_credential_find(&s->store, host, digest, &user));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(an_instance_comes_back_as_it_was),
        stored_test(members_are_mapped_both_ways),
        stored_test(what_is_known_already_writes_nothing),
        stored_test(a_new_mapping_replaces_both_old_ones),
        stored_test(who_loses_his_user_loses_its_flag),
        stored_test(credentials_are_known_per_instance_until_pruned),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
