/* The page that stands between signing in and going on, for who should renew soon. */
#include "rig.h"
#include "base/clock.h"

enum { DAY = 86400 };

#define CODE "&response_type=code&scope=openid"

static struct tg_call *ask(struct rig *rig, const struct tg_client *client, const char *cookie, const char *more)
{
    TG_STRING target = {0};

    tg_string_addf(&target, "/authorize?client_id=%s&redirect_uri=", client->id);
    tg_url_encode(&target, tg_text(client->redirect_uri));
    tg_string_addf(&target, CODE "%s", more);
    struct tg_call *call = rig_call(rig, "GET", target.base);
    call->cookie = tg_text(cookie);
    rig_run(rig, call, tg_oidc_endpoints);
    return call;
}

/* The value of a field of the form, as a browser would send it. */
static const char *field(struct tg_call *page, const char *name)
{
    const char *wanted = tg_arena_format(&page->arena, "name=\"%s\" value=\"", name);
    const char *at = strstr(page->reply.body.base, wanted);
    char *value, *to;

    if (at == NULL)
        fail_msg("no field %s", name);
    at += strlen(wanted);
    value = to = tg_arena_copy(&page->arena, tg_text_n(at, strcspn(at, "\"")));
    for (const char *from = value; *from != '\0'; from += strncmp(from, "&amp;", 5) == 0 ? 5 : 1)
        *to++ = *from;
    *to = '\0';
    return value;
}

static struct tg_call *go_on(struct rig *rig, struct tg_call *page, const char *cookie, const char *csrf)
{
    struct tg_call *call = rig_call(rig, "POST", "/notice");
    TG_STRING body = {0};

    tg_string_add(&body, TG_TEXT("csrf="));
    tg_url_encode(&body, tg_text(csrf != NULL ? csrf : field(page, "csrf")));
    tg_string_add(&body, TG_TEXT("&request="));
    tg_url_encode(&body, tg_text(field(page, "request")));
    rig_form(call, body.base);
    call->cookie = tg_text(cookie);
    call->origin = TG_TEXT(ISSUER);
    rig_run(rig, call, tg_oidc_endpoints);
    return call;
}

static bool is_notice(struct tg_call *call)
{
    return call->reply.status == 200 && call->reply.is_page && rig_body_has(call, "action=\"/notice\"");
}

/* The session's cookie and the one that the form is bound to. */
static const char *with_token(struct tg_call *page, const char *cookie)
{
    const char *set = rig_header(page, "set-cookie");

    return set[0] == '\0' ? cookie : tg_arena_format(&page->arena, "%s; %.*s", cookie, (int)strcspn(set, ";"), set);
}

static void the_page_is_read_once_a_day(void **state, int64_t end_s, const char *says)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    const char *cookie = rig_session(rig, &arena, 10);

    rig_expire(rig, end_s);
    struct tg_call *page = ask(rig, &rig->app, cookie, "&state=a%26b&nonce=n");
    assert_true(is_notice(page));
    assert_true(rig_body_has(page, says));
    assert_string_equal(page->reply.form_action, "https://app.example.test"); /* where the form ends */
    assert_string_equal(rig_header(page, "location"), "");
    struct tg_call *again = ask(rig, &rig->app, cookie, "");
    assert_true(is_notice(again)); /* it was not read yet */
    struct tg_call *forged = go_on(rig, page, with_token(page, cookie), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_int_equal(forged->reply.status, 403);

    struct tg_call *answer = go_on(rig, page, with_token(page, cookie), NULL);
    assert_int_equal(answer->reply.status, 303);
    assert_non_null(rig_location(answer, "code"));
    assert_string_equal(rig_location(answer, "state"), "a&b");
    struct tg_call *later = ask(rig, &rig->app, cookie, "");
    assert_int_equal(later->reply.status, 303); /* not again today */
    assert_non_null(rig_location(later, "code"));

    struct tg_call *all[] = {page, again, forged, answer, later};
    for (size_t i = 0; i < tg_count(all); ++i)
        rig_done(all[i]);
    tg_arena_done(&arena);
}

static void while_it_is_expiring(void **state)
{
    the_page_is_read_once_a_day(state, tg_now_s() + 5 * DAY, "Your subscription ends on");
}

static void and_again_in_grace_which_is_another_matter(void **state)
{
    the_page_is_read_once_a_day(state, tg_now_s() - 2 * DAY, "Your subscription has ended");
}

static void a_new_day_shows_it_again(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};

    assert_result(0, tg_db_run(rig->store->transient, "UPDATE notice SET until_s = until_s - 86400", NULL, 0, NULL));
    struct tg_call *call = ask(rig, &rig->app, rig_session(rig, &arena, 10), "");
    assert_true(is_notice(call));
    rig_done(call);
    tg_arena_done(&arena);
}

static void prompt_none_is_not_stopped_by_it(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    struct tg_call *call = ask(rig, &rig->app, rig_session(rig, &arena, 10), "&prompt=none");

    assert_int_equal(call->reply.status, 303);
    assert_non_null(rig_location(call, "code"));
    rig_done(call);
    tg_arena_done(&arena);
}

static void a_prompt_for_consent_is_kept(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    struct tg_call *call = ask(rig, &rig->app, rig_session(rig, &arena, 10), "&prompt=consent");

    assert_true(is_notice(call));
    assert_non_null(strstr(field(call, "request"), "&prompt=consent"));
    rig_done(call);
    tg_arena_done(&arena);
}

static void good_standing_goes_straight_on(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};

    rig_expire(rig, tg_now_s() + 100 * DAY);
    struct tg_call *call = ask(rig, &rig->app, rig_session(rig, &arena, 10), "");
    assert_int_equal(call->reply.status, 303);
    rig_done(call);
    tg_arena_done(&arena);
}

static void who_signed_out_meanwhile_signs_in_again(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    const char *cookie = rig_session(rig, &arena, 10);

    rig_expire(rig, tg_now_s() + 5 * DAY);
    struct tg_call *page = ask(rig, &rig->app, cookie, "");
    assert_true(is_notice(page));
    const char *with = with_token(page, cookie);
    assert_result(0, tg_session_end_all(rig->store, rig->mara.id));
    struct tg_call *answer = go_on(rig, page, with, NULL);
    assert_int_equal(answer->reply.status, 303);
    assert_int_equal(strncmp(rig_header(answer, "location"), "/sign-in?next=", 14), 0);
    rig_done(page);
    rig_done(answer);
    tg_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(while_it_is_expiring),
        rig_test(and_again_in_grace_which_is_another_matter),
        rig_test(a_new_day_shows_it_again),
        rig_test(prompt_none_is_not_stopped_by_it),
        rig_test(a_prompt_for_consent_is_kept),
        rig_test(good_standing_goes_straight_on),
        rig_test(who_signed_out_meanwhile_signs_in_again),
    };

    return RIG_RUN(tests);
}
