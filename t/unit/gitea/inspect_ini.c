/* An app.ini, compared with what we want in it. */
#include "../base/test.h"
#include <stdio.h>
#include <string.h>
#include "gitea/inspect.h"
#include "gitea/setup.h"

struct told {
    int bad, good, unseen;
    char last[512], remedy[512];
};

static void on_told(const struct tg_checked *checked, void *context)
{
    struct told *told = context;

    told->bad += checked->state == TG_CHECK_BAD;
    told->good += checked->state == TG_CHECK_GOOD;
    told->unseen += checked->state == TG_CHECK_UNSEEN;
    snprintf(told->last, sizeof(told->last), "%s", checked->text);
    snprintf(told->remedy, sizeof(told->remedy), "%s", checked->remedy != NULL ? checked->remedy : "");
}

static const struct tg_gitea_conf conf = {
    .host = "git.example.test",
    .upstream = {.path = "/run/gitea.sock"},
    .session_cookie = "i_like_gitea",
    .remember_cookie = "gitea_incredible",
};

static struct told inspect(struct tg_text ini)
{
    struct told told = {0};
    struct tg_inspection inspection = {.conf = &conf, .app_ini = ini, .told = on_told, .context = &told};

    tg_gitea_inspect_app_ini(&inspection);
    return told;
}

/* The fragment, with more behind it: the last value counts, as in Gitea. */
static struct told with(const char *more)
{
    TG_STRING ini = {NULL, 0, 0};

    tg_gitea_app_ini(&ini, &conf);
    tg_string_add(&ini, tg_text(more));
    return inspect(tg_string_text(&ini));
}

static void our_own_fragment_is_in_order(void **state)
{
    (void)state;
    struct told told = with("");
    assert_int_equal(told.bad, 0);
    assert_int_equal(told.good, 1);
    assert_int_equal(inspect((struct tg_text){NULL, 0}).unseen, 1);
    assert_true(inspect(TG_TEXT("")).bad > 10); /* nothing of it is there */
}

static void each_line_is_judged_by_its_rule(void **state)
{
    static const struct {
        const char *more;
        int bad;
    } cases[] = {
        {"\n[service]\nENABLE_PASSWORD_SIGNIN_FORM = true\n", 1},
        {"\n[service]\r\nENABLE_PASSWORD_SIGNIN_FORM = true\r\n", 1},
        {"\n[service]\n; ENABLE_PASSWORD_SIGNIN_FORM = true\n", 0},
        {"\n[service]\n#ENABLE_PASSWORD_SIGNIN_FORM = true\n", 0},
        {"\n[other]\nENABLE_PASSWORD_SIGNIN_FORM = true\n", 0},
        {"\n[service]\nENABLE_PASSWORD_SIGNIN_FORM = `false` ; closed\n", 0},
        {"\n[service]\nDEFAULT_ALLOW_CREATE_ORGANIZATION = true\n", 0},
        {"\n[server]\nROOT_URL = https://elsewhere.test/\n", 1},
        {"\n[session]\nPROVIDER = redis\n", 0},
        {"\n[session]\nPROVIDER = memory\n", 1},
        {"\n[oauth2_client]\nACCOUNT_LINKING = auto\n", 1},
        {"\n[webhook]\nALLOWED_HOST_LIST = external, 127.77.0.1/32\n", 0},
        {"\n[webhook]\nALLOWED_HOST_LIST = external, loopback\n", 1},
        {"\n[webhook]\nALLOWED_HOST_LIST = *\n", 1},
        {"\n[webhook]\nALLOWED_HOST_LIST = Private\n", 1},
        {"\n[webhook]\nALLOWED_HOST_LIST = 127.0.0.0/8\n", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct told told = with(cases[i].more);
        if (told.bad != cases[i].bad)
            fail_msg("%s: %d bad, the last one: %s", cases[i].more, told.bad, told.last);
    }
    struct told told = with("\n[session]\nPROVIDER = memory\n");
    assert_non_null(strstr(told.last, "[session] PROVIDER is memory"));
    assert_non_null(strstr(told.remedy, "set PROVIDER = file and restart Gitea"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_fragment_is_in_order),
        cmocka_unit_test(each_line_is_judged_by_its_rule),
    };

    return RUN_TESTS(tests);
}
