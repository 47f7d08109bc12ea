/* Whose a credential is, as Giteas of several versions and moods tell it. */
#include "../io/scratch.h"
#include <string.h>
#include "base/clock.h"
#include "base/secret.h"
#include "gitea/api.h"
#include "standin.h"

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define PAGE "text/html; charset=utf-8"
#define TOKEN_API "GET /api/v1/token "
#define USERINFO "GET /login/oauth/userinfo "
#define USER_API "GET /api/v1/user "
#define ANSWERS(...) ((const struct standin_answer[]){__VA_ARGS__, {NULL}})

struct asked {
    struct scratch *scratch;
    struct standin standin;
    struct tg_worker worker;
    struct tg_gitea_conf conf;
};

static int make(void **state)
{
    struct asked *asked = tg_alloc(sizeof(*asked));

    if (tg_secret_init() != 0 || scratch_make((void **)&asked->scratch) != 0 || tg_fetcher_new(&asked->worker.fetcher) != 0)
        return -1;
    standin_start(&asked->standin, asked->scratch->directory);
    standin_configure(&asked->standin, &asked->conf);
    *state = asked;
    return 0;
}

static int clean(void **state)
{
    struct asked *asked = *state;

    standin_stop(&asked->standin);
    tg_fetcher_free(asked->worker.fetcher);
    void *scratch = asked->scratch;
    free(asked);
    return scratch_remove(&scratch);
}

/* host: what is remembered of one host must not help or harm the next case. */
static void assert_resolved(struct asked *asked, const char *host, const struct standin_answer *answers, enum tg_resolved wanted,
                            int64_t wanted_user)
{
    enum tg_resolved answer;
    struct tg_gitea_user user = {.id = -99};

    asked->conf.host = host;
    standin_answers(&asked->standin, answers);
    assert_result(0, tg_gitea_resolve(&asked->worker, &asked->conf, TG_TEXT("abc123"), &answer, &user));
    if (answer != wanted || user.id != wanted_user)
        fail_msg("%s: %d, user %lld (%s)", host, answer, (long long)user.id, tg_failure());
}

static void a_gitea_with_the_token_api(void **state)
{
    assert_resolved(*state, "a1", ANSWERS({TOKEN_API, 200, JSON, "{\"id\":1,\"user\":{\"id\":7,\"login\":\"x\"}}"}),
                    TG_RESOLVED_USER, 7);
    assert_int_equal(((struct asked *)*state)->standin.asked, 1);
    assert_resolved(*state, "a2", ANSWERS({TOKEN_API, 200, JSON, "{\"id\":1}"}), TG_RESOLVED_UNAVAILABLE, 0);
    /* not an access token: the next is asked, which needs a scope by then */
    assert_resolved(*state, "a3",
                    ANSWERS({TOKEN_API, 401, TEXT, "no"}, {USERINFO, 403, JSON, "{}"}, {USER_API, 200, JSON, "{\"id\":8}"}),
                    TG_RESOLVED_USER, 8);
}

static void a_gitea_without_it_is_asked_once(void **state)
{
    struct asked *asked = *state;
    const struct standin_answer *answers = ANSWERS({USERINFO, 200, "application/json;charset=utf-8", "{\"sub\":\"5\"}"});

    assert_resolved(asked, "b1", answers, TG_RESOLVED_USER, 5);
    assert_int_equal(asked->standin.asked, 2);
    assert_resolved(asked, "b1", answers, TG_RESOLVED_USER, 5);
    assert_int_equal(asked->standin.asked, 1);
    assert_non_null(strstr(asked->standin.heads, "\r\nAuthorization: token abc123\r\n"));
    assert_null(strstr(asked->standin.heads, "0123456789abcdef")); /* never the administrator's */
}

static void userinfo_in_all_its_moods(void **state)
{
    assert_resolved(*state, "c1", ANSWERS({USERINFO, 401, TEXT, "bad"}), TG_RESOLVED_INVALID, 0);
    assert_resolved(*state, "c2", ANSWERS({USERINFO, 200, PAGE, "<title>Sign-In Prohibited</title>"}), TG_RESOLVED_PROHIBITED, 0);
    assert_resolved(*state, "c3", ANSWERS({USERINFO, 200, JSON, "{\"sub\":\"-2\"}"}), TG_RESOLVED_USER, -2);
    assert_resolved(*state, "c4", ANSWERS({USERINFO, 200, JSON, "{\"sub\":5}"}), TG_RESOLVED_UNAVAILABLE, 0);
    assert_resolved(*state, "c5", ANSWERS({USERINFO, 200, JSON, "{\"sub\":\"5x\"}"}), TG_RESOLVED_UNAVAILABLE, 0);
    assert_resolved(*state, "c6", ANSWERS({USERINFO, 200, JSON, "{\"sub\":\"99999999999999999999\"}"}), TG_RESOLVED_UNAVAILABLE,
                    0);
    assert_resolved(*state, "c7", ANSWERS({USERINFO, 200, JSON, "{"}), TG_RESOLVED_UNAVAILABLE, 0);
    assert_resolved(*state, "c8", ANSWERS({USERINFO, 502, PAGE, "x"}), TG_RESOLVED_UNAVAILABLE, 0);
    assert_resolved(*state, "c9", ANSWERS({USERINFO, 429, TEXT, "x"}), TG_RESOLVED_UNAVAILABLE, 0);
}

static void userinfo_switched_off(void **state)
{
    assert_resolved(*state, "d1", ANSWERS({USERINFO, 403, TEXT, "off"}, {USER_API, 200, JSON, "{\"id\":9}"}), TG_RESOLVED_USER,
                    9);
    assert_resolved(*state, "d2", ANSWERS({USERINFO, 403, TEXT, "off"}, {USER_API, 401, JSON, "{}"}), TG_RESOLVED_INVALID, 0);
    assert_resolved(*state, "d3", ANSWERS({USERINFO, 403, TEXT, "off"},
                                          {USER_API, 403, JSON, "{\"message\":\"This account is prohibited from signing in\"}"}),
                    TG_RESOLVED_PROHIBITED, 0);
    /* valid, and nobody can tell whose: never taken for nobody's */
    assert_resolved(*state, "d4", ANSWERS({USERINFO, 403, TEXT, "off"},
                                          {USER_API, 403, JSON,
                                           "{\"message\":\"token does not have at least one of required scope(s)\"}"}),
                    TG_RESOLVED_UNAVAILABLE, 0);
    assert_resolved(*state, "d5", ANSWERS({USERINFO, 404, PAGE, "x"}, {USER_API, 500, TEXT, "x"}), TG_RESOLVED_UNAVAILABLE, 0);
}

static void assert_named(struct asked *asked, const char *host, const struct standin_answer *answers, const char *wanted)
{
    enum tg_resolved answer;
    struct tg_gitea_user user;

    asked->conf.host = host;
    standin_answers(&asked->standin, answers);
    assert_result(0, tg_gitea_resolve(&asked->worker, &asked->conf, TG_TEXT("abc123"), &answer, &user));
    assert_string_equal(user.login, wanted);
}

static void the_user_has_a_name(void **state)
{
    assert_named(*state, "n1", ANSWERS({TOKEN_API, 200, JSON, "{\"id\":1,\"user\":{\"id\":7,\"login\":\"x\"}}"}), "x");
    assert_named(*state, "n2", ANSWERS({USERINFO, 200, JSON, "{\"sub\":\"7\",\"preferred_username\":\"y\"}"}), "y");
    assert_named(*state, "n3", ANSWERS({USERINFO, 403, TEXT, "off"}, {USER_API, 200, JSON, "{\"id\":7,\"login\":\"z\"}"}), "z");
    assert_named(*state, "n4", ANSWERS({USERINFO, 200, JSON, "{\"sub\":\"7\"}"}), "");
}

static void what_cannot_be_a_token_is_not_asked_for(void **state)
{
    struct asked *asked = *state;
    enum tg_resolved answer;
    struct tg_gitea_user user;
    const struct tg_text odd[] = {TG_TEXT(""), {NULL, 0}, TG_TEXT("a b"), TG_TEXT("a\r\nX: y"), TG_TEXT("a\0b"),
                                  TG_TEXT("\xc3\xbc")};

    standin_answers(&asked->standin, NULL);
    for (size_t i = 0; i < tg_count(odd); ++i) {
        assert_result(0, tg_gitea_resolve(&asked->worker, &asked->conf, odd[i], &answer, &user));
        assert_int_equal(answer, TG_RESOLVED_INVALID);
    }
    assert_int_equal(asked->standin.asked, 0);
}

static void a_gitea_that_says_nothing_is_given_up_within_the_deadline(void **state)
{
    int64_t before_ms = tg_monotonic_ms();

    assert_resolved(*state, "e1", ANSWERS({USERINFO, 0, NULL, NULL}), TG_RESOLVED_UNAVAILABLE, 0);
    assert_true(tg_monotonic_ms() - before_ms < 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gitea_with_the_token_api),
        cmocka_unit_test(a_gitea_without_it_is_asked_once),
        cmocka_unit_test(userinfo_in_all_its_moods),
        cmocka_unit_test(userinfo_switched_off),
        cmocka_unit_test(the_user_has_a_name),
        cmocka_unit_test(what_cannot_be_a_token_is_not_asked_for),
        cmocka_unit_test(a_gitea_that_says_nothing_is_given_up_within_the_deadline),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make, clean);
}
