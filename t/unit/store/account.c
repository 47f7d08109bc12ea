#include "stored.h"
#include <strings.h>

static void names_follow_giteas_rules(void **state)
{
    static const char *const fit[] = {"a", "Ada", "ada.lovelace", "a-b_c.d", "0x", "admin", "root", "new", "me", "keys",
                                      "abcdefghijabcdefghijabcdefghijabcdefghij"};
    static const char *const unfit[] = {"", "-", ".x", "x.", "x-", "_x", "a..b", "a-_b", "a b", "a@b", "a/b", "\xc3\xa4",
                                        "abcdefghijabcdefghijabcdefghijabcdefghijk",
                                        "api", "API", "v2", "user", "login", "repo", "org", "explore", "assets", "metrics",
                                        "ghost", "gitea-actions", "captcha", "notifications", "swagger.v1.json", "favicon.ico",
                                        "ssh_info",
                                        "robots.txt", "repo-avatars", "x.keys", "x.GPG", "x.rss", "x.atom", "x.png", "Www",
                                        "pages"};

    for (size_t i = 0; i < tg_count(fit); i++)
        assert_null(tg_login_unfit(tg_text(fit[i])));
    for (size_t i = 0; i < tg_count(unfit); i++)
        assert_non_null(tg_login_unfit(tg_text(unfit[i])));
    assert_non_null(tg_login_unfit(tg_text_n("a\0b", 3)));
}

static void addresses_are_what_mail_can_reach(void **state)
{
    static const char *const fit[] = {"a@b", "ada@example.test", "a.b+c=d@x-y.example", "A'x@EXAMPLE.test", "_@1.2"};
    static const char *const unfit[] = {"", "a", "@b", "a@", "a@b@c", "a b@c", ".a@b", "a.@b", "a..b@c", "-a@b", "\"a\"@b",
                                        "a@-b", "a@b-", "a@b..c", "a@.b", "a@b.", "a@b_c", "\xc3\xa4@b", "a@\xc3\xa4", "a,b@c",
                                        "a<b@c", "a@[::1]", "a\n@b"};
    char longest[300] = "a@";

    for (size_t i = 0; i < tg_count(fit); i++)
        assert_null(tg_email_unfit(tg_text(fit[i])));
    for (size_t i = 0; i < tg_count(unfit); i++)
        assert_non_null(tg_email_unfit(tg_text(unfit[i])));
    assert_non_null(tg_email_unfit(tg_text_n("a\0@b", 4)));

    while (strlen(longest) < 254)
        strcat(longest, strlen(longest) % 2 == 0 ? "b" : ".");
    assert_null(tg_email_unfit(tg_text_n(longest, 253)));
    strcat(longest, "bb");
    assert_non_null(tg_email_unfit(tg_text(longest)));
}

static void an_account_comes_back_as_it_was(void **state)
{
    struct stored *s = *state;
    struct tg_account account = {.login = "Ada", .email = "Ada@Example.test", .full_name = "Ada \xc3\x84", .zone = "Asia/Tokyo",
                                 .password_hash = "$argon2id$", .is_operator = true, .session_epoch = 7};
    struct tg_account found;

    assert_result(0, tg_account_add(&s->store, &account));
    assert_one_change(&s->store, 0, TG_CHANGE_ACCOUNT, account.id);
    assert_int_equal(strlen(account.id), TG_ID - 1);
    assert_int_equal(strlen(account.sub), TG_ID - 1);
    assert_string_not_equal(account.id, account.sub);
    assert_true(account.created_s > 0);

    assert_result(0, tg_account_find(&s->store, account.id, &found));
    assert_string_equal(found.id, account.id);
    assert_string_equal(found.sub, account.sub);
    assert_string_equal(found.login, "Ada");
    assert_string_equal(found.email, "Ada@Example.test");
    assert_string_equal(found.full_name, "Ada \xc3\x84");
    assert_string_equal(found.zone, "Asia/Tokyo");
    assert_string_equal(found.password_hash, "$argon2id$");
    assert_true(found.is_operator);
    assert_false(found.locked);
    assert_int_equal(found.session_epoch, 7);
    assert_int_equal(found.created_s, account.created_s);
    assert_result(TG_ACCOUNT_UNKNOWN, tg_account_find(&s->store, account.sub, &found));
}

static void case_does_not_make_another_name(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "Ada"), found;
    struct tg_account same_login = {.login = "aDA", .email = "x@example.test"};
    struct tg_account same_email = {.login = "x", .email = "ADA@EXAMPLE.TEST"};
    int64_t before = last_change(&s->store);

    assert_result(TG_ACCOUNT_TAKEN, tg_account_add(&s->store, &same_login));
    assert_result(TG_ACCOUNT_TAKEN, tg_account_add(&s->store, &same_email));
    assert_int_equal(last_change(&s->store), before); /* what did not happen is no change */

    static const char *const spellings[] = {"ada", "ADA", "ada@example.test", "aDa@eXample.teST"};
    for (size_t i = 0; i < tg_count(spellings); i++) {
        assert_result(0, tg_account_find_login(&s->store, tg_text(spellings[i]), &found));
        assert_string_equal(found.id, ada.id);
    }
    static const char *const others[] = {"", "ad", "ada ", "example.test", "@"};
    for (size_t i = 0; i < tg_count(others); i++)
        assert_result(TG_ACCOUNT_UNKNOWN, tg_account_find_login(&s->store, tg_text(others[i]), &found));
    assert_result(TG_ACCOUNT_UNKNOWN, tg_account_find_login(&s->store, tg_text_n("ada\0x", 5), &found));
    TG_FREED char *long_name = tg_alloc(5000);
    memset(long_name, 'a', 4999);
    assert_result(TG_ACCOUNT_UNKNOWN, tg_account_find_login(&s->store, tg_text(long_name), &found));
}

static void a_new_password_ends_sessions_unless_told(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada"), found;
    int64_t before = last_change(&s->store);

    assert_result(0, tg_account_set_password(&s->store, ada.id, "new", true));
    assert_result(0, tg_account_find(&s->store, ada.id, &found));
    assert_string_equal(found.password_hash, "new");
    assert_int_equal(found.session_epoch, 0);
    before = last_change(&s->store);
    assert_result(0, tg_account_set_password(&s->store, ada.id, "newer", false));
    assert_one_change(&s->store, before, TG_CHANGE_ACCOUNT, ada.id);
    assert_result(0, tg_account_find(&s->store, ada.id, &found));
    assert_int_equal(found.session_epoch, 1);
    assert_result(TG_ACCOUNT_UNKNOWN, tg_account_set_password(&s->store, "nobody", "x", false));
}

static void a_rehash_does_not_undo_a_new_password(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada"), found;
    int64_t before = last_change(&s->store);

    assert_result(0, tg_account_rehash(&s->store, ada.id, "hash", "same password, new cost"));
    assert_int_equal(last_change(&s->store), before);
    assert_result(0, tg_account_set_password(&s->store, ada.id, "changed meanwhile", false));
    assert_result(TG_ACCOUNT_UNKNOWN, tg_account_rehash(&s->store, ada.id, "hash", "too late"));
    assert_result(0, tg_account_find(&s->store, ada.id, &found));
    assert_string_equal(found.password_hash, "changed meanwhile");
    assert_int_equal(found.session_epoch, 1);
}

static void locking_and_epochs_tell_their_change(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada"), bob = stored_account(&s->store, "bob"), found;
    int64_t before = last_change(&s->store);

    assert_result(0, tg_account_set_locked(&s->store, ada.id, true));
    assert_one_change(&s->store, before, TG_CHANGE_ACCOUNT, ada.id);
    assert_result(0, tg_account_find(&s->store, ada.id, &found));
    assert_true(found.locked);
    assert_int_equal(found.session_epoch, 1); /* what was open stays closed */
    assert_result(0, tg_account_set_locked(&s->store, ada.id, false));
    before = last_change(&s->store);
    assert_result(0, tg_account_raise_epoch(&s->store, ada.id));
    assert_one_change(&s->store, before, TG_CHANGE_ACCOUNT, ada.id);
    assert_result(0, tg_account_find(&s->store, ada.id, &found));
    assert_false(found.locked);
    assert_int_equal(found.session_epoch, 2);
    assert_result(0, tg_account_find(&s->store, bob.id, &found)); /* and nobody else's */
    assert_int_equal(found.session_epoch, 0);
    assert_result(TG_ACCOUNT_UNKNOWN, tg_account_set_locked(&s->store, "nobody", true));
    assert_result(TG_ACCOUNT_UNKNOWN, tg_account_raise_epoch(&s->store, "nobody"));
}

static void who_is_no_operator_any_more_signs_in_again(void **state)
{
    struct stored *s = *state;
    struct tg_account ada = stored_account(&s->store, "ada"), found;
    int64_t before = last_change(&s->store);

    assert_result(0, tg_account_set_operator(&s->store, ada.id, true));
    assert_one_change(&s->store, before, TG_CHANGE_ACCOUNT, ada.id);
    assert_result(0, tg_account_find(&s->store, ada.id, &found));
    assert_true(found.is_operator);
    assert_int_equal(found.session_epoch, 0);
    before = last_change(&s->store);
    assert_result(0, tg_account_set_operator(&s->store, ada.id, false));
    assert_one_change(&s->store, before, TG_CHANGE_ACCOUNT, ada.id);
    assert_result(0, tg_account_find(&s->store, ada.id, &found));
    assert_false(found.is_operator);
    assert_int_equal(found.session_epoch, 1);
    assert_result(TG_ACCOUNT_UNKNOWN, tg_account_set_operator(&s->store, "nobody", true));
}

struct walk {
    struct tg_store *store;
    char before[TG_LOGIN];
    int count;
    int stop_at;
};

static int visit(const struct tg_account *account, void *context)
{
    struct walk *walk = context;

    assert_true(strcasecmp(account->login, walk->before) > 0);
    memcpy(walk->before, account->login, sizeof(walk->before));
    assert_result(0, tg_account_set_locked(walk->store, account->id, true)); /* a callback may write */
    return ++walk->count == walk->stop_at ? 42 : 0;
}

static void each_account_comes_once_in_order(void **state)
{
    struct stored *s = *state;
    struct walk walk = {&s->store};
    char login[TG_LOGIN];

    assert_result(0, tg_account_each(&s->store, visit, &walk));
    assert_int_equal(walk.count, 0);
    for (int i = 0; i < 130; i++) {
        snprintf(login, sizeof(login), "%c%03d", i % 2 ? 'U' : 'u', i * 37 % 130);
        stored_account(&s->store, login);
    }
    assert_result(0, tg_account_each(&s->store, visit, &walk));
    assert_int_equal(walk.count, 130);
    walk = (struct walk){&s->store, .stop_at = 3};
    assert_result(42, tg_account_each(&s->store, visit, &walk));
    assert_int_equal(walk.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_giteas_rules),
        cmocka_unit_test(addresses_are_what_mail_can_reach),
        stored_test(an_account_comes_back_as_it_was),
        stored_test(case_does_not_make_another_name),
        stored_test(a_new_password_ends_sessions_unless_told),
        stored_test(a_rehash_does_not_undo_a_new_password),
        stored_test(locking_and_epochs_tell_their_change),
        stored_test(who_is_no_operator_any_more_signs_in_again),
        stored_test(each_account_comes_once_in_order),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
