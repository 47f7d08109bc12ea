#include "stored.h"
#include "base/clock.h"
#include "store/flag.h"
#include "store/instance.h"

static const char host[] = "git.example.test";
static const char other[] = "other.example.test";

static void put_instance(struct stored *s, const char *name)
{
    struct tg_instance instance = {.source_id = 4, .source_name = "teagate"};

    snprintf(instance.host, sizeof(instance.host), "%s", name);
    assert_result(0, tg_instance_put(&s->store, &instance));
}

static struct tg_account member(struct stored *s, const char *login, int64_t user)
{
    struct tg_account account = stored_account(&s->store, login);

    assert_result(0, tg_member_put(&s->store, host, account.id, user));
    return account;
}

static struct tg_flag flag_of(struct stored *s, const struct tg_account *account)
{
    struct tg_flag flag;

    assert_result(0, tg_flag_find(&s->store, host, account->id, &flag));
    return flag;
}

static enum tg_hold_level hold_of(struct stored *s, const struct tg_account *account)
{
    struct tg_facts facts;

    assert_result(0, tg_facts_read(&s->store, account->id, &facts));
    return facts.hold != TG_HOLD_NONE && facts.hold_kind == TG_HOLD_GITEA ? facts.hold : TG_HOLD_NONE;
}

static bool is_flagged(struct stored *s, const struct tg_account *account)
{
    struct tg_facts facts;

    assert_result(0, tg_facts_read(&s->store, account->id, &facts));
    return facts.flagged;
}

/* As Gitea was found: prohibited by somebody else. */
static void found_foreign(struct stored *s, const struct tg_account *account)
{
    struct tg_flag flag = flag_of(s, account);

    flag.origin = TG_FLAG_FOREIGN;
    flag.observed = true;
    flag.due_ms = 0;
    assert_result(0, tg_flag_save(&s->store, &flag));
}

static void who_has_no_user_has_no_flag(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada");
    struct tg_flag flag;

    put_instance(s, host);
    assert_result(TG_FLAG_UNKNOWN, tg_flag_want(&s->store, host, ada.id, true, INT64_MAX));
    assert_result(TG_FLAG_UNKNOWN, tg_flag_find(&s->store, host, ada.id, &flag));
    assert_string_equal(flag.host, host); /* fit to be saved */
    assert_string_equal(flag.account, ada.id);
    assert_result(TG_FLAG_UNKNOWN, tg_flag_touch(&s->store, host, ada.id, 1));
}

static void what_is_wanted_is_due_once(void **state)
{
    struct stored *s = *state;
    struct tg_flag flag;

    put_instance(s, host);
    struct tg_account ada = member(s, "ada", 7);
    assert_result(0, tg_flag_want(&s->store, host, ada.id, false, 500));
    assert_int_equal(flag_of(s, &ada).due_ms, 0); /* nobody has to be asked about who may sign in */
    assert_result(TG_FLAG_UNKNOWN, tg_flag_next(&s->store, host, tg_now_ms() + 10, &flag));

    assert_result(0, tg_flag_want(&s->store, host, ada.id, true, 500));
    assert_result(0, tg_flag_next(&s->store, host, tg_now_ms() + 10, &flag));
    assert_string_equal(flag.account, ada.id);
    assert_true(flag.desired);
    flag.observed = true;
    flag.origin = TG_FLAG_OURS;
    flag.due_ms = 0;
    int64_t before = last_change(&s->store);
    assert_result(0, tg_flag_save(&s->store, &flag));
    assert_int_equal(last_change(&s->store), before); /* no verdict changes by it */
    assert_true(is_flagged(s, &ada));

    assert_result(0, tg_flag_want(&s->store, host, ada.id, true, 500)); /* the same again */
    assert_int_equal(flag_of(s, &ada).version, flag.version + 1);
    assert_int_equal(flag_of(s, &ada).due_ms, 0);
    assert_result(0, tg_flag_want(&s->store, host, ada.id, true, 900));
    assert_int_equal(flag_of(s, &ada).due_ms, 0); /* only the time has moved */
    assert_int_equal(flag_of(s, &ada).judge_s, 900);
}

static void a_row_that_was_written_meanwhile_is_left_alone(void **state)
{
    struct stored *s = *state;

    put_instance(s, host);
    struct tg_account ada = member(s, "ada", 7);
    assert_result(0, tg_flag_want(&s->store, host, ada.id, true, INT64_MAX));
    struct tg_flag old = flag_of(s, &ada);
    assert_result(0, tg_flag_want(&s->store, host, ada.id, false, INT64_MAX));
    old.origin = TG_FLAG_FOREIGN;
    assert_result(TG_FLAG_CHANGED, tg_flag_save(&s->store, &old));
    assert_int_equal(flag_of(s, &ada).origin, TG_FLAG_NOBODY);
    assert_int_equal(hold_of(s, &ada), TG_HOLD_NONE);

    struct tg_flag fresh = {.version = 0, .judge_s = INT64_MAX}; /* there is one already */
    memcpy(fresh.host, host, sizeof(host));
    memcpy(fresh.account, ada.id, sizeof(ada.id));
    assert_result(TG_FLAG_CHANGED, tg_flag_save(&s->store, &fresh));
}

static void lifting_comes_before_prohibiting_and_the_oldest_first(void **state)
{
    struct stored *s = *state;
    struct tg_flag flag;

    put_instance(s, host);
    struct tg_account ada = member(s, "ada", 7), bob = member(s, "bob", 8), cid = member(s, "cid", 9);
    const struct tg_account *accounts[] = {&ada, &bob, &cid};
    for (size_t i = 0; i < 3; i++)
        assert_result(0, tg_flag_want(&s->store, host, accounts[i]->id, true, INT64_MAX));
    for (size_t i = 0; i < 3; i++) {
        flag = flag_of(s, accounts[i]);
        flag.due_ms = 3000 - 1000 * (int64_t)i;
        flag.desired = i != 0;
        assert_result(0, tg_flag_save(&s->store, &flag));
    }
    const struct tg_account *order[] = {&ada, &cid, &bob};
    for (size_t i = 0; i < 3; i++) {
        assert_result(0, tg_flag_next(&s->store, host, 5000, &flag));
        assert_string_equal(flag.account, order[i]->id);
        flag.due_ms = 0;
        assert_result(0, tg_flag_save(&s->store, &flag));
    }
    assert_result(TG_FLAG_UNKNOWN, tg_flag_next(&s->store, host, 5000, &flag));
    assert_result(0, tg_flag_touch(&s->store, host, bob.id, 6000));
    assert_result(TG_FLAG_UNKNOWN, tg_flag_next(&s->store, host, 5000, &flag)); /* later */
    assert_result(0, tg_flag_next(&s->store, host, -86400000, &flag));         /* the clock was set back by a day */
    assert_result(TG_FLAG_UNKNOWN, tg_flag_next(&s->store, other, 7000, &flag));
}

static void a_foreign_flag_is_a_hold_as_long_as_it_is_there(void **state)
{
    struct stored *s = *state;

    put_instance(s, host);
    struct tg_account ada = member(s, "ada", 7);
    assert_result(0, tg_flag_want(&s->store, host, ada.id, false, INT64_MAX));
    found_foreign(s, &ada);
    assert_int_equal(hold_of(s, &ada), TG_HOLD_BLOCKED);

    assert_result(0, tg_subscription_set(&s->store, ada.id, tg_now_s() + 86400)); /* a payment changes nothing */
    assert_result(0, tg_flag_want(&s->store, host, ada.id, true, INT64_MAX));
    assert_int_equal(flag_of(s, &ada).origin, TG_FLAG_FOREIGN);
    assert_int_equal(hold_of(s, &ada), TG_HOLD_BLOCKED);

    struct tg_flag flag = flag_of(s, &ada);
    flag.origin = TG_FLAG_NOBODY;
    flag.observed = false;
    assert_result(0, tg_flag_save(&s->store, &flag));
    assert_int_equal(hold_of(s, &ada), TG_HOLD_NONE);
}

static void a_foreign_flag_whose_hold_was_lifted_becomes_ours(void **state)
{
    struct stored *s = *state;

    put_instance(s, host);
    struct tg_account ada = member(s, "ada", 7);
    assert_result(0, tg_flag_want(&s->store, host, ada.id, false, INT64_MAX));
    found_foreign(s, &ada);
    assert_result(0, tg_hold_lift(&s->store, ada.id, TG_HOLD_GITEA));
    assert_result(0, tg_flag_want(&s->store, host, ada.id, false, INT64_MAX));
    assert_int_equal(flag_of(s, &ada).origin, TG_FLAG_OURS);
    assert_true(flag_of(s, &ada).due_ms > 0);
    assert_true(is_flagged(s, &ada));
    struct tg_flag flag = flag_of(s, &ada);
    flag.origin = TG_FLAG_NOBODY;
    flag.observed = false;
    int64_t before = last_change(&s->store);
    assert_result(0, tg_flag_save(&s->store, &flag));
    assert_one_change(&s->store, before, TG_CHANGE_ACCOUNT, ada.id);
    assert_false(is_flagged(s, &ada));
}

static void a_hold_stays_while_another_gitea_has_one(void **state)
{
    struct stored *s = *state;

    put_instance(s, host);
    put_instance(s, other);
    struct tg_account ada = member(s, "ada", 7);
    assert_result(0, tg_member_put(&s->store, other, ada.id, 3));
    assert_result(0, tg_flag_want(&s->store, host, ada.id, false, INT64_MAX));
    assert_result(0, tg_flag_want(&s->store, other, ada.id, false, INT64_MAX));
    found_foreign(s, &ada);
    struct tg_flag there;
    assert_result(0, tg_flag_find(&s->store, other, ada.id, &there));
    there.origin = TG_FLAG_FOREIGN;
    assert_result(0, tg_flag_save(&s->store, &there));

    assert_result(0, tg_member_forget(&s->store, host, ada.id));
    assert_int_equal(hold_of(s, &ada), TG_HOLD_BLOCKED);
    assert_result(0, tg_member_forget(&s->store, other, ada.id));
    assert_int_equal(hold_of(s, &ada), TG_HOLD_NONE);
    assert_result(TG_MEMBER_UNKNOWN, tg_member_forget(&s->store, other, ada.id));
    struct tg_flag flag;
    assert_result(TG_FLAG_UNKNOWN, tg_flag_find(&s->store, host, ada.id, &flag));
}

static void what_was_set_under_another_name_is_ours(void **state)
{
    struct stored *s = *state;
    struct tg_instance instance;
    bool ours;

    put_instance(s, host);
    put_instance(s, other);
    struct tg_account ada = member(s, "ada", 7);
    assert_result(0, tg_member_put(&s->store, other, ada.id, 7));
    assert_result(0, tg_flag_want(&s->store, host, ada.id, true, INT64_MAX));
    struct tg_flag flag = flag_of(s, &ada);
    flag.origin = TG_FLAG_OURS;
    flag.observed = true;
    assert_result(0, tg_flag_save(&s->store, &flag));
    assert_result(0, tg_flag_inherited(&s->store, ada.id, 7, &ours));
    assert_false(ours); /* both names are in use: these are two */

    assert_result(0, tg_flag_abandon(&s->store, host));
    assert_false(is_flagged(s, &ada));
    assert_result(TG_FLAG_UNKNOWN, tg_flag_next(&s->store, host, INT64_MAX / 2, &flag));
    assert_result(0, tg_flag_inherited(&s->store, ada.id, 8, &ours));
    assert_false(ours); /* another user */
    assert_result(0, tg_flag_inherited(&s->store, ada.id, 7, &ours));
    assert_true(ours);
    assert_result(0, tg_flag_inherit(&s->store, ada.id, 7));
    assert_result(0, tg_flag_inherited(&s->store, ada.id, 7, &ours));
    assert_false(ours); /* once */
    assert_result(0, tg_flag_resume(&s->store, host));
    assert_result(0, tg_flag_next(&s->store, host, tg_now_ms() + 10, &flag)); /* it is looked at again */

    assert_result(0, tg_instance_next(&s->store, "", &instance));
    assert_string_equal(instance.host, host);
    assert_result(0, tg_instance_next(&s->store, host, &instance));
    assert_string_equal(instance.host, other);
    assert_result(TG_INSTANCE_UNKNOWN, tg_instance_next(&s->store, other, &instance));
}

static void accounts_are_judged_again_in_time(void **state)
{
    struct stored *s = *state;
    struct tg_account_list list;
    struct tg_flag_counts counts;
    struct tg_member_page page;

    put_instance(s, host);
    struct tg_account ada = member(s, "ada", 7), bob = member(s, "bob", 8);
    assert_result(0, tg_flag_want(&s->store, host, ada.id, true, 1000));
    assert_result(0, tg_flag_want(&s->store, host, bob.id, false, 2000));
    assert_result(0, tg_flag_judge_due(&s->store, host, 999, &list));
    assert_int_equal(list.count, 0);
    assert_result(0, tg_flag_judge_due(&s->store, host, 1000, &list));
    assert_int_equal(list.count, 1);
    assert_string_equal(list.ids[0], ada.id);
    assert_result(0, tg_flag_count(&s->store, host, &counts));
    assert_int_equal(counts.due, 1);
    assert_int_equal(counts.wrong, 1);
    assert_int_equal(counts.ours + counts.foreign, 0);

    assert_result(0, tg_member_list(&s->store, host, "", &page));
    assert_int_equal(page.count, 2);
    assert_true(strcmp(page.members[0].account, page.members[1].account) < 0);
    assert_result(0, tg_member_list(&s->store, host, page.members[1].account, &page));
    assert_int_equal(page.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(who_has_no_user_has_no_flag),
        stored_test(what_is_wanted_is_due_once),
        stored_test(a_row_that_was_written_meanwhile_is_left_alone),
        stored_test(lifting_comes_before_prohibiting_and_the_oldest_first),
        stored_test(a_foreign_flag_is_a_hold_as_long_as_it_is_there),
        stored_test(a_foreign_flag_whose_hold_was_lifted_becomes_ours),
        stored_test(a_hold_stays_while_another_gitea_has_one),
        stored_test(what_was_set_under_another_name_is_ours),
        stored_test(accounts_are_judged_again_in_time),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
