/* A client asks to end the session: criteria 68 to 73. */
#include "rig.h"
#include "base/clock.h"
#include "base/jose.h"
#include "store/signing_key.h"

/* A browser of mara's, and what its client knows. */
struct scene {
    struct rig *rig;
    struct tg_arena arena;
    const char *session, *cookie;
    const char *hint;
};

enum hint_fault { HINT_GOOD, HINT_EXPIRED, HINT_FOREIGN_KEY, HINT_FOREIGN_AUD, HINT_FOREIGN_ISSUER,
                  HINT_NO_ALGORITHM, HINT_OTHER_USER };

static const char *make_hint(struct scene *scene, enum hint_fault fault)
{
    struct tg_signing_key keys[4];
    size_t count;
    int64_t now_s = tg_now_s() - (fault == HINT_EXPIRED ? 90000 : 0);
    TG_FREED char *token = NULL;
    const char *audience = fault == HINT_FOREIGN_AUD ? "nobody" : scene->rig->stranger.id;
    json_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss",
                               fault == HINT_FOREIGN_ISSUER ? "https://evil.example" : ISSUER, "sub",
                               fault == HINT_OTHER_USER ? "somebody" : scene->rig->mara.sub, "aud", audience, "iat",
                               (json_int_t)now_s, "exp", (json_int_t)now_s + 3600);

    assert_result(0, tg_signing_key_list(scene->rig->store, &scene->rig->ring, keys, 4, &count));
    if (fault == HINT_FOREIGN_KEY) {
        tg_wipe(keys[0].pem);
        assert_result(0, tg_jose_make_key(&keys[0].pem));
    }
    assert_result(0, tg_jose_sign(keys[0].pem, keys[0].kid, "JWT", claims, &token));
    for (size_t i = 0; i < count; ++i)
        tg_wipe(keys[i].pem);
    json_decref(claims);
    if (fault != HINT_NO_ALGORITHM)
        return tg_arena_copy(&scene->arena, tg_text(token));
    const char *payload = strchr(token, '.') + 1; /* {"alg":"none"} */
    return tg_arena_format(&scene->arena, "eyJhbGciOiJub25lIn0.%.*s.", (int)strcspn(payload, "."), payload);
}

static struct scene begin(struct rig *rig, enum hint_fault fault)
{
    struct scene scene = {.rig = rig};

    scene.session = scene.cookie = rig_session(rig, &scene.arena, 10);
    scene.hint = make_hint(&scene, fault);
    return scene;
}

static struct tg_call *ask(struct scene *scene, const char *method, const char *parameters)
{
    bool posted = strcmp(method, "POST") == 0;
    const char *target = posted ? "/end-session" : tg_arena_format(&scene->arena, "/end-session?%s", parameters);
    struct tg_call *call = rig_call(scene->rig, method, target);

    if (posted)
        rig_form(call, parameters);
    call->cookie = tg_text(scene->cookie);
    rig_run(scene->rig, call, tg_oidc_endpoints);
    const char *cookie = rig_header(call, "set-cookie");
    if (strncmp(cookie, "__Host-tg-csrf=", 15) == 0)
        scene->cookie = tg_arena_format(&scene->arena, "%s; %.*s", scene->session, (int)strcspn(cookie, ";"), cookie);
    return call;
}

static bool is_signed_in(struct scene *scene)
{
    struct tg_call *call = rig_call(scene->rig, "GET", tg_arena_format(&scene->arena, "/authorize?client_id=%s&redirect_uri=" APP_CALLBACK
                                    "&response_type=code&scope=openid&prompt=none", scene->rig->app.id));

    call->cookie = tg_text(scene->session);
    rig_run(scene->rig, call, tg_oidc_endpoints);
    const char *error = rig_location(call, "error");
    if (error != NULL)
        assert_string_equal(error, "login_required"); /* 73 */
    rig_done(call);
    return error == NULL;
}

static void assert_goes_to(struct tg_call *call, const char *location)
{
    if (call->reply.status != 303 || strcmp(rig_header(call, "location"), location) != 0)
        fail_msg("%d %s instead of %s", call->reply.status, rig_header(call, "location"), location);
}

static void assert_asks(struct tg_call *call)
{
    assert_int_equal(call->reply.status, 200);
    assert_string_equal(rig_header(call, "location"), "");
    assert_true(rig_body_has(call, "<h1>Sign out, <bdi>mara</bdi>?</h1>"));
}

/* What the page's button sends. */
static struct tg_call *confirm(struct scene *scene, struct tg_call *page)
{
    static const char *const names[] = {"csrf", "client_id", "post_logout_redirect_uri", "state"};
    TG_STRING body = {0};

    for (size_t i = 0; i < tg_count(names); ++i) {
        const char *wanted = tg_arena_format(&scene->arena, "name=\"%s\" value=\"", names[i]);
        const char *at = memmem(page->reply.body.base, page->reply.body.len, wanted, strlen(wanted));
        if (at == NULL)
            continue;
        at += strlen(wanted);
        tg_string_addf(&body, "%s%s=", body.len > 0 ? "&" : "", names[i]);
        tg_url_encode(&body, tg_text_n(at, strcspn(at, "\"")));
    }
    return ask(scene, "POST", body.base);
}

#define BYE STRANGER_ORIGIN "/bye"

static void criteria_68_and_73_a_good_hint_ends_the_session_and_goes_on(void **state)
{
    const enum hint_fault good[] = {HINT_GOOD, HINT_EXPIRED}; /* 71: expired is authentic */

    for (size_t i = 0; i < tg_count(good); ++i) {
        struct scene scene = begin(*state, good[i]);
        assert_true(is_signed_in(&scene));
        struct tg_call *call = ask(&scene, "GET",
                                    tg_arena_format(&scene.arena, "id_token_hint=%s&post_logout_redirect_uri=" BYE "&state=a%%26b",
                                                    scene.hint));
        assert_goes_to(call, BYE "?state=a%26b");
        assert_non_null(strstr(rig_header(call, "set-cookie"), TG_SESSION_COOKIE "=; "));
        assert_false(is_signed_in(&scene)); /* 73: also with the old cookie */
        rig_done(call);
        tg_arena_done(&scene.arena);
    }
}

static void criterion_68_a_post_is_sent_through_a_get_that_has_the_cookie(void **state)
{
    struct scene scene = begin(*state, HINT_GOOD);
    const char *cookie = scene.cookie;

    scene.cookie = ""; /* a post from another site comes without */
    struct tg_call *post = ask(&scene, "POST",
                                tg_arena_format(&scene.arena, "id_token_hint=%s&post_logout_redirect_uri=" BYE "&state=s", scene.hint));
    assert_int_equal(post->reply.status, 303);
    assert_int_equal(strncmp(rig_header(post, "location"), "/end-session?", 13), 0);
    assert_true(is_signed_in(&scene));
    scene.cookie = cookie;
    struct tg_call *call = ask(&scene, "GET", rig_header(post, "location") + 13);
    assert_goes_to(call, BYE "?state=s");
    assert_false(is_signed_in(&scene));
    rig_done(post);
    rig_done(call);
    tg_arena_done(&scene.arena);
}

static void criterion_69_without_a_fitting_hint_one_is_asked_and_then_goes_on(void **state)
{
    for (size_t i = 0; i < 2; ++i) {
        struct scene scene = begin(*state, i == 0 ? HINT_OTHER_USER : HINT_GOOD);
        struct tg_call *page = ask(&scene, "GET", i == 0
            ? tg_arena_format(&scene.arena, "id_token_hint=%s&post_logout_redirect_uri=" BYE "&state=s", scene.hint)
            : tg_arena_format(&scene.arena, "client_id=%s&post_logout_redirect_uri=" BYE "&state=s", scene.rig->stranger.id));
        assert_asks(page);
        assert_string_equal(page->reply.form_action, STRANGER_ORIGIN);
        assert_true(is_signed_in(&scene));
        struct tg_call *call = confirm(&scene, page);
        assert_goes_to(call, BYE "?state=s");
        assert_false(is_signed_in(&scene));
        rig_done(page);
        rig_done(call);
        tg_arena_done(&scene.arena);
    }
}

static void criterion_69_a_gitea_comes_back_to_itself(void **state)
{
    static const struct {
        const char *uri;
        bool goes;
    } cases[] = {
        {"https://git.example.test/", true},         {"https://git.example.test", true},
        {"https://git.example.test/x", false},       {"https://git.example.test.evil.example/", false},
        {"https://git.example.test:444/", false},    {"http://git.example.test/", false},
    };
    for (size_t i = 0; i < tg_count(cases); ++i) {
        struct scene scene = begin(*state, HINT_GOOD);
        struct tg_call *page = ask(&scene, "GET",
                                    tg_arena_format(&scene.arena, "client_id=%s&post_logout_redirect_uri=%s", scene.rig->git.id, cases[i].uri));
        assert_asks(page);
        struct tg_call *call = confirm(&scene, page);
        assert_string_equal(rig_header(call, "location"), cases[i].goes ? cases[i].uri : "");
        assert_false(is_signed_in(&scene));
        rig_done(page);
        rig_done(call);
        tg_arena_done(&scene.arena);
    }
}

static void criterion_70_nobody_is_sent_to_an_address_that_is_not_registered(void **state)
{
    static const char *const foreign[] = {BYE "%3Fx=1", BYE "/", BYE "%23x", STRANGER_ORIGIN "/first", "https://evil.example/",
                                          "//evil.example", "javascript:alert(1)", STRANGER_ORIGIN "/bye%20" STRANGER_ORIGIN "/"};

    for (size_t i = 0; i < tg_count(foreign); ++i) {
        struct scene scene = begin(*state, HINT_GOOD);
        struct tg_call *hinted = ask(&scene, "GET", tg_arena_format(&scene.arena, "id_token_hint=%s&post_logout_redirect_uri=%s&state=s",
                                                                     scene.hint, foreign[i]));
        if (hinted->reply.status != 200 || rig_header(hinted, "location")[0] != '\0')
            fail_msg("%s: %d %s", foreign[i], hinted->reply.status, rig_header(hinted, "location"));
        struct tg_call *gone = ask(&scene, "GET", tg_arena_format(&scene.arena, "client_id=%s&post_logout_redirect_uri=%s",
                                                                   scene.rig->stranger.id, foreign[i]));
        assert_int_equal(gone->reply.status, 200); /* nor is who has signed out already */
        rig_done(hinted);
        rig_done(gone);
        tg_arena_done(&scene.arena);
    }
}

static void criterion_71_a_forged_hint_leads_nowhere(void **state)
{
    const enum hint_fault forged[] = {HINT_FOREIGN_KEY, HINT_FOREIGN_AUD, HINT_FOREIGN_ISSUER, HINT_NO_ALGORITHM};

    for (size_t i = 0; i < tg_count(forged); ++i) {
        struct scene scene = begin(*state, forged[i]);
        struct tg_call *page = ask(&scene, "GET", tg_arena_format(&scene.arena, "id_token_hint=%s&client_id=%s&post_logout_redirect_uri=" BYE,
                                                                   scene.hint, scene.rig->stranger.id));
        assert_asks(page);
        assert_true(is_signed_in(&scene));
        struct tg_call *call = confirm(&scene, page);
        assert_int_equal(call->reply.status, 200);
        assert_true(rig_body_has(call, "You are signed out"));
        rig_done(page);
        rig_done(call);
        tg_arena_done(&scene.arena);
    }
}

static void criterion_72_nothing_or_only_a_state_asks_and_two_clients_are_an_error(void **state)
{
    struct scene scene = begin(*state, HINT_GOOD);
    struct tg_call *none = ask(&scene, "GET", ""), *only = ask(&scene, "GET", "state=s");
    struct tg_call *two = ask(&scene, "GET", tg_arena_format(&scene.arena, "id_token_hint=%s&client_id=%s", scene.hint, scene.rig->app.id));
    struct tg_call *unknown = ask(&scene, "GET", "client_id=nobody"), *twice = ask(&scene, "GET", "state=a&state=a");

    assert_asks(none);
    assert_asks(only);
    assert_int_equal(two->reply.status, 400);
    assert_int_equal(unknown->reply.status, 400);
    assert_int_equal(twice->reply.status, 400);
    assert_true(is_signed_in(&scene));
    struct tg_call *done = confirm(&scene, only);
    assert_int_equal(done->reply.status, 200);
    assert_true(rig_body_has(done, "You are signed out"));
    struct tg_call *all[] = {none, only, two, unknown, twice, done};
    for (size_t i = 0; i < tg_count(all); ++i)
        rig_done(all[i]);
    tg_arena_done(&scene.arena);
}

static void criterion_74_a_hint_without_the_cookie_signs_nobody_out(void **state)
{
    struct scene scene = begin(*state, HINT_GOOD);

    scene.cookie = "";
    struct tg_call *call = ask(&scene, "GET", tg_arena_format(&scene.arena, "id_token_hint=%s&post_logout_redirect_uri=" BYE, scene.hint));
    assert_goes_to(call, BYE);
    assert_true(is_signed_in(&scene));
    rig_done(call);
    tg_arena_done(&scene.arena);
}

static void criterion_78_the_confirmation_comes_from_our_page(void **state)
{
    struct scene scene = begin(*state, HINT_GOOD);
    struct tg_call *page = ask(&scene, "GET", ""), *call = ask(&scene, "POST", "csrf=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

    assert_int_equal(call->reply.status, 403);
    assert_true(is_signed_in(&scene));
    rig_done(page);
    rig_done(call);
    tg_arena_done(&scene.arena);
}

/* A retired key still vouches for what it signed (10), and a published next one would for what it will sign. */
static void criterion_68_a_hint_of_a_retired_key_is_good(void **state)
{
    struct scene scene = begin(*state, HINT_GOOD);
    struct tg_signing_key next = {.state = TG_SIGNING_NEXT, .created_s = tg_now_s() + 1};

    assert_result(0, tg_jose_make_key(&next.pem));
    assert_result(0, tg_jose_thumbprint(next.pem, next.kid));
    assert_result(0, tg_signing_key_add(scene.rig->store, &scene.rig->ring, &next));
    tg_wipe(next.pem);
    assert_result(0, tg_signing_key_promote(scene.rig->store, tg_now_s()));
    sleep(6); /* the process looks at its keys every five seconds */
    struct tg_call *call = ask(&scene, "GET", tg_arena_format(&scene.arena, "id_token_hint=%s&post_logout_redirect_uri=" BYE, scene.hint));
    assert_goes_to(call, BYE);
    assert_false(is_signed_in(&scene));
    rig_done(call);
    tg_arena_done(&scene.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(criteria_68_and_73_a_good_hint_ends_the_session_and_goes_on),
        rig_test(criterion_68_a_post_is_sent_through_a_get_that_has_the_cookie),
        rig_test(criterion_69_without_a_fitting_hint_one_is_asked_and_then_goes_on),
        rig_test(criterion_69_a_gitea_comes_back_to_itself),
        rig_test(criterion_70_nobody_is_sent_to_an_address_that_is_not_registered),
        rig_test(criterion_71_a_forged_hint_leads_nowhere),
        rig_test(criterion_72_nothing_or_only_a_state_asks_and_two_clients_are_an_error),
        rig_test(criterion_74_a_hint_without_the_cookie_signs_nobody_out),
        rig_test(criterion_78_the_confirmation_comes_from_our_page),
        rig_test(criterion_68_a_hint_of_a_retired_key_is_good),
    };
    return RIG_RUN(tests);
}
