/* Who may know who somebody is: criteria 14, 22, 24, 26, 33, 78 and public clients, at the authorization endpoint. */
#include "rig.h"
#include "base/clock.h"

#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" /* RFC 7636 appendix B */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define WITH_PKCE "&code_challenge_method=S256&code_challenge=" CHALLENGE

/* A browser of mara's: her session, and the cookie that forms come with. */
struct browser {
    struct rig *rig;
    struct tg_arena arena;
    const char *session, *cookie;
};

static struct browser open_browser(struct rig *rig)
{
    struct browser browser = {.rig = rig};

    browser.session = browser.cookie = rig_session(rig, &browser.arena, 10);
    return browser;
}

static struct tg_call *get(struct browser *browser, const char *target)
{
    struct tg_call *call = rig_call(browser->rig, "GET", target);

    call->cookie = tg_text(browser->cookie);
    rig_run(browser->rig, call, tg_oidc_endpoints);
    const char *cookie = rig_header(call, "set-cookie");
    if (cookie[0] != '\0')
        browser->cookie = tg_arena_format(&browser->arena, "%s; %.*s", browser->session, (int)strcspn(cookie, ";"), cookie);
    return call;
}

static const char *target_of(struct browser *browser, const struct tg_client *client, const char *redirect_uri, const char *more)
{
    TG_STRING target = {0};

    tg_string_addf(&target, "/authorize?client_id=%s&response_type=code&redirect_uri=", client->id);
    tg_url_encode(&target, tg_text(redirect_uri));
    tg_string_addf(&target, "%s", more);
    return tg_arena_copy(&browser->arena, tg_string_text(&target));
}

static struct tg_call *ask(struct browser *browser, const char *more)
{
    return get(browser, target_of(browser, &browser->rig->stranger, STRANGER_CALLBACK, more));
}

/* The value of a hidden field, as it stands in the page but with its entities read. */
static const char *field(struct tg_call *page, const char *name)
{
    const char *wanted = tg_arena_format(&page->arena, "name=\"%s\" value=\"", name);
    const char *at = memmem(page->reply.body.base, page->reply.body.len, wanted, strlen(wanted));
    char *value, *to;

    if (at == NULL)
        fail_msg("no field %s in: %.*s", name, TG_TEXT_ARGS(page->reply.body));
    at += strlen(wanted);
    value = to = tg_arena_copy(&page->arena, tg_text_n(at, strcspn(at, "\"")));
    for (const char *from = value; *from != '\0';) {
        if (strncmp(from, "&amp;", 5) == 0) {
            *to++ = '&';
            from += 5;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return value;
}

static void add_field(struct tg_string *body, const char *name, const char *value)
{
    tg_string_addf(body, "%s%s=", body->len > 0 ? "&" : "", name);
    tg_url_encode(body, tg_text(value));
}

/* Presses a button of the page. change (may be NULL) names a field that gets another value. */
static struct tg_call *press(struct browser *browser, struct tg_call *page, const char *button, const char *change,
                             const char *value)
{
    static const char *const names[] = {"csrf", "subject", "request"};
    struct tg_call *call = rig_call(browser->rig, "POST", "/consent");
    TG_STRING body = {0};

    for (size_t i = 0; i < tg_count(names); ++i)
        add_field(&body, names[i], change != NULL && strcmp(change, names[i]) == 0 ? value : field(page, names[i]));
    add_field(&body, "answer", button);
    rig_form(call, body.base);
    call->cookie = tg_text(browser->cookie);
    call->origin = TG_TEXT(ISSUER);
    rig_run(browser->rig, call, tg_oidc_endpoints);
    return call;
}

static void assert_page(struct tg_call *call)
{
    if (call->reply.status != 200 || !call->reply.is_page)
        fail_msg("%d %s", call->reply.status, rig_header(call, "location"));
    assert_true(rig_body_has(call, "<bdi>Woodpecker</bdi> at <bdi>ci.example.test:8443</bdi> wants to sign you in"));
    assert_string_equal(call->reply.form_action, STRANGER_ORIGIN); /* 36: the policy names where the form ends */
    assert_string_equal(rig_header(call, "location"), "");
}

static void somebody_is_asked_once_and_told_what_the_client_gets(void **state)
{
    struct browser mara = open_browser(*state);
    struct tg_call *page = ask(&mara, "&scope=openid%20email&state=a%26b%22&nonce=n");

    assert_page(page);
    assert_true(rig_body_has(page, "mara@example.test"));
    assert_false(rig_body_has(page, "display name"));
    struct tg_call *answer = press(&mara, page, "allow", NULL, NULL);
    assert_int_equal(answer->reply.status, 303); /* 20 */
    assert_int_equal(strncmp(rig_header(answer, "location"), STRANGER_CALLBACK "&code=", strlen(STRANGER_CALLBACK) + 6), 0);
    assert_string_equal(rig_location(answer, "state"), "a&b\"");
    assert_string_equal(rig_location(answer, "iss"), ISSUER);
    struct tg_grant grant;
    assert_result(0, tg_grant_look(mara.rig->store, tg_text(rig_location(answer, "code")), &grant));
    assert_string_equal(grant.scope, "openid email");
    assert_string_equal(grant.nonce, "n");

    struct tg_call *again = ask(&mara, "&scope=openid%20email"), *less = ask(&mara, "&scope=openid"),
                   *more = ask(&mara, "&scope=openid%20profile");
    assert_non_null(rig_location(again, "code"));
    assert_non_null(rig_location(less, "code"));
    assert_page(more);
    assert_true(rig_body_has(more, "Mara &lt;Ahorn&gt;"));
    struct tg_call *all[] = {page, answer, again, less, more};
    for (size_t i = 0; i < tg_count(all); ++i)
        rig_done(all[i]);
    tg_arena_done(&mara.arena);
}

static void criterion_24_prompt_none_before_consent_is_consent_required(void **state)
{
    struct browser mara = open_browser(*state);
    struct tg_call *call = ask(&mara, "&scope=openid%20groups&prompt=none&state=s");

    assert_int_equal(call->reply.status, 303);
    assert_string_equal(rig_location(call, "error"), "consent_required");
    assert_string_equal(rig_location(call, "state"), "s");
    rig_done(call);
    tg_arena_done(&mara.arena);
}

static void criterion_26_prompt_consent_asks_again(void **state)
{
    struct browser mara = open_browser(*state);
    struct tg_call *page = ask(&mara, "&scope=openid%20email&prompt=consent"), *answer;

    assert_page(page);
    answer = press(&mara, page, "allow", NULL, NULL); /* and not for ever */
    assert_non_null(rig_location(answer, "code"));
    rig_done(page);
    rig_done(answer);

    struct tg_call *both = ask(&mara, "&scope=openid%20email&prompt=login%20consent");
    assert_int_equal(strncmp(rig_header(both, "location"), "/sign-in?next=", 14), 0);
    struct tg_call *back = get(&mara, rig_location(both, "next"));
    assert_page(back);
    rig_done(both);
    rig_done(back);
    tg_arena_done(&mara.arena);
}

static void criterion_33_who_does_not_allow_it_sends_access_denied(void **state)
{
    struct browser mara = open_browser(*state);
    struct tg_call *page = ask(&mara, "&scope=openid%20groups&state=s"), *answer = press(&mara, page, "deny", NULL, NULL),
                   *again = ask(&mara, "&scope=openid%20groups");

    assert_int_equal(answer->reply.status, 303);
    assert_string_equal(rig_location(answer, "error"), "access_denied");
    assert_string_equal(rig_location(answer, "state"), "s");
    assert_string_equal(rig_location(answer, "iss"), ISSUER);
    assert_null(rig_location(answer, "code"));
    assert_page(again);
    rig_done(page);
    rig_done(answer);
    rig_done(again);
    tg_arena_done(&mara.arena);
}

static void criterion_33_a_blocked_account_reads_our_page_and_goes_on_to_access_denied(void **state)
{
    struct rig *rig = *state;
    struct browser mara = open_browser(rig);

    rig_expire(rig, tg_now_s() - 30 * 86400);
    struct tg_call *call = ask(&mara, "&scope=openid&state=s");
    assert_int_equal(call->reply.status, 402);
    assert_true(call->reply.is_page);
    assert_string_equal(rig_header(call, "location"), "");
    assert_true(rig_body_has(call, "https://pay.example.test/renew"));
    assert_true(rig_body_has(call, "href=\"" STRANGER_ORIGIN "/authorize?x=1&amp;error=access_denied&amp;error_description="));
    assert_true(rig_body_has(call, "&amp;state=s&amp;iss=https%3A%2F%2Fauth.example.test\""));
    rig_done(call);
    rig_expire(rig, tg_now_s() + 300 * 86400);
    tg_arena_done(&mara.arena);
}

static void criterion_78_consent_comes_from_our_page_and_is_of_whom_it_named(void **state)
{
    struct browser mara = open_browser(*state);
    struct tg_call *page = ask(&mara, "&scope=openid%20groups");
    static const struct {
        const char *field, *value;
        int status;
    } cases[] = {
        {"csrf", "", 403},
        {"csrf", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 403},
        {"subject", "", 400},
        {"subject", "somebody", 200}, /* asked again */
        {"request", "", 400},
        {"request", "/sign-out", 400},
        {"request", "https://evil.example/authorize?x", 400},
        {"request", "/authorize?client_id=nobody", 400},
    };
    for (size_t i = 0; i < tg_count(cases); ++i) {
        struct tg_call *call = press(&mara, page, "allow", cases[i].field, cases[i].value);
        if (call->reply.status != cases[i].status)
            fail_msg("%s=%s: %d", cases[i].field, cases[i].value, call->reply.status);
        assert_string_equal(rig_header(call, "location"), "");
        rig_done(call);
    }
    struct browser nobody = mara;
    nobody.cookie = strstr(mara.cookie, "; ") + 2; /* the form's cookie without a session */
    struct tg_call *call = press(&nobody, page, "allow", NULL, NULL);
    assert_int_equal(strncmp(rig_header(call, "location"), "/sign-in?next=", 14), 0);
    rig_done(call);
    rig_done(page);
    tg_arena_done(&mara.arena);
}

static void criterion_14_a_native_client_comes_back_to_any_port(void **state)
{
    static const struct {
        const char *uri;
        bool goes;
    } cases[] = {
        {NATIVE_CALLBACK, true},
        {"http://127.0.0.1:51004/callback", true},
        {"http://127.0.0.1:51004/callback/", false},
        {"http://[::1]:51004/callback", false}, /* another address was registered */
        {"http://localhost:51004/callback", false},
        {"http://127.0.0.1.evil.example/callback", false},
    };
    struct browser mara = open_browser(*state);

    for (size_t i = 0; i < tg_count(cases); ++i) {
        struct tg_call *call = get(&mara, target_of(&mara, &mara.rig->native, cases[i].uri, "&scope=openid" WITH_PKCE));
        if (call->reply.status != (cases[i].goes ? 303 : 400))
            fail_msg("%s: %d", cases[i].uri, call->reply.status);
        if (cases[i].goes)
            assert_int_equal(strncmp(rig_header(call, "location"), cases[i].uri, strlen(cases[i].uri)), 0);
        rig_done(call);
    }
    tg_arena_done(&mara.arena);
}

static void criterion_22_a_public_client_needs_pkce(void **state)
{
    struct browser mara = open_browser(*state);
    struct tg_call *call = get(&mara, target_of(&mara, &mara.rig->native, NATIVE_CALLBACK, "&scope=openid&state=s"));

    assert_int_equal(call->reply.status, 303);
    assert_int_equal(strncmp(rig_header(call, "location"), NATIVE_CALLBACK "?error=", strlen(NATIVE_CALLBACK) + 7), 0);
    assert_string_equal(rig_location(call, "error"), "invalid_request");
    assert_string_equal(rig_location(call, "state"), "s");
    rig_done(call);
    tg_arena_done(&mara.arena);
}

static int redeem(struct browser *mara, const char *port, const char *more, bool with_secret)
{
    const char *uri = tg_arena_format(&mara->arena, "http://127.0.0.1:%s/callback", port);
    struct tg_call *page = get(mara, target_of(mara, &mara->rig->native, "http://127.0.0.1:7/callback",
                                               "&scope=openid%20profile" WITH_PKCE));
    struct tg_call *call = rig_call(mara->rig, "POST", "/token");

    rig_form(call, tg_arena_format(&mara->arena, "grant_type=authorization_code&code=%s&redirect_uri=%s%s",
                                    rig_location(page, "code"), uri, more));
    if (with_secret)
        rig_basic(call, mara->rig->native.id, SECRET_ENCODED);
    rig_run(mara->rig, call, tg_oidc_endpoints);
    int status = call->reply.status;
    if (status == 200) {
        json_t *json = rig_json(call);
        assert_string_equal(json_string_value(json_object_get(json, "scope")), "openid"); /* it may not ask for the profile */
        json_decref(json);
    }
    rig_done(page);
    rig_done(call);
    return status;
}

static void criteria_40_and_42_a_public_client_shows_its_id_and_the_verifier(void **state)
{
    struct browser mara = open_browser(*state);
    const char *id = tg_arena_format(&mara.arena, "&client_id=%s", mara.rig->native.id);
    const char *verified = tg_arena_format(&mara.arena, "%s&code_verifier=" VERIFIER, id);

    assert_int_equal(redeem(&mara, "7", verified, false), 200);
    assert_int_equal(redeem(&mara, "8", verified, false), 400); /* another port than it came from */
    assert_int_equal(redeem(&mara, "7", id, false), 400);
    assert_int_equal(redeem(&mara, "7", verified, true), 401); /* it has no secret */
    assert_int_equal(redeem(&mara, "7", tg_arena_format(&mara.arena, "%s&client_secret=x", verified), false), 401);
    assert_int_equal(redeem(&mara, "7", "&code_verifier=" VERIFIER, false), 401);
    tg_arena_done(&mara.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(somebody_is_asked_once_and_told_what_the_client_gets),
        rig_test(criterion_24_prompt_none_before_consent_is_consent_required),
        rig_test(criterion_26_prompt_consent_asks_again),
        rig_test(criterion_33_who_does_not_allow_it_sends_access_denied),
        rig_test(criterion_33_a_blocked_account_reads_our_page_and_goes_on_to_access_denied),
        rig_test(criterion_78_consent_comes_from_our_page_and_is_of_whom_it_named),
        rig_test(criterion_14_a_native_client_comes_back_to_any_port),
        rig_test(criterion_22_a_public_client_needs_pkce),
        rig_test(criteria_40_and_42_a_public_client_shows_its_id_and_the_verifier),
    };
    return RIG_RUN(tests);
}
