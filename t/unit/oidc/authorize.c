/* The authorization endpoint: criteria 11 to 13, 16 to 25, 31 to 34, and what a Gitea client gets. */
#include "rig.h"
#include "base/clock.h"
#include "store/instance.h"

#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" /* RFC 7636 appendix B */

/* "/authorize?client_id=...&redirect_uri=...&response_type=code&scope=openid" and more of it. */
static struct tg_call *ask(struct rig *rig, const struct tg_client *client, const char *more, bool signed_in)
{
    TG_STRING target = {0};

    tg_string_addf(&target, "/authorize?client_id=%s&redirect_uri=", client->id);
    tg_url_encode(&target, tg_text(client->redirect_uri));
    tg_string_addf(&target, "%s", more);
    struct tg_call *call = rig_call(rig, "GET", target.base);
    if (signed_in)
        call->cookie = tg_text(rig_session(rig, &call->arena, 10));
    rig_run(rig, call, tg_oidc_endpoints);
    return call;
}

#define CODE "&response_type=code&scope=openid"

static bool goes_to_app(struct tg_call *call)
{
    return call->reply.status == 303 && strncmp(rig_header(call, "location"), APP_CALLBACK "?", strlen(APP_CALLBACK) + 1) == 0;
}

static void assert_error(struct rig *rig, const char *more, const char *error)
{
    struct tg_call *call = ask(rig, &rig->app, more, true);

    if (!goes_to_app(call))
        fail_msg("%s: %d %s", more, call->reply.status, rig_header(call, "location"));
    assert_string_equal(rig_location(call, "error"), error);
    assert_null(rig_location(call, "code"));
    assert_string_equal(rig_location(call, "iss"), ISSUER);
    rig_done(call);
}

static void criteria_19_21_and_32_a_code_goes_to_the_client(void **state)
{
    struct rig *rig = *state;
    struct tg_call *call = ask(rig, &rig->app, CODE "&nonce=n-0S6&state=xyz", true);
    struct tg_grant grant;

    assert_true(goes_to_app(call));
    assert_int_equal(strlen(rig_location(call, "code")), 43);
    assert_string_equal(rig_location(call, "state"), "xyz");
    assert_string_equal(rig_location(call, "iss"), ISSUER);
    assert_result(0, tg_grant_look(rig->store, tg_text(rig_location(call, "code")), &grant));
    assert_string_equal(grant.client, rig->app.id);
    assert_string_equal(grant.account, rig->mara.id);
    assert_string_equal(grant.redirect_uri, APP_CALLBACK);
    assert_string_equal(grant.nonce, "n-0S6");
    assert_string_equal(grant.scope, "openid");
    assert_int_equal(strlen(grant.session), 43);
    assert_int_equal(grant.taken_ms, 0);
    assert_true(grant.expires_s <= tg_now_s() + 60 && grant.expires_s > tg_now_s() + 55);
    assert_true(grant.auth_time_s <= tg_now_s() - 10);
    rig_done(call);
}

static void criterion_8_no_cors_here(void **state)
{
    struct rig *rig = *state;
    struct tg_call *call = ask(rig, &rig->app, CODE, true);

    assert_string_equal(rig_header(call, "access-control-allow-origin"), "");
    assert_false(call->reply.cacheable);
    rig_done(call);
}

static void criterion_11_a_posted_form_is_the_same(void **state)
{
    struct rig *rig = *state;
    struct tg_call *call = rig_call(rig, "POST", "/authorize");

    rig_form(call, tg_arena_format(&call->arena, "client_id=%s&redirect_uri=%s" CODE "&state=s", rig->app.id, APP_CALLBACK));
    call->cookie = tg_text(rig_session(rig, &call->arena, 0));
    rig_run(rig, call, tg_oidc_endpoints);
    assert_true(goes_to_app(call));
    assert_non_null(rig_location(call, "code"));
    rig_done(call);
}

static void assert_page(struct rig *rig, const char *target)
{
    struct tg_call *call = rig_call(rig, "GET", target);

    call->cookie = tg_text(rig_session(rig, &call->arena, 0));
    rig_run(rig, call, tg_oidc_endpoints);
    if (call->reply.status != 400)
        fail_msg("%s: %d", target, call->reply.status);
    assert_true(call->reply.is_page);
    assert_string_equal(rig_header(call, "location"), "");
    rig_done(call);
}

static void criterion_12_unknown_client_or_address_is_a_page(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};

    assert_page(rig, "/authorize");
    assert_page(rig, "/authorize?client_id=nobody&redirect_uri=" APP_CALLBACK CODE);
    assert_page(rig, tg_arena_format(&arena, "/authorize?client_id=%s" CODE, rig->app.id));
    assert_page(rig, tg_arena_format(&arena, "/authorize?client_id=%s&redirect_uri=" CODE, rig->app.id));
    assert_page(rig,
                tg_arena_format(&arena, "/authorize?client_id=%s&client_id=%s&redirect_uri=" APP_CALLBACK CODE, rig->app.id,
                                rig->app.id));
    assert_page(rig, tg_arena_format(&arena, "/authorize?client_id=%s&redirect_uri=" APP_CALLBACK CODE "&x=%%zz", rig->app.id));
    assert_page(rig, tg_arena_format(&arena, "/authorize?client_id=%s&redirect_uri=" GIT_CALLBACK CODE, rig->app.id));
    tg_arena_done(&arena);
}

static void criterion_13_the_address_is_compared_byte_for_byte(void **state)
{
    static const char *const foreign[] = {
        "https://app.example.test/callback?x=1", "https://app.example.test/callback/", "https://app.example.test/Callback",
        "https://APP.example.test/callback", "https://app.example.test:443/callback", "https://app.example.test/x/../callback",
        "https://a@app.example.test/callback", "https://app.example.test/%63allback", "http://app.example.test/callback",
        "https://app.example.test/callback%23x", "https://app.example.test/callback%00",
    };
    struct rig *rig = *state;
    struct tg_arena arena = {0};

    for (size_t i = 0; i < tg_count(foreign); ++i) {
        TG_STRING encoded = {0};
        tg_url_encode(&encoded, tg_text(foreign[i]));
        assert_page(rig, tg_arena_format(&arena, "/authorize?client_id=%s&redirect_uri=%s" CODE, rig->app.id, encoded.base));
    }
    tg_arena_done(&arena);
}

static void criterion_16_only_the_code_flow(void **state)
{
    assert_error(*state, "&scope=openid&state=s", "invalid_request");
    assert_error(*state, "&scope=openid&response_type=", "invalid_request");
    assert_error(*state, "&scope=openid&response_type=token", "unsupported_response_type");
    assert_error(*state, "&scope=openid&response_type=id_token", "unsupported_response_type");
    assert_error(*state, "&scope=openid&response_type=code%20id_token", "unsupported_response_type");
    assert_error(*state, "&response_type=code", "invalid_scope");
    assert_error(*state, "&response_type=code&scope=profile", "invalid_scope");
}

static void criterion_17_unknown_is_ignored_empty_is_absent_repeated_is_refused(void **state)
{
    struct rig *rig = *state;
    struct tg_call *call = ask(rig, &rig->app, CODE "&extra=1&extra=2&prompt=&code_challenge=&state=", true);

    assert_non_null(rig_location(call, "code"));
    assert_null(rig_location(call, "state"));
    rig_done(call);
    assert_error(rig, CODE "&scope=openid", "invalid_request");
    assert_error(rig, CODE "&state=a&state=b", "invalid_request");
    assert_error(rig, CODE "&nonce=a&nonce=a", "invalid_request");
    assert_error(rig, CODE "&login_hint=a&login_hint=a", "invalid_request");
}

static void criterion_18_state_comes_back_byte_for_byte(void **state)
{
    struct rig *rig = *state;
    const char *encoded = "a%20b%2Bc%26d%3D%22%3C%C3%BC%0D%0A";
    struct tg_arena arena = {0};
    struct tg_call *call = ask(rig, &rig->app, tg_arena_format(&arena, CODE "&state=%s", encoded), true);

    assert_string_equal(rig_location(call, "state"), "a b+c&d=\"<\xc3\xbc\r\n");
    assert_null(strpbrk(rig_header(call, "location"), " \r\n\"<"));
    rig_done(call);
    call = ask(rig, &rig->app, tg_arena_format(&arena, "&scope=openid&state=%s", encoded), true);
    assert_string_equal(rig_location(call, "error"), "invalid_request");
    assert_string_equal(rig_location(call, "state"), "a b+c&d=\"<\xc3\xbc\r\n");
    rig_done(call);
    call = ask(rig, &rig->app, CODE, true);
    assert_null(rig_location(call, "state"));
    rig_done(call);
    tg_arena_done(&arena);
}

static void criterion_23_pkce_is_s256(void **state)
{
    struct rig *rig = *state;
    struct tg_call *call = ask(rig, &rig->app, CODE "&code_challenge_method=S256&code_challenge=" CHALLENGE, true);
    struct tg_grant grant;

    assert_result(0, tg_grant_look(rig->store, tg_text(rig_location(call, "code")), &grant));
    assert_string_equal(grant.challenge, CHALLENGE);
    rig_done(call);
    assert_error(rig, CODE "&code_challenge=" CHALLENGE, "invalid_request");
    assert_error(rig, CODE "&code_challenge_method=plain&code_challenge=" CHALLENGE, "invalid_request");
    assert_error(rig, CODE "&code_challenge_method=S256", "invalid_request");
    assert_error(rig, CODE "&code_challenge_method=S256&code_challenge=short", "invalid_request");
    assert_error(rig, CODE "&code_challenge_method=S256&code_challenge=" CHALLENGE "%2B", "invalid_request");
    assert_error(rig, CODE "&code_challenge_method=S256&code_challenge=" CHALLENGE CHALLENGE CHALLENGE, "invalid_request");
}

static void criterion_24_prompt_none_never_shows_a_page(void **state)
{
    struct rig *rig = *state;
    struct tg_call *call = ask(rig, &rig->app, CODE "&prompt=none&state=s", false);

    assert_true(goes_to_app(call));
    assert_string_equal(rig_location(call, "error"), "login_required");
    assert_string_equal(rig_location(call, "state"), "s");
    rig_done(call);
    call = ask(rig, &rig->app, CODE "&prompt=none", true);
    assert_non_null(rig_location(call, "code"));
    rig_done(call);
    assert_error(rig, CODE "&prompt=none&max_age=1", "login_required");

    rig_expire(rig, tg_now_s() - 30 * 86400);
    assert_error(rig, CODE "&prompt=none", "interaction_required");
    rig_expire(rig, tg_now_s() + 300 * 86400);
}

static void criterion_25_prompt_none_goes_alone(void **state)
{
    assert_error(*state, CODE "&prompt=none%20login", "invalid_request");
    assert_error(*state, CODE "&prompt=login%20none", "invalid_request");
}

static void criterion_26_prompt_login_and_27_max_age_ask_again_once(void **state)
{
    static const char *const asking[] = {"&prompt=login", "&max_age=5", "&max_age=0"};
    struct rig *rig = *state;

    for (size_t i = 0; i < tg_count(asking); ++i) {
        struct tg_arena arena = {0};
        struct tg_call *call = ask(rig, &rig->app, tg_arena_format(&arena, CODE "%s&state=s", asking[i]), true);
        const char *next = rig_location(call, "next");
        assert_int_equal(call->reply.status, 303);
        assert_int_equal(strncmp(rig_header(call, "location"), "/sign-in?", 9), 0);
        assert_non_null(next);
        assert_null(strstr(next, "prompt"));
        assert_null(strstr(next, "max_age"));
        assert_non_null(strstr(next, "&state=s"));
        struct tg_call *back = rig_call(rig, "GET", next);
        back->cookie = tg_text(rig_session(rig, &back->arena, 0));
        rig_run(rig, back, tg_oidc_endpoints);
        assert_non_null(rig_location(back, "code"));
        rig_done(back);
        rig_done(call);
        tg_arena_done(&arena);
    }
    struct tg_call *fresh = ask(rig, &rig->app, CODE "&max_age=100", true);
    assert_non_null(rig_location(fresh, "code"));
    rig_done(fresh);
}

static void criterion_31_what_is_not_supported_is_named(void **state)
{
    assert_error(*state, CODE "&request=eyJ", "request_not_supported");
    assert_error(*state, CODE "&request_uri=https%3A%2F%2Fx", "request_uri_not_supported");
    assert_error(*state, CODE "&registration=%7B%7D", "registration_not_supported");
    assert_error(*state, CODE "&response_mode=form_post", "invalid_request");
}

static void criterion_34_descriptions_use_allowed_characters(void **state)
{
    struct rig *rig = *state;
    struct tg_call *call = ask(rig, &rig->app, "&scope=openid&nonce=a&nonce=%22%5C", true);
    const char *text = rig_location(call, "error_description");

    for (; *text != '\0'; ++text)
        assert_true(*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\');
    rig_done(call);
}

static void nobody_signed_in_goes_to_sign_in_and_back(void **state)
{
    struct rig *rig = *state;
    struct tg_call *call = ask(rig, &rig->app, CODE "&state=a%26b&nonce=n", false), *back;

    assert_int_equal(call->reply.status, 303);
    assert_int_equal(strncmp(rig_header(call, "location"), "/sign-in?next=", 14), 0);
    back = rig_call(rig, "GET", rig_location(call, "next"));
    back->cookie = tg_text(rig_session(rig, &back->arena, 0));
    rig_run(rig, back, tg_oidc_endpoints);
    assert_true(goes_to_app(back));
    assert_string_equal(rig_location(back, "state"), "a&b");
    rig_done(back);
    rig_done(call);
}

static void locked_accounts_and_old_epochs_are_not_signed_in(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    const char *cookie = rig_session(rig, &arena, 0);

    assert_result(0, tg_account_raise_epoch(rig->store, rig->mara.id));
    struct tg_call *call = rig_call(rig, "GET",
                                    tg_arena_format(&arena, "/authorize?client_id=%s&redirect_uri=" APP_CALLBACK CODE,
                                                    rig->app.id));
    call->cookie = tg_text(cookie);
    rig_run(rig, call, tg_oidc_endpoints);
    assert_int_equal(strncmp(rig_header(call, "location"), "/sign-in?", 9), 0);
    rig_done(call);

    assert_result(0, tg_account_set_locked(rig->store, rig->mara.id, true));
    call = ask(rig, &rig->app, CODE, true);
    assert_int_equal(strncmp(rig_header(call, "location"), "/sign-in?", 9), 0);
    rig_done(call);
    assert_result(0, tg_account_set_locked(rig->store, rig->mara.id, false));
    tg_arena_done(&arena);
}

/* What Gitea says about users, as JSON of its API. */
#define USER(id, sub)                                                                                                              \
    "{\"id\":" id ",\"login\":\"mara\",\"login_name\":\"" sub "\",\"source_id\":7,\"email\":\"mara@example.test\","                  \
    "\"is_admin\":false,\"prohibit_login\":false}"

static void criterion_33_a_blocked_account_reads_a_page_and_no_oauth_error(void **state)
{
    struct rig *rig = *state;

    rig_expire(rig, tg_now_s() - 30 * 86400);
    standin_answers(&rig->standin, NULL);
    struct tg_call *call = ask(rig, &rig->git, CODE "&state=s", true);
    assert_int_equal(call->reply.status, 402);
    assert_true(call->reply.is_page);
    assert_string_equal(rig_header(call, "location"), "");
    assert_true(rig_body_has(call, "https://pay.example.test/renew"));
    assert_int_equal(rig->standin.asked, 0);
    rig_done(call);
    rig_expire(rig, tg_now_s() + 300 * 86400);
}

static void no_code_for_gitea_that_is_not_set_up_or_does_not_answer(void **state)
{
    static const struct standin_answer down[] = {{"GET /api/v1/admin/users", 500, "text/plain", "oops"}, {NULL}};
    static const struct standin_answer mute[] = {{"GET /api/v1/admin/users", 0, NULL, NULL}, {NULL}};
    struct rig *rig = *state;
    struct tg_call *call = ask(rig, &rig->git, CODE, true);
    struct tg_instance instance = {.host = "git.example.test", .source_id = 7, .source_name = "teagate"};

    assert_int_equal(call->reply.status, 503);
    assert_true(call->reply.is_page);
    rig_done(call);
    memcpy(instance.client, rig->git.id, sizeof(instance.client));
    assert_result(0, tg_instance_put(rig->store, &instance));

    standin_answers(&rig->standin, down);
    call = ask(rig, &rig->git, CODE, true);
    assert_int_equal(call->reply.status, 503);
    assert_string_equal(rig_header(call, "location"), "");
    rig_done(call);

    call = ask(rig, &rig->git, CODE "&prompt=none", true); /* 24 again */
    assert_int_equal(call->reply.status, 303);
    assert_string_equal(rig_location(call, "error"), "temporarily_unavailable");
    rig_done(call);

    int64_t before_ms = tg_monotonic_ms();
    standin_answers(&rig->standin, mute);
    call = ask(rig, &rig->git, CODE, true);
    assert_int_equal(call->reply.status, 503);
    assert_true(tg_monotonic_ms() - before_ms < 3000);
    rig_done(call);
    sleep(3); /* the stand-in waits until then */
}

static void the_user_is_made_before_the_first_code_and_confirmed_before_each(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    struct standin_answer made[] = {{"GET /api/v1/admin/users", 200, "application/json", "[]"},
                                    {"POST /api/v1/admin/users", 201, "application/json", NULL}, {NULL}};
    struct standin_answer there[] = {{"GET /api/v1/admin/users", 200, "application/json", NULL}, {NULL}};
    int64_t user = 0;

    made[1].body = tg_arena_format(&arena, USER("42", "%s"), rig->mara.sub);
    standin_answers(&rig->standin, made);
    struct tg_call *call = ask(rig, &rig->git, CODE "&state=s", true);
    assert_non_null(rig_location(call, "code"));
    assert_int_equal(strncmp(rig_header(call, "location"), GIT_CALLBACK "?code=", strlen(GIT_CALLBACK) + 6), 0);
    assert_result(0, tg_member_user(rig->store, "git.example.test", rig->mara.id, &user));
    assert_int_equal(user, 42);
    assert_non_null(strstr(rig->standin.heads, tg_arena_format(&arena, "source_id=7&login_name=%s", rig->mara.sub)));
    assert_non_null(strstr(rig->standin.heads, "\r\nHost: git.example.test\r\n"));
    assert_non_null(strstr(rig->standin.heads, "\r\nX-Forwarded-Proto: https\r\n"));
    assert_non_null(strstr(rig->standin.heads, "\r\nAuthorization: token 0123456789abcdef\r\n"));
    rig_done(call);

    there[0].body = tg_arena_format(&arena, "[" USER("42", "%s") "]", rig->mara.sub);
    standin_answers(&rig->standin, there);
    call = ask(rig, &rig->git, CODE, true);
    assert_non_null(rig_location(call, "code"));
    assert_int_equal(rig->standin.asked, 1);
    rig_done(call);

    there[0].body = tg_arena_format(&arena, "[" USER("43", "%s") "]", rig->mara.sub); /* deleted and made anew */
    call = ask(rig, &rig->git, CODE, true);
    assert_int_equal(call->reply.status, 403);
    assert_string_equal(rig_header(call, "location"), "");
    rig_done(call);

    there[0].body = "[]"; /* deleted */
    call = ask(rig, &rig->git, CODE, true);
    assert_int_equal(call->reply.status, 403);
    rig_done(call);
    tg_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(criteria_19_21_and_32_a_code_goes_to_the_client),
        rig_test(criterion_8_no_cors_here),
        rig_test(criterion_11_a_posted_form_is_the_same),
        rig_test(criterion_12_unknown_client_or_address_is_a_page),
        rig_test(criterion_13_the_address_is_compared_byte_for_byte),
        rig_test(criterion_16_only_the_code_flow),
        rig_test(criterion_17_unknown_is_ignored_empty_is_absent_repeated_is_refused),
        rig_test(criterion_18_state_comes_back_byte_for_byte),
        rig_test(criterion_23_pkce_is_s256),
        rig_test(criterion_24_prompt_none_never_shows_a_page),
        rig_test(criterion_25_prompt_none_goes_alone),
        rig_test(criterion_26_prompt_login_and_27_max_age_ask_again_once),
        rig_test(criterion_31_what_is_not_supported_is_named),
        rig_test(criterion_34_descriptions_use_allowed_characters),
        rig_test(nobody_signed_in_goes_to_sign_in_and_back),
        rig_test(locked_accounts_and_old_epochs_are_not_signed_in),
        rig_test(criterion_33_a_blocked_account_reads_a_page_and_no_oauth_error),
        rig_test(no_code_for_gitea_that_is_not_set_up_or_does_not_answer),
        rig_test(the_user_is_made_before_the_first_code_and_confirmed_before_each),
    };
    return RIG_RUN(tests);
}
