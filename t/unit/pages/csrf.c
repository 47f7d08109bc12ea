#include "test.h"
#include "base/result.h"
#include "http/cookie.h"
#include "http/csrf.h"

static const struct tg_host host = {.authority = "auth.example", .origin = "https://auth.example"};
static struct tg_keyring ring = {.keys = {{1, {1}}}, .count = 1};

/* A form was fetched: its token, and the call in which the browser sends it back. */
static void fetch_form(struct tg_call *get, struct tg_call *post, struct tg_text *token)
{
    struct tg_text line, rest, name, value;

    *get = (struct tg_call){.host = &host};
    *token = tg_text(tg_csrf_token(get, &ring));
    assert_int_equal(get->reply.header_count, 1);
    line = get->reply.headers[0].value;
    rest = tg_text_cut(&line, ';');
    assert_true(tg_cookie_next(&rest, &name, &value));
    assert_true(tg_text_is(name, TG_CSRF_COOKIE));
    *post = (struct tg_call){.host = &host};
    post->cookie = tg_text(tg_arena_format(&get->arena, TG_CSRF_COOKIE "=%.*s", TG_TEXT_ARGS(value)));
}

static void a_token_passes_with_its_cookie_only(void **state)
{
    struct tg_call get, post, other_get, other_post;
    struct tg_text token, other;

    fetch_form(&get, &post, &token);
    fetch_form(&other_get, &other_post, &other);
    assert_int_equal(tg_csrf_check(&post, &ring, token), 0);
    assert_int_equal(tg_csrf_check(&post, &ring, other), TG_CSRF_REFUSED);
    assert_int_equal(tg_csrf_check(&post, &ring, (struct tg_text){NULL, 0}), TG_CSRF_REFUSED);
    assert_int_equal(tg_csrf_check(&post, &ring, TG_TEXT("")), TG_CSRF_REFUSED);
    assert_int_equal(tg_csrf_check(&post, &ring, tg_text_n(token.base, token.len - 1)), TG_CSRF_REFUSED);

    post.cookie = (struct tg_text){NULL, 0};
    assert_int_equal(tg_csrf_check(&post, &ring, token), TG_CSRF_REFUSED);
    tg_arena_done(&get.arena);
    tg_arena_done(&other_get.arena);
}

static void a_cookie_that_is_not_ours_is_replaced(void **state)
{
    struct tg_call call = {.host = &host, .cookie = TG_TEXT(TG_CSRF_COOKIE "=short")};

    assert_non_null(tg_csrf_token(&call, &ring));
    assert_int_equal(call.reply.header_count, 1);
    assert_int_equal(tg_csrf_check(&call, &ring, tg_text(tg_csrf_token(&call, &ring))), TG_CSRF_REFUSED);
    tg_arena_done(&call.arena);
}

static void a_client_with_a_cookie_keeps_it(void **state)
{
    struct tg_call get, post;
    struct tg_text token;

    fetch_form(&get, &post, &token);
    assert_true(tg_text_is(token, tg_csrf_token(&post, &ring)));
    assert_int_equal(post.reply.header_count, 0);
    assert_true(tg_text_is(token, tg_csrf_token(&get, &ring))); /* asked twice in one call: one cookie, one token */
    assert_int_equal(get.reply.header_count, 1);
    tg_arena_done(&get.arena);
    tg_arena_done(&post.arena);
}

static void origin_and_fetch_site_must_not_contradict(void **state)
{
    static const struct {
        const char *origin, *site;
        int answer;
    } cases[] = {
        {NULL, NULL, 0},
        {"https://auth.example", "same-origin", 0},
        {"null", "same-origin", 0},
        {"null", NULL, 0},
        {"null", "cross-site", TG_CSRF_REFUSED},
        {NULL, "same-site", TG_CSRF_REFUSED},
        {NULL, "cross-site", TG_CSRF_REFUSED},
        {NULL, "none", 0},
        {NULL, "", TG_CSRF_REFUSED},
        {"https://evil.example", NULL, TG_CSRF_REFUSED},
        {"http://auth.example", NULL, TG_CSRF_REFUSED},
        {"https://auth.example.evil", "same-origin", TG_CSRF_REFUSED},
        {"", NULL, TG_CSRF_REFUSED},
    };
    struct tg_call get, post;
    struct tg_text token;

    fetch_form(&get, &post, &token);
    for (size_t i = 0; i < tg_count(cases); i++) {
        print_message("# %s %s\n", cases[i].origin != NULL ? cases[i].origin : "-", cases[i].site != NULL ? cases[i].site : "-");
        post.origin = tg_text(cases[i].origin);
        post.sec_fetch_site = tg_text(cases[i].site);
        assert_int_equal(tg_csrf_check(&post, &ring, token), cases[i].answer);
    }
    tg_arena_done(&get.arena);
}

static void tokens_outlive_a_new_key(void **state)
{
    struct tg_keyring turned = {.keys = {{2, {2}}, {1, {1}}}, .count = 2}, foreign = {.keys = {{3, {3}}}, .count = 1};
    struct tg_call get, post;
    struct tg_text token;

    fetch_form(&get, &post, &token);
    assert_int_equal(tg_csrf_check(&post, &turned, token), 0);
    assert_int_equal(tg_csrf_check(&post, &foreign, token), TG_CSRF_REFUSED);
    tg_arena_done(&get.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_passes_with_its_cookie_only),
        cmocka_unit_test(a_cookie_that_is_not_ours_is_replaced),
        cmocka_unit_test(a_client_with_a_cookie_keeps_it),
        cmocka_unit_test(origin_and_fetch_site_must_not_contradict),
        cmocka_unit_test(tokens_outlive_a_new_key),
    };

    if (tg_secret_init() != 0)
        return 1;
    return RUN_TESTS(tests);
}
