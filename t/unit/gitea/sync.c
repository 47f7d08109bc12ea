/* Flags and the comparison of users, before a Gitea of fixed answers. */
#include "../store/stored.h"
#include "base/clock.h"
#include "gitea/flag.h"
#include "gitea/reconcile.h"
#include "standin.h"

#define JSON "application/json"

static const char host[] = "git.example.test";

struct rig {
    struct stored *stored;
    struct tg_store *store;
    struct standin standin;
    struct tg_worker *worker;
    struct tg_gitea_conf conf;
    struct tg_account ada, bob;
    struct tg_arena arena;
    struct standin_answer answers[8];
    size_t answer_count;
    char found[1024];            /* "kind login mended\n" of each finding */
};

static int make(void **state)
{
    struct rig *rig = tg_alloc(sizeof(*rig));
    struct tg_instance instance = {.host = "git.example.test", .source_id = 4, .source_name = "teagate"};

    if (stored_make((void **)&rig->stored) != 0)
        return -1;
    standin_start(&rig->standin, rig->stored->directory);
    standin_configure(&rig->standin, &rig->conf);
    rig->worker = tg_worker_new(rig->stored->directory);
    if (tg_worker_store(rig->worker, &rig->store) != 0 || tg_instance_put(rig->store, &instance) != 0)
        return -1;
    rig->ada = stored_account(rig->store, "ada");
    rig->bob = stored_account(rig->store, "bob");
    *state = rig;
    return 0;
}

static int clean(void **state)
{
    struct rig *rig = *state;
    void *stored = rig->stored;

    standin_stop(&rig->standin);
    tg_worker_free(rig->worker);
    tg_arena_done(&rig->arena);
    free(rig);
    return stored_remove(&stored);
}

#define rig_test(function) cmocka_unit_test_setup_teardown(function, make, clean)

static void answer(struct rig *rig, const char *request, int status, const char *body)
{
    rig->answers[rig->answer_count++] = (struct standin_answer){request, status, JSON, body};
}

/* Begins a new list of answers. */
static void clear(struct rig *rig)
{
    memset(rig->answers, 0, sizeof(rig->answers));
    rig->answer_count = 0;
    standin_answers(&rig->standin, rig->answers);
}

static const char *user_json(struct rig *rig, int id, const char *login, const char *sub, const char *more)
{
    return tg_arena_format(&rig->arena,
                           "{\"id\":%d,\"source_id\":4,\"login\":\"%s\",\"login_name\":\"%s\",\"email\":\"%s@gitea.test\","
                           "\"is_admin\":false,"
                           "\"prohibit_login\":%s}", id, login, sub, login, more);
}

static const char *list(struct rig *rig, const char *first, const char *second)
{
    return tg_arena_format(&rig->arena, "[%s%s%s]", first, second[0] != '\0' ? "," : "", second);
}

static const char *by_sub(struct rig *rig, const struct tg_account *account)
{
    return tg_arena_format(&rig->arena, "GET /api/v1/admin/users?limit=10&source_id=4&login_name=%s ", account->sub);
}

static struct tg_flag due(struct rig *rig, bool desired)
{
    struct tg_flag flag;

    assert_result(0, tg_member_put(rig->store, host, rig->ada.id, 7));
    assert_result(0, tg_flag_want(rig->store, host, rig->ada.id, desired, INT64_MAX));
    assert_result(0, tg_flag_touch(rig->store, host, rig->ada.id, 1));
    assert_result(0, tg_flag_find(rig->store, host, rig->ada.id, &flag));
    return flag;
}

static struct tg_flag flag_now(struct rig *rig)
{
    struct tg_flag flag;

    assert_result(0, tg_flag_find(rig->store, host, rig->ada.id, &flag));
    return flag;
}

static void a_flag_is_set_with_what_was_read_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    struct tg_flag flag = due(rig, true);

    clear(rig);
    answer(rig, by_sub(rig, &rig->ada), 200, list(rig, user_json(rig, 7, "Other-Name", rig->ada.sub, "false"), ""));
    answer(rig, "PATCH /api/v1/admin/users/Other-Name ", 200, user_json(rig, 7, "Other-Name", rig->ada.sub, "true"));
    assert_result(0, tg_gitea_flag_apply(rig->worker, &rig->conf, &flag));
    const char *body = strstr(rig->standin.heads, "PATCH");
    assert_non_null(body);
    assert_non_null(strstr(body, tg_arena_format(&rig->arena, "{\"source_id\":4,\"login_name\":\"%s\",\"prohibit_login\":true}",
                                                 rig->ada.sub)));
    assert_null(strstr(body, "active"));
    flag = flag_now(rig);
    assert_int_equal(flag.origin, TG_FLAG_OURS);
    assert_true(flag.observed);
    assert_int_equal(flag.due_ms, 0);
    assert_int_equal(flag.doubt_s, 0);
}

static void what_was_not_answered_stays_ours_and_due(void **state)
{
    struct rig *rig = *state;
    struct tg_flag flag = due(rig, true);

    clear(rig);
    answer(rig, by_sub(rig, &rig->ada), 200, list(rig, user_json(rig, 7, "ada", rig->ada.sub, "false"), ""));
    answer(rig, "PATCH ", 0, "");
    assert_result(TG_FLAG_UNAVAILABLE, tg_gitea_flag_apply(rig->worker, &rig->conf, &flag));
    flag = flag_now(rig);
    assert_int_equal(flag.origin, TG_FLAG_OURS); /* it may be set by now */
    assert_true(flag.doubt_s > tg_now_s());
    assert_true(flag.due_ms != 0);
    assert_int_equal(flag.tries, 1);
    assert_true(flag.error[0] != '\0');

    assert_result(0, tg_flag_want(rig->store, host, rig->ada.id, false, INT64_MAX)); /* paid meanwhile; it has not come yet */
    flag = flag_now(rig);
    assert_result(0, tg_gitea_flag_apply(rig->worker, &rig->conf, &flag));
    assert_int_equal(flag_now(rig).origin, TG_FLAG_OURS);
    assert_int_equal(flag_now(rig).due_ms, flag.doubt_s * 1000);

    clear(rig); /* and now it comes */
    answer(rig, by_sub(rig, &rig->ada), 200, list(rig, user_json(rig, 7, "ada", rig->ada.sub, "true"), ""));
    answer(rig, "PATCH ", 200, user_json(rig, 7, "ada", rig->ada.sub, "false"));
    flag = flag_now(rig);
    assert_result(0, tg_gitea_flag_apply(rig->worker, &rig->conf, &flag));
    assert_int_equal(flag_now(rig).origin, TG_FLAG_NOBODY);
    assert_false(flag_now(rig).observed);
}

static void an_answer_about_another_user_is_no_success(void **state)
{
    struct rig *rig = *state;
    struct tg_flag flag = due(rig, true);

    clear(rig);
    answer(rig, by_sub(rig, &rig->ada), 200, list(rig, user_json(rig, 7, "ada", rig->ada.sub, "false"), ""));
    answer(rig, "PATCH ", 200, user_json(rig, 8, "ada", rig->ada.sub, "true"));
    assert_result(TG_FLAG_UNAVAILABLE, tg_gitea_flag_apply(rig->worker, &rig->conf, &flag));
    assert_non_null(strstr(tg_failure(), "id 8"));
    assert_true(flag_now(rig).due_ms != 0);
}

static void who_is_gone_or_doubled_does_not_hold_up_the_others(void **state)
{
    struct rig *rig = *state;
    struct tg_flag flag = due(rig, true), next;

    clear(rig);
    answer(rig, by_sub(rig, &rig->ada), 200, "[]");
    assert_result(0, tg_gitea_flag_apply(rig->worker, &rig->conf, &flag));
    assert_int_equal(flag_now(rig).due_ms, 0);
    assert_non_null(strstr(flag_now(rig).error, "not in Gitea any more"));

    flag = due(rig, true);
    clear(rig);
    answer(rig, by_sub(rig, &rig->ada), 200,
           list(rig, user_json(rig, 7, "ada", rig->ada.sub, "false"), user_json(rig, 8, "eda", rig->ada.sub, "false")));
    assert_result(0, tg_gitea_flag_apply(rig->worker, &rig->conf, &flag));
    assert_result(TG_FLAG_UNKNOWN, tg_flag_next(rig->store, host, tg_now_ms(), &next)); /* later */
    assert_result(0, tg_flag_next(rig->store, host, tg_now_ms() + 1500, &next));
    assert_non_null(strstr(next.error, "2 users"));
}

static void on_finding(const struct tg_finding *finding, void *context)
{
    struct rig *rig = context;
    size_t len = strlen(rig->found);

    snprintf(rig->found + len, sizeof(rig->found) - len, "%s %s%s\n", tg_finding_name(finding->kind), finding->login,
             finding->mended ? " mended" : "");
}

static const char *findings(struct rig *rig, bool mend)
{
    struct tg_reconcile reconcile = {.conf = &rig->conf, .mend = mend, .found = on_finding, .context = rig};
    int result;

    rig->found[0] = '\0';
    assert_result(0, tg_reconcile_begin(rig->worker, &reconcile));
    while ((result = tg_reconcile_step(rig->worker, &reconcile)) == TG_RECONCILE_MORE)
        ;
    tg_reconcile_done(&reconcile);
    return result == 0 ? rig->found : tg_failure();
}

#define PAGE(n) "GET /api/v1/admin/users?limit=50&page=" #n " "

static void the_comparison_maps_who_is_known_by_subject(void **state)
{
    struct rig *rig = *state;
    int64_t user;

    clear(rig);
    answer(rig, PAGE(1), 200, list(rig, user_json(rig, 7, "ada", rig->ada.sub, "false"), ""));
    answer(rig, PAGE(2), 200, list(rig, user_json(rig, 9, "Robert", rig->bob.sub, "false"), ""));
    answer(rig, PAGE(3), 200, "[]");
    answer(rig, by_sub(rig, &rig->ada), 200, list(rig, user_json(rig, 7, "ada", rig->ada.sub, "false"), ""));
    answer(rig, by_sub(rig, &rig->bob), 200, list(rig, user_json(rig, 9, "Robert", rig->bob.sub, "false"), ""));
    assert_string_equal(findings(rig, false), "mapped ada\nmapped bob\n");
    assert_result(TG_MEMBER_UNKNOWN, tg_member_user(rig->store, host, rig->ada.id, &user)); /* looking changes nothing */
    assert_string_equal(findings(rig, true), "mapped ada mended\nmapped bob mended\n");
    assert_result(0, tg_member_user(rig->store, host, rig->bob.id, &user));
    assert_int_equal(user, 9);
    assert_string_equal(findings(rig, true), "renamed bob\n"); /* known by its id, whatever its name */
}

static void the_comparison_tells_what_it_cannot_mend(void **state)
{
    struct rig *rig = *state;
    int64_t user;

    assert_result(0, tg_member_put(rig->store, host, rig->ada.id, 7));
    assert_result(0, tg_member_put(rig->store, host, rig->bob.id, 9));
    clear(rig);
    answer(rig, PAGE(1), 200, list(rig, user_json(rig, 12, "bob", rig->bob.sub, "false"), user_json(rig, 3, "eve", "whose",
                                                                                                    "false")));
    answer(rig, PAGE(2), 200, "[]");
    answer(rig, by_sub(rig, &rig->ada), 200, "[]");
    answer(rig, by_sub(rig, &rig->bob), 200, list(rig, user_json(rig, 12, "bob", rig->bob.sub, "false"), ""));
    const char *found = findings(rig, true);
    assert_non_null(strstr(found, "replaced bob\n"));
    assert_non_null(strstr(found, "stranger \n"));
    assert_non_null(strstr(found, "deleted ada\n"));
    assert_result(0, tg_member_user(rig->store, host, rig->bob.id, &user));
    assert_int_equal(user, 9); /* nobody becomes somebody else by himself */
}

static void a_stale_page_places_no_hold(void **state)
{
    struct rig *rig = *state;
    struct tg_flag flag;
    struct tg_facts facts;

    assert_result(0, tg_member_put(rig->store, host, rig->ada.id, 7));
    assert_result(0, tg_flag_want(rig->store, host, rig->ada.id, false, INT64_MAX));
    clear(rig);
    answer(rig, PAGE(1), 200, list(rig, user_json(rig, 7, "ada", rig->ada.sub, "true"), "")); /* lifted since */
    answer(rig, PAGE(2), 200, "[]");
    answer(rig, by_sub(rig, &rig->ada), 200, list(rig, user_json(rig, 7, "ada", rig->ada.sub, "false"), ""));
    assert_string_equal(findings(rig, true), "flag ada mended\n");
    assert_result(0, tg_flag_next(rig->store, host, tg_now_ms() + 10, &flag)); /* it is looked at */
    assert_result(0, tg_gitea_flag_apply(rig->worker, &rig->conf, &flag));
    assert_int_equal(flag_now(rig).origin, TG_FLAG_NOBODY);
    assert_result(0, tg_facts_read(rig->store, rig->ada.id, &facts));
    assert_int_equal(facts.hold, TG_HOLD_NONE);
}

static void without_an_answer_nothing_is_concluded(void **state)
{
    struct rig *rig = *state;

    assert_result(0, tg_member_put(rig->store, host, rig->ada.id, 7));
    clear(rig);
    answer(rig, PAGE(1), 200, "[]");
    answer(rig, by_sub(rig, &rig->ada), 502, "");
    assert_non_null(strstr(findings(rig, true), "502"));
    assert_string_equal(rig->found, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(a_flag_is_set_with_what_was_read_and_nothing_else),
        rig_test(what_was_not_answered_stays_ours_and_due),
        rig_test(an_answer_about_another_user_is_no_success),
        rig_test(who_is_gone_or_doubled_does_not_hold_up_the_others),
        rig_test(the_comparison_maps_who_is_known_by_subject),
        rig_test(the_comparison_tells_what_it_cannot_mend),
        rig_test(a_stale_page_places_no_hold), rig_test(without_an_answer_nothing_is_concluded),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
