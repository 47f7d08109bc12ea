#include "stored.h"
#include "store/session.h"

static struct tg_session add_session(struct stored *s, const char *id, int64_t used_s)
{
    struct tg_session session = {.account = "ada", .epoch = 3, .auth_time_s = 100, .last_used_s = used_s, .address = "::1",
                                 .agent = "Browser"};

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
    assert_int_equal(found.last_used_s, 200);
    assert_string_equal(found.address, "::1");
    assert_string_equal(found.agent, "Browser");
    assert_result(TG_SESSION_UNKNOWN, tg_session_find(&s->store, TG_TEXT("other"), &found));
    assert_result(TG_SESSION_UNKNOWN, tg_session_find(&s->store, tg_text(session.digest), &found)); /* the digest does not open */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(a_session_comes_back_as_it_was),
        stored_test(it_is_touched_and_ended_by_its_digest),
        stored_test(pruning_takes_the_longest_unused_first),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
