/* Signing in with wrong passwords: pauses by name and network, and the page that tells them. */
#include "../oidc/rig.h"
#include <time.h>
#include "base/clock.h"
#include "store/throttle.h"

#define NEXT "/authorize?client_id=x&redirect_uri=https%3A%2F%2Fgit.example.test%2Fcallback&state=s"

/* The form's csrf token and the cookie that goes with it. */
static void fetch_form(struct rig *rig, struct tg_arena *arena, const char **csrf, const char **cookie)
{
    struct tg_call *call = rig_call(rig, "GET", "/sign-in");
    static const char field[] = "name=\"csrf\" value=\"";

    rig_run(rig, call, tg_account_endpoints);
    const char *at = memmem(call->reply.body.base, call->reply.body.len, field, strlen(field));
    assert_non_null(at);
    *csrf = tg_arena_format(arena, "%.43s", at + strlen(field));
    struct tg_text rest = tg_text(rig_header(call, "set-cookie"));
    *cookie = tg_arena_copy(arena, tg_text_cut(&rest, ';'));
    rig_done(call);
}

static struct tg_call *post(struct rig *rig, const char *name, const char *password, const char *address)
{
    struct tg_call *call = rig_call(rig, "POST", "/sign-in");
    const char *csrf, *cookie;
    TG_STRING body = {0};

    fetch_form(rig, &call->arena, &csrf, &cookie);
    tg_string_addf(&body, "csrf=%s&name=", csrf);
    tg_url_encode(&body, tg_text(name));
    tg_string_add(&body, TG_TEXT("&password="));
    tg_url_encode(&body, tg_text(password));
    tg_string_add(&body, TG_TEXT("&next="));
    tg_url_encode(&body, TG_TEXT(NEXT));
    rig_form(call, body.base);
    call->cookie = tg_text(cookie);
    call->origin = TG_TEXT(ISSUER);
    call->address = tg_text(address);
    rig_run(rig, call, tg_account_endpoints);
    return call;
}

static int status_of(struct rig *rig, const char *name, const char *password, const char *address)
{
    struct tg_call *call = post(rig, name, password, address);
    int status = call->reply.status;

    rig_done(call);
    return status;
}

/* Six wrong ones: then there is a pause of a second. */
static void use_up(struct rig *rig, const char *name, const char *address)
{
    for (int i = 0; i < TG_THROTTLE_FREE + 1; i++)
        assert_int_equal(status_of(rig, name, "wrong", address), 403);
}

/* As if nobody had tried from anywhere. */
static void forget_all(struct rig *rig)
{
    assert_result(0, tg_db_run(rig->store->transient, "DELETE FROM throttle", NULL, 0, NULL));
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void within_the_pause_the_right_password_is_not_looked_at(void **state)
{
    struct rig *rig = *state;

    forget_all(rig);
    use_up(rig, "mara", "192.0.2.7");
    assert_int_equal(status_of(rig, "mara", PASSWORD, "192.0.2.7"), 429);
    assert_int_equal(status_of(rig, "MARA@example.test", PASSWORD, "192.0.2.7"), 429); /* by address it is the same account */
    sleep_ms(1100);
    assert_int_equal(status_of(rig, "mara", PASSWORD, "192.0.2.7"), 303);
    use_up(rig, "mara", "192.0.2.7"); /* and the right one has begun it anew */
}

static void from_another_network_the_right_password_enters(void **state)
{
    struct rig *rig = *state;

    forget_all(rig);
    use_up(rig, "mara", "192.0.2.7");
    assert_int_equal(status_of(rig, "mara", PASSWORD, "192.0.2.7"), 429);
    assert_int_equal(status_of(rig, "mara", PASSWORD, "192.0.2.8"), 303);
    assert_int_equal(status_of(rig, "mara", PASSWORD, "2001:db8::7"), 303);
}

static void the_page_says_when_to_try_again(void **state)
{
    struct rig *rig = *state;
    int64_t before_s = tg_now_s();
    char iso[TG_TIME_ISO];

    forget_all(rig);
    use_up(rig, "mara", "192.0.2.7");
    struct tg_call *call = post(rig, "mara", "wrong", "192.0.2.7");
    assert_int_equal(call->reply.status, 429);
    assert_string_equal(rig_header(call, "retry-after"), "1");
    assert_true(rig_body_has(call, "Paused for 1 second<"));
    assert_true(rig_body_has(call, "<bdi>mara</bdi>"));
    assert_true(rig_body_has(call, "192.0.2.7"));
    assert_true(rig_body_has(call, "href=\"/sign-in?next=%2Fauthorize%3Fclient_id%3Dx%26redirect_uri"));
    bool told = false;
    for (int64_t at_s = before_s + 1; at_s <= tg_now_s() + 2; at_s++) {
        tg_time_iso(at_s, iso);
        const char *again = tg_arena_format(&call->arena, ">%.8s UTC</time></h1>", iso + 11);
        told = told || (rig_body_has(call, iso) && rig_body_has(call, again));
    }
    assert_true(told);
    assert_true(call->reply.is_page);
    rig_done(call);
}

static void a_name_that_nobody_has_gets_the_same(void **state)
{
    struct rig *rig = *state;

    forget_all(rig);
    use_up(rig, "mara", "192.0.2.7");
    struct tg_call *known = post(rig, "mara", PASSWORD, "192.0.2.7");
    forget_all(rig);
    use_up(rig, "nora", "192.0.2.7");
    struct tg_call *unknown = post(rig, "nora", "wrong", "192.0.2.7");
    assert_int_equal(known->reply.status, 429);
    assert_int_equal(unknown->reply.status, 429);
    assert_int_equal(known->reply.body.len, unknown->reply.body.len);
    assert_int_equal(known->reply.header_count, unknown->reply.header_count);
    rig_done(known);
    rig_done(unknown);
}

static void a_network_that_guesses_names_waits_as_a_whole(void **state)
{
    struct rig *rig = *state;
    struct tg_throttle who = {.address = TG_TEXT("192.0.2.7"), .now_ms = tg_now_ms()};
    struct tg_pause pause;
    char name[16];

    forget_all(rig);
    for (int i = 0; i < TG_THROTTLE_NETWORK; i++) {
        snprintf(name, sizeof(name), "name%d", i);
        who.name = tg_text(name);
        assert_result(0, tg_throttle_take(rig->store, &who, &pause));
    }
    struct tg_call *call = post(rig, "mara", PASSWORD, "192.0.2.7");
    assert_int_equal(call->reply.status, 429);
    assert_true(rig_body_has(call, "Many attempts"));
    assert_false(rig_body_has(call, "<bdi>mara</bdi>"));
    assert_int_equal(status_of(rig, "mara", PASSWORD, "192.0.2.8"), 303);
    rig_done(call);
}

static void a_session_says_how_and_when_it_began(void **state)
{
    struct rig *rig = *state;
    struct tg_session sessions[1];
    size_t count;

    forget_all(rig);
    assert_result(0, tg_session_end_all(rig->store, rig->mara.id));
    assert_int_equal(status_of(rig, "mara", PASSWORD, "192.0.2.7"), 303);
    assert_result(0, tg_session_list(rig->store, rig->mara.id, sessions, 1, &count));
    assert_int_equal(count, 1);
    assert_string_equal(sessions[0].amr, "pwd");
    assert_true(sessions[0].created_s >= tg_now_s() - 5 && sessions[0].created_s <= tg_now_s());
    assert_int_equal(sessions[0].auth_time_s, sessions[0].created_s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(within_the_pause_the_right_password_is_not_looked_at),
        rig_test(from_another_network_the_right_password_enters),
        rig_test(the_page_says_when_to_try_again),
        rig_test(a_name_that_nobody_has_gets_the_same),
        rig_test(a_network_that_guesses_names_waits_as_a_whole),
        rig_test(a_session_says_how_and_when_it_began),
    };
    return RIG_RUN(tests);
}
