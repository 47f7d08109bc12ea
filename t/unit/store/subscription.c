#include "stored.h"
#include "store/subscription.h"

static struct tg_facts facts_of(struct stored *s, const char *account)
{
    struct tg_facts facts;

    assert_result(0, tg_facts_read(&s->store, account, &facts));
    return facts;
}

static void an_account_without_a_subscription_has_facts(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "Ada");
    struct tg_facts facts = facts_of(s, ada.id);

    assert_string_equal(facts.account, ada.id);
    assert_string_equal(facts.login, "Ada");
    assert_string_equal(facts.zone, "Europe/Berlin");
    assert_int_equal(facts.change, 1);
    assert_false(facts.subscribed);
    assert_int_equal(facts.hold, TG_HOLD_NONE);
}

static void nobody_has_no_facts_but_a_snapshot(void **state)
{
    struct stored *s = *state;
    struct tg_facts facts;

    stored_account(&s->store, "ada");
    assert_result(TG_ACCOUNT_UNKNOWN, tg_facts_read(&s->store, "nobody", &facts));
    assert_int_equal(facts.change, 1);
    assert_result(TG_ACCOUNT_UNKNOWN, tg_subscription_set(&s->store, "nobody", 5));
    assert_result(TG_ACCOUNT_UNKNOWN, tg_hold_place(&s->store, "nobody", TG_HOLD_ADMIN, TG_HOLD_BLOCKED, ""));
    assert_result(TG_HOLD_UNKNOWN, tg_hold_lift(&s->store, "nobody", TG_HOLD_ADMIN));
    assert_int_equal(last_change(&s->store), 1);
}

static void the_end_of_a_subscription_is_kept_and_told(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada"), bob = stored_account(&s->store, "bob");
    int64_t before = last_change(&s->store);

    assert_result(0, tg_subscription_set(&s->store, ada.id, 4102444800));
    assert_one_change(&s->store, before, TG_CHANGE_SUBSCRIPTION, ada.id);
    assert_true(facts_of(s, ada.id).subscribed);
    assert_int_equal(facts_of(s, ada.id).paid_until_s, 4102444800);
    assert_int_equal(facts_of(s, ada.id).change, before + 1);
    assert_result(0, tg_subscription_set(&s->store, ada.id, 1000)); /* again: replaced */
    assert_int_equal(facts_of(s, ada.id).paid_until_s, 1000);
    assert_false(facts_of(s, bob.id).subscribed);
}

static void the_worst_hold_is_in_force(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada");
    int64_t before = last_change(&s->store);

    assert_result(0, tg_hold_place(&s->store, ada.id, TG_HOLD_NONPAYMENT, TG_HOLD_READONLY, "unpaid"));
    assert_one_change(&s->store, before, TG_CHANGE_HOLD, ada.id);
    assert_int_equal(facts_of(s, ada.id).hold, TG_HOLD_READONLY);
    assert_int_equal(facts_of(s, ada.id).hold_kind, TG_HOLD_NONPAYMENT);
    assert_true(facts_of(s, ada.id).hold_since_s > 0);

    assert_result(0, tg_hold_place(&s->store, ada.id, TG_HOLD_GITEA, TG_HOLD_BLOCKED, "prohibited there"));
    assert_int_equal(facts_of(s, ada.id).hold, TG_HOLD_BLOCKED);
    assert_int_equal(facts_of(s, ada.id).hold_kind, TG_HOLD_GITEA);

    before = last_change(&s->store);
    assert_result(0, tg_hold_lift(&s->store, ada.id, TG_HOLD_GITEA));
    assert_one_change(&s->store, before, TG_CHANGE_HOLD, ada.id);
    assert_int_equal(facts_of(s, ada.id).hold, TG_HOLD_READONLY);
    assert_result(TG_HOLD_UNKNOWN, tg_hold_lift(&s->store, ada.id, TG_HOLD_GITEA));
    assert_result(0, tg_hold_lift(&s->store, ada.id, TG_HOLD_NONPAYMENT));
    assert_int_equal(facts_of(s, ada.id).hold, TG_HOLD_NONE);
}

static void a_hold_placed_again_changes_its_level_and_keeps_its_beginning(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada");

    assert_result(0, tg_hold_place(&s->store, ada.id, TG_HOLD_ABUSE, TG_HOLD_READONLY, "first"));
    assert_result(0, tg_db_run(s->store.truth, "UPDATE hold SET since_s = 1000", NULL, 0, NULL));
    assert_result(0, tg_hold_place(&s->store, ada.id, TG_HOLD_ABUSE, TG_HOLD_BLOCKED, "second"));
    assert_int_equal(facts_of(s, ada.id).hold, TG_HOLD_BLOCKED);
    assert_int_equal(facts_of(s, ada.id).hold_since_s, 1000);
    assert_result(TG_FAILED, tg_hold_place(&s->store, ada.id, TG_HOLD_ABUSE, TG_HOLD_NONE, "no hold is no hold"));
}

static void what_a_later_release_wrote_is_read_as_the_worst(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada");

    assert_result(0, tg_hold_place(&s->store, ada.id, TG_HOLD_QUOTA, TG_HOLD_BLOCKED, ""));
    assert_result(0, tg_db_run(s->store.truth, "UPDATE hold SET kind = 'kind-of-next-year'", NULL, 0, NULL));
    assert_int_equal(facts_of(s, ada.id).hold, TG_HOLD_BLOCKED);
    assert_int_equal(facts_of(s, ada.id).hold_kind, TG_HOLD_ADMIN);
}

static void kinds_have_names(void **state)
{
    assert_string_equal(tg_hold_kind_name(TG_HOLD_NONPAYMENT), "nonpayment");
    assert_string_equal(tg_hold_kind_name(TG_HOLD_ADMIN), "admin");
    assert_string_equal(tg_hold_kind_name(TG_HOLD_GITEA), "gitea");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(an_account_without_a_subscription_has_facts),
        stored_test(nobody_has_no_facts_but_a_snapshot),
        stored_test(the_end_of_a_subscription_is_kept_and_told),
        stored_test(the_worst_hold_is_in_force),
        stored_test(a_hold_placed_again_changes_its_level_and_keeps_its_beginning),
        stored_test(what_a_later_release_wrote_is_read_as_the_worst),
        cmocka_unit_test(kinds_have_names),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
