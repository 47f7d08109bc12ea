#include "stored.h"
#include "store/grant.h"
#include "store/session.h"

static struct tg_session add_session(struct stored *s, const char *id, int64_t used_s)
{
    struct tg_session session = {.account = "ada", .epoch = 3, .auth_time_s = 100, .amr = "pwd", .created_s = 90,
                                 .last_used_s = used_s, .address = "::1", .agent = "Browser"};

    assert_result(0, tg_session_add(&s->store, tg_text(id), &session));
    return session;
}

static void a_session_comes_back_as_it_was(void **state)
{
    struct stored *s = *state;
    struct tg_session session = add_session(s, "id", 200), found;

    assert_result(0, tg_session_find(&s->store, TG_TEXT("id"), &found));
    assert_string_equal(found.digest, session.digest);
    assert_string_equal(found.digest, "pWFFJwzms769HdAStzlIZ33WGNSWSIvGCKPLQ841R90"); /* printf id | sha256sum, base64url */
    assert_string_equal(found.account, "ada");
    assert_int_equal(found.epoch, 3);
    assert_int_equal(found.auth_time_s, 100);
    assert_string_equal(found.amr, "pwd");
    assert_int_equal(found.created_s, 90);
    assert_int_equal(found.last_used_s, 200);
    assert_string_equal(found.address, "::1");
    assert_string_equal(found.agent, "Browser");
    assert_result(TG_SESSION_UNKNOWN, tg_session_find(&s->store, TG_TEXT("other"), &found));
    assert_result(TG_SESSION_UNKNOWN, tg_session_find(&s->store, tg_text(session.digest), &found)); /* the digest does not open */
    assert_result(0, tg_session_find_digest(&s->store, session.digest, &found));
    assert_string_equal(found.account, "ada");
    assert_result(TG_SESSION_UNKNOWN, tg_session_find_digest(&s->store, "id", &found));
}

static void it_is_touched_and_ended_by_its_digest(void **state)
{
    struct stored *s = *state;
    struct tg_session session = add_session(s, "id", 200), found;

    add_session(s, "other", 200);
    assert_result(0, tg_session_touch(&s->store, session.digest, 300));
    assert_result(0, tg_session_find(&s->store, TG_TEXT("id"), &found));
    assert_int_equal(found.last_used_s, 300);
    assert_result(0, tg_session_end(&s->store, session.digest));
    assert_result(TG_SESSION_UNKNOWN, tg_session_find(&s->store, TG_TEXT("id"), &found));
    assert_result(TG_SESSION_UNKNOWN, tg_session_touch(&s->store, session.digest, 300));
    assert_result(TG_SESSION_UNKNOWN, tg_session_end(&s->store, session.digest));
    assert_result(0, tg_session_find(&s->store, TG_TEXT("other"), &found));
}

static void pruning_takes_the_longest_unused_first(void **state)
{
    struct stored *s = *state;
    struct tg_session found;

    add_session(s, "older", 100);
    add_session(s, "oldest", 50);
    add_session(s, "young", 900);
    assert_result(0, tg_session_prune(&s->store, 500, 1));
    assert_result(TG_SESSION_UNKNOWN, tg_session_find(&s->store, TG_TEXT("oldest"), &found));
    assert_result(0, tg_session_find(&s->store, TG_TEXT("older"), &found));
    assert_result(0, tg_session_prune(&s->store, 500, 10));
    assert_result(TG_SESSION_UNKNOWN, tg_session_find(&s->store, TG_TEXT("older"), &found));
    assert_result(0, tg_session_find(&s->store, TG_TEXT("young"), &found));
}

static void add_for(struct stored *s, const char *id, const char *account, int64_t used_s)
{
    struct tg_session session = {.last_used_s = used_s};

    snprintf(session.account, sizeof(session.account), "%s", account);
    assert_result(0, tg_session_add(&s->store, tg_text(id), &session));
}

static void an_accounts_sessions_are_listed_and_ended_together(void **state)
{
    struct stored *s = *state;
    struct tg_grant grant = {.account = "ada", .expires_s = INT64_MAX}, taken;
    struct tg_access access = {.account = "ada", .expires_s = INT64_MAX}, seen;
    struct tg_session list[3];
    size_t count;

    add_for(s, "old", "ada", 1);
    add_for(s, "new", "ada", 3);
    add_for(s, "mid", "ada", 2);
    add_for(s, "bobs", "bob", 9);
    assert_result(0, tg_grant_add(&s->store, TG_TEXT("code"), &grant));
    assert_result(0, tg_access_add(&s->store, TG_TEXT("token"), TG_TEXT("another code"), &access));
    assert_result(0, tg_session_list(&s->store, "ada", list, 3, &count));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list[i].last_used_s, 3 - (int64_t)i);
    assert_result(0, tg_session_list(&s->store, "ada", list, 1, &count));
    assert_int_equal(count, 1);

    assert_result(0, tg_session_end_all(&s->store, "ada"));
    assert_result(0, tg_session_list(&s->store, "ada", list, 3, &count));
    assert_int_equal(count, 0);
    assert_result(0, tg_session_list(&s->store, "bob", list, 3, &count));
    assert_int_equal(count, 1);
    assert_result(TG_GRANT_UNKNOWN, tg_grant_look(&s->store, TG_TEXT("code"), &taken));
    assert_result(TG_ACCESS_UNKNOWN, tg_access_find(&s->store, TG_TEXT("token"), 1, &seen));
    assert_result(0, tg_session_end_all(&s->store, "nobody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(a_session_comes_back_as_it_was),
        stored_test(it_is_touched_and_ended_by_its_digest),
        stored_test(pruning_takes_the_longest_unused_first),
        stored_test(an_accounts_sessions_are_listed_and_ended_together),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
