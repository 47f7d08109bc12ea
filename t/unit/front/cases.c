/* cases.c - paths, cookies and doors, by files of input and answer */
#include "../base/test.h"
#include "case_file.h"
#include "front/doors.h"
#include "front/path.h"
#include "front/request_head.h"

static bool check_path(struct tg_arena *arena, struct tg_text line)
{
    struct tg_text target = case_bytes(arena, case_input(&line));
    struct tg_path path;
    TG_STRING got = {NULL};

    if (tg_path_split(target, &path) != 0) {
        tg_string_add(&got, TG_TEXT("400"));
    } else {
        for (size_t i = 0; i < path.count; ++i)
            tg_string_addf(&got, "%s%.*s", i != 0 ? "|" : "", TG_TEXT_ARGS(path.segments[i]));
        if (path.query.base != NULL)
            tg_string_addf(&got, " ?%s%.*s", path.query.len != 0 ? " " : "", TG_TEXT_ARGS(path.query));
    }
    return tg_text_same(tg_string_text(&got), case_bytes(arena, line));
}

static bool check_cookie(struct tg_arena *arena, struct tg_text line)
{
    struct tg_request_head head = {.session_cookie = "i_like_gitea", .remember_cookie = "gitea_incredible"};
    struct tg_text fields = case_bytes(arena, case_input(&line));
    char *out = tg_arena_alloc(arena, fields.len + 64);
    size_t len = 0;

    while (fields.base != NULL) {
        const char *plus = fields.len != 0 ? memmem(fields.base, fields.len, " + ", 3) : NULL;
        struct tg_text field = plus != NULL ? tg_text_n(fields.base, (size_t)(plus - fields.base)) : fields;

        fields = plus != NULL ? tg_text_n(plus + 3, fields.len - field.len - 3) : (struct tg_text){NULL, 0};
        len = tg_request_cookies(&head, field, out, len);
    }
    return tg_text_same(tg_text_n(out, len), tg_text_is(line, "-") ? tg_text_n("", 0) : line);
}

static bool check_door(struct tg_arena *arena, struct tg_text line)
{
    struct tg_text method = tg_text_cut(&line, ' '), target = tg_text_cut(&line, ' ');
    struct tg_path path;

    (void)arena;
    return tg_path_split(target, &path) == 0 && tg_text_is(line, tg_door_infos[tg_door_of(method, &path, "teagate")].name);
}

static void run(const char *variable, bool (*check)(struct tg_arena *, struct tg_text), size_t least)
{
    size_t wrong, cases = case_file_run(variable, check, &wrong);

    assert_true(cases >= least);
    assert_int_equal(wrong, 0);
}

static void paths_are_split_or_refused(void **state)
{
    (void)state;
    run("TG_PATH_CASES", check_path, 40);
}

static void secret_cookies_go_no_further(void **state)
{
    (void)state;
    run("TG_COOKIE_CASES", check_cookie, 25);
}

static void each_path_has_its_door(void **state)
{
    (void)state;
    tg_doors_init();
    run("TG_DOOR_CASES", check_door, 90);
}

static void query_names_are_found_in_every_spelling(void **state)
{
    size_t count;

    (void)state;
    assert_true(tg_text_is(tg_query_value(TG_TEXT("a=1&b=2"), "b", &count), "2") && count == 1);
    assert_true(tg_text_is(tg_query_value(TG_TEXT("%62=2;b"), "b", &count), "2") && count == 2);
    assert_true(tg_query_value(TG_TEXT("ab=1&%6=2"), "b", &count).base == NULL && count == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_split_or_refused),
        cmocka_unit_test(secret_cookies_go_no_further),
        cmocka_unit_test(each_path_has_its_door),
        cmocka_unit_test(query_names_are_found_in_every_spelling),
    };

    return RUN_TESTS(tests);
}
