/* Signing in and out: criteria 20, 36, 77 to 79, and the addresses one may be sent on to. */
#include "rig.h"
#include <time.h>
#include "account/pages.h"
#include "base/clock.h"
#include "http/cookie.h"
#include "http/csrf.h"
#include "io/db.h"

#define NEXT "/authorize?client_id=x&redirect_uri=https%3A%2F%2Fgit.example.test%2Fuser%2Foauth2%2Fteagate%2Fcallback&state=s"

static const char *encode(struct tg_arena *arena, const char *text)
{
    TG_STRING out = {0};

    tg_url_encode(&out, tg_text(text));
    return tg_arena_copy(arena, tg_string_text(&out));
}

/* Fetches the form as a browser does; leaves its csrf token and the Cookie value it sends back. */
static struct tg_call *fetch_form(struct rig *rig, const char *target, const char **csrf, const char **cookie)
{
    struct tg_call *call = rig_call(rig, "GET", target);
    static const char field[] = "name=\"csrf\" value=\"";

    rig_run(rig, call, tg_account_endpoints);
    const char *at = memmem(call->reply.body.base, call->reply.body.len, field, strlen(field));
    assert_non_null(at);
    *csrf = tg_arena_format(&call->arena, "%.43s", at + strlen(field));
    struct tg_text rest = tg_text(rig_header(call, "set-cookie"));
    *cookie = tg_arena_copy(&call->arena, tg_text_cut(&rest, ';'));
    return call;
}

/* Fetches the form, fills it in and posts it. more: further cookies. */
static struct tg_call *sign_in(struct rig *rig, const char *name, const char *password, const char *next, const char *more)
{
    const char *csrf, *cookie;
    struct tg_call *form = fetch_form(rig, "/sign-in", &csrf, &cookie);
    struct tg_call *call = rig_call(rig, "POST", "/sign-in");
    struct tg_arena *arena = &call->arena;

    rig_form(call,
             tg_arena_format(arena, "csrf=%s&name=%s&password=%s&next=%s", csrf, encode(arena, name), encode(arena, password),
                                   encode(arena, next)));
    call->cookie = tg_text(tg_arena_format(arena, "%s%s", cookie, more));
    call->origin = TG_TEXT(ISSUER);
    rig_run(rig, call, tg_account_endpoints);
    rig_done(form);
    return call;
}

/* "__Host-tg-session=ID" out of the reply; "" when it sets none. */
static const char *session_cookie(struct tg_call *call)
{
    for (size_t i = 0; i < call->reply.header_count; ++i) {
        struct tg_text value = call->reply.headers[i].value;
        if (tg_text_is(call->reply.headers[i].name, "set-cookie") && tg_text_starts(value, TG_SESSION_COOKIE "="))
            return tg_arena_copy(&call->arena, value);
    }
    return "";
}

static struct tg_call *get(struct rig *rig, const char *target, const char *cookie)
{
    struct tg_call *call = rig_call(rig, "GET", target);
    struct tg_text rest = tg_arena_text(&call->arena, tg_text(cookie));

    call->cookie = tg_text_cut(&rest, ';');
    rig_run(rig, call, tg_account_endpoints);
    return call;
}

static void criteria_20_and_77_the_right_password_makes_a_session(void **state)
{
    struct rig *rig = *state;
    const char *const names[] = {"mara", "Mara", "mara@example.test"};

    for (size_t i = 0; i < tg_count(names); ++i) {
        struct tg_call *call = sign_in(rig, names[i], PASSWORD, NEXT, "");
        const char *cookie = session_cookie(call);
        assert_int_equal(call->reply.status, 303);
        assert_string_equal(rig_header(call, "location"), NEXT);
        assert_non_null(strstr(cookie, "; Path=/"));
        assert_non_null(strstr(cookie, "; Secure"));
        assert_non_null(strstr(cookie, "; HttpOnly"));
        assert_non_null(strstr(cookie, "; SameSite=Lax"));
        assert_null(strstr(cookie, "Domain"));

        struct tg_text id = tg_text_n(cookie + strlen(TG_SESSION_COOKIE "="), 43);
        struct tg_session session;
        assert_result(0, tg_session_find(rig->store, id, &session));
        assert_string_equal(session.account, rig->mara.id);
        assert_string_equal(session.address, "192.0.2.7");
        assert_string_equal(session.agent, "test/1");
        assert_true(memmem(session.digest, strlen(session.digest), id.base, id.len) == NULL); /* kept as a digest */
        struct tg_call *home = get(rig, "/", cookie);
        assert_int_equal(home->reply.status, 200);
        assert_true(rig_body_has(home, "https://git.example.test"));
        rig_done(home);
        rig_done(call);
    }
}

static void criterion_77_the_id_changes_and_the_old_one_is_dead(void **state)
{
    struct rig *rig = *state;
    struct tg_call *first = sign_in(rig, "mara", PASSWORD, "/", "");
    const char *old = tg_arena_format(&first->arena, "%.*s", (int)strcspn(session_cookie(first), ";"), session_cookie(first));
    struct tg_call *second = sign_in(rig, "mara", PASSWORD, "/", tg_arena_format(&first->arena, "; %s", old));
    struct tg_call *replay = get(rig, "/", old), *now = get(rig, "/", session_cookie(second));

    assert_string_not_equal(old, session_cookie(second));
    assert_int_equal(replay->reply.status, 303);
    assert_string_equal(rig_header(replay, "location"), "/sign-in");
    assert_int_equal(now->reply.status, 200);
    rig_done(now);
    rig_done(replay);
    rig_done(second);
    rig_done(first);
}

static void criterion_78_a_foreign_post_does_nothing(void **state)
{
    struct rig *rig = *state;
    const char *csrf, *cookie;
    struct tg_call *form = fetch_form(rig, "/sign-in", &csrf, &cookie);
    const char *right = tg_arena_format(&form->arena, "csrf=%s&name=mara&password=correct+horse", csrf);
    const struct {
        const char *body, *cookie, *origin, *site;
    } cases[] = {
        {"name=mara&password=correct+horse", cookie, ISSUER, NULL},
        {"csrf=AAAA&name=mara&password=correct+horse", cookie, ISSUER, NULL},
        {right, "", ISSUER, NULL},
        {right, cookie, "https://evil.example", NULL},
        {right, cookie, NULL, "cross-site"},
    };
    for (size_t i = 0; i < tg_count(cases); ++i) {
        struct tg_call *call = rig_call(rig, "POST", "/sign-in");
        rig_form(call, cases[i].body);
        call->cookie = tg_text(cases[i].cookie);
        call->origin = tg_text(cases[i].origin);
        call->sec_fetch_site = tg_text(cases[i].site);
        rig_run(rig, call, tg_account_endpoints);
        assert_int_equal(call->reply.status, 403);
        assert_string_equal(session_cookie(call), "");
        rig_done(call);
    }
    rig_done(form);
}

/* Of this thread alone, so that what else the machine does counts for nothing. */
static int64_t work_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A sign-in with a wrong password; keeps the least work that one took so far. */
static struct tg_call *fail_to_sign_in(struct rig *rig, const char *name, int64_t *least_us)
{
    int64_t before_us = work_us();
    struct tg_call *call = sign_in(rig, name, "wrong", "/", "");
    int64_t took_us = work_us() - before_us;

    *least_us = took_us < *least_us ? took_us : *least_us;
    return call;
}

static void criterion_79_unknown_and_wrong_are_the_same(void **state)
{
    struct rig *rig = *state;
    int64_t wrong_us = INT64_MAX, unknown_us = INT64_MAX;

    for (int i = 0; i < 4; ++i) { /* as many as are free; the names are as long as each other: the page repeats them */
        struct tg_call *wrong = fail_to_sign_in(rig, "mara", &wrong_us), *unknown = fail_to_sign_in(rig, "nora", &unknown_us);
        assert_int_equal(wrong->reply.status, 403);
        assert_int_equal(unknown->reply.status, 403);
        assert_int_equal(wrong->reply.body.len, unknown->reply.body.len);
        assert_int_equal(wrong->reply.header_count, unknown->reply.header_count);
        assert_true(rig_body_has(wrong, "don’t match"));
        assert_true(rig_body_has(unknown, "don’t match"));
        rig_done(wrong);
        rig_done(unknown);
    }
    assert_true(llabs(wrong_us - unknown_us) <= wrong_us / 4);
    assert_true(unknown_us >= 3000); /* a password was hashed */
}

static void a_locked_account_is_told_so_only_with_its_password(void **state)
{
    struct rig *rig = *state;

    assert_result(0, tg_account_set_locked(rig->store, rig->mara.id, true));
    struct tg_call *wrong = sign_in(rig, "mara", "wrong", "/", ""), *right = sign_in(rig, "mara", PASSWORD, "/", "");
    assert_false(rig_body_has(wrong, "locked"));
    assert_true(rig_body_has(wrong, "don’t match"));
    assert_int_equal(right->reply.status, 403);
    assert_true(rig_body_has(right, "locked"));
    assert_string_equal(session_cookie(right), "");
    assert_result(0, tg_account_set_locked(rig->store, rig->mara.id, false));
    rig_done(wrong);
    rig_done(right);
}

static void a_hash_of_another_cost_is_made_again(void **state)
{
    struct rig *rig = *state;
    struct tg_password_cost old = {9 << 20, 2};
    char hash[TG_PASSWORD_HASH];
    struct tg_account now;

    assert_result(0, tg_password_hash(TG_TEXT(PASSWORD), &old, hash));
    assert_result(0, tg_account_set_password(rig->store, rig->mara.id, hash, true));
    struct tg_call *call = sign_in(rig, "mara", PASSWORD, "/", "");
    assert_int_equal(call->reply.status, 303);
    rig_done(call);
    assert_result(0, tg_account_find(rig->store, rig->mara.id, &now));
    assert_string_not_equal(now.password_hash, hash);
    assert_result(0, tg_password_verify(now.password_hash, TG_TEXT(PASSWORD), &rig->account_conf.cost));
    call = sign_in(rig, "mara", PASSWORD, "/", "");
    assert_int_equal(call->reply.status, 303);
    rig_done(call);
}

static void criterion_36_the_policy_names_the_client_one_goes_on_to(void **state)
{
    struct rig *rig = *state;
    const char *csrf, *cookie;
    struct tg_arena arena = {0};
    struct tg_call *call = fetch_form(rig, tg_arena_format(&arena, "/sign-in?next=%s", encode(&arena, NEXT)), &csrf, &cookie);

    assert_true(call->reply.is_page);
    assert_false(call->reply.cacheable);
    assert_string_equal(call->reply.form_action, "https://git.example.test");
    assert_true(rig_body_has(call, "<bdi>git.example.test</bdi>"));
    rig_done(call);
    call = fetch_form(rig, "/sign-in?next=/authorize%3Fredirect_uri%3Dhttps://git.example.test.evil/x", &csrf, &cookie);
    assert_null(call->reply.form_action);
    rig_done(call);
    tg_arena_done(&arena);
}

static void one_is_sent_on_to_our_own_pages_only(void **state)
{
    static const char *const foreign[] = {
        "//evil.example", "/\\evil.example", "/%09/evil.example", "https://evil.example/authorize?", "javascript:alert(1)",
        "/sign-out", "/authorize", "/authorize?\r\nX: y", "/authorize?a b", "/authorize?\\", "\t/authorize?", "/Authorize?x", "",
        "/authorize?\x01", "/authorize?\xc3\xbc", "@evil.example", "/authorize@evil.example?",
    };
    struct rig *rig = *state;
    struct tg_arena arena = {0};

    for (size_t i = 0; i < tg_count(foreign); ++i) {
        if (strcmp(tg_return_path(&arena, tg_text(foreign[i])), "/") != 0)
            fail_msg("let through: %s", foreign[i]);
    }
    assert_string_equal(tg_return_path(&arena, TG_TEXT(NEXT)), NEXT);
    struct tg_call *call = sign_in(rig, "mara", PASSWORD, "//evil.example", "");
    assert_string_equal(rig_header(call, "location"), "/");
    rig_done(call);
    tg_arena_done(&arena);
}

static void sessions_end_by_age_and_by_idleness(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    const int64_t ages[][2] = {{13 * 86400, 200}, {14 * 86400, 303}};

    for (size_t i = 0; i < 2; ++i) {
        struct tg_call *call = get(rig, "/", rig_session(rig, &arena, ages[i][0]));
        assert_int_equal(call->reply.status, ages[i][1]);
        rig_done(call);
    }
    const char *cookie = rig_session(rig, &arena, 0);
    struct tg_session session;
    struct tg_text id = tg_text(cookie + strlen(TG_SESSION_COOKIE "="));
    assert_result(0, tg_session_find(rig->store, id, &session));
    assert_result(0, tg_session_touch(rig->store, session.digest, tg_now_s() - 2 * 86400));
    struct tg_call *call = get(rig, "/", cookie);
    assert_int_equal(call->reply.status, 200);
    rig_done(call);
    assert_result(0, tg_session_find(rig->store, id, &session));
    assert_true(session.last_used_s >= tg_now_s() - 5); /* it was marked as used */
    assert_result(0, tg_session_touch(rig->store, session.digest, tg_now_s() - 3 * 86400));
    call = get(rig, "/", cookie);
    assert_int_equal(call->reply.status, 303);
    rig_done(call);
    tg_arena_done(&arena);
}

/* The mark that a session was used may be lost, the page may not. */
static void who_reads_is_answered_while_somebody_writes(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    const char *cookie = rig_session(rig, &arena, 3600);
    struct tg_session session;
    struct tg_store other;

    assert_result(0, tg_session_find(rig->store, tg_text(cookie + strlen(TG_SESSION_COOKIE "=")), &session));
    assert_result(0, tg_session_touch(rig->store, session.digest, tg_now_s() - 3600));
    assert_result(0, tg_store_open(rig->directory, &other));
    assert_result(0, tg_db_begin_write(other.transient));
    struct tg_call *call = get(rig, "/", cookie);
    assert_int_equal(call->reply.status, 200);
    rig_done(call);
    tg_store_close(&other);
    tg_arena_done(&arena);
}

static void signing_out_is_asked_by_get_and_done_by_post(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    const char *session = rig_session(rig, &arena, 0), *csrf, *cookie;
    struct tg_call *ask = get(rig, "/sign-out", session);

    assert_int_equal(ask->reply.status, 200);
    assert_true(rig_body_has(ask, "mara"));
    const char *at = memmem(ask->reply.body.base, ask->reply.body.len, "name=\"csrf\" value=\"", 19);
    assert_non_null(at);
    csrf = tg_arena_format(&arena, "%.43s", at + 19);
    struct tg_text rest = tg_text(rig_header(ask, "set-cookie"));
    cookie = tg_arena_copy(&arena, tg_text_cut(&rest, ';'));

    struct tg_call *foreign = rig_call(rig, "POST", "/sign-out");
    rig_form(foreign, "csrf=x");
    foreign->cookie = tg_text(tg_arena_format(&arena, "%s; %s", session, cookie));
    rig_run(rig, foreign, tg_account_endpoints);
    assert_int_equal(foreign->reply.status, 403);
    struct tg_call *still = get(rig, "/", session);
    assert_int_equal(still->reply.status, 200);

    struct tg_call *done = rig_call(rig, "POST", "/sign-out");
    rig_form(done, tg_arena_format(&arena, "csrf=%s", csrf));
    done->cookie = foreign->cookie;
    rig_run(rig, done, tg_account_endpoints);
    assert_int_equal(done->reply.status, 200);
    assert_true(rig_body_has(done, "You are signed out"));
    assert_non_null(strstr(session_cookie(done), "Max-Age=0"));
    struct tg_call *replay = get(rig, "/", session);
    assert_int_equal(replay->reply.status, 303);
    struct tg_call *all[] = {ask, foreign, still, done, replay};
    for (size_t i = 0; i < tg_count(all); ++i)
        rig_done(all[i]);
    tg_arena_done(&arena);
}

static void odd_bodies_are_turned_away(void **state)
{
    struct rig *rig = *state;
    const char *const bodies[] = {"name=a&name=b", "name=%zz", "name=%00"};

    for (size_t i = 0; i < tg_count(bodies); ++i) {
        struct tg_call *call = rig_call(rig, "POST", "/sign-in");
        rig_form(call, bodies[i]);
        rig_run(rig, call, tg_account_endpoints);
        assert_int_equal(call->reply.status, 400);
        rig_done(call);
    }
    struct tg_call *json = rig_call(rig, "POST", "/sign-in");
    json->content_type = TG_TEXT("application/json");
    json->body = TG_TEXT("{}");
    rig_run(rig, json, tg_account_endpoints);
    assert_int_equal(json->reply.status, 400);
    rig_done(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(criteria_20_and_77_the_right_password_makes_a_session),
        rig_test(criterion_77_the_id_changes_and_the_old_one_is_dead),
        rig_test(criterion_78_a_foreign_post_does_nothing),
        rig_test(criterion_79_unknown_and_wrong_are_the_same),
        rig_test(a_locked_account_is_told_so_only_with_its_password),
        rig_test(a_hash_of_another_cost_is_made_again),
        rig_test(criterion_36_the_policy_names_the_client_one_goes_on_to),
        rig_test(one_is_sent_on_to_our_own_pages_only),
        rig_test(sessions_end_by_age_and_by_idleness),
        rig_test(who_reads_is_answered_while_somebody_writes),
        rig_test(signing_out_is_asked_by_get_and_done_by_post),
        rig_test(odd_bodies_are_turned_away),
    };
    return RIG_RUN(tests);
}
