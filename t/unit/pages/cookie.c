#include "test.h"
#include "base/result.h"
#include "http/cookie.h"

static void a_field_is_walked_pair_by_pair(void **state)
{
    struct tg_text rest = TG_TEXT(" a=1;b=\"2; 3\" ;; ;c;=d; e = f=g ;"), name, value;
    static const char *const pairs[][2] = {{"a", "1"}, {"b", "\"2"}, {"3\"", ""}, {"c", ""}, {"", "d"}, {"e", " f=g"}};

    for (size_t i = 0; i < tg_count(pairs); i++) {
        assert_true(tg_cookie_next(&rest, &name, &value));
        assert_true(tg_text_is(name, pairs[i][0]));
        assert_true(tg_text_is(value, pairs[i][1]) && value.base != NULL);
    }
    assert_false(tg_cookie_next(&rest, &name, &value));
    rest = (struct tg_text){NULL, 0};
    assert_false(tg_cookie_next(&rest, &name, &value));
}

static void only_a_name_that_comes_once_has_a_value(void **state)
{
    assert_true(tg_text_is(tg_cookie_only(TG_TEXT("a=1; b=2"), "b"), "2"));
    assert_null(tg_cookie_only(TG_TEXT("a=1; b=2"), "c").base);
    assert_null(tg_cookie_only(TG_TEXT("a=1; a=1"), "a").base);
    assert_null(tg_cookie_only(TG_TEXT("A=1"), "a").base);
    assert_non_null(tg_cookie_only(TG_TEXT("a="), "a").base);
    assert_null(tg_cookie_only((struct tg_text){NULL, 0}, "a").base);
}

static void a_name_is_known_in_every_spelling(void **state)
{
    static const char *const same[] = {
        "i_like_gitea", "\"i_like_gitea\"", "i%5flike%5Fgitea", "%69_like_gitea", " i_like_gitea\t", "i_like_gitea%20", "I_LIKE_GITEA",
        "i%255flike_gitea", "'i_like_gitea'", "i_like\x01_gitea", "\\i_like_gitea", "%22i_like_gitea%22", "i_like_gitea%00",
    };
    static const char *const others[] = {"i_like_gite", "i_like_gitea2", "xi_like_gitea", "", "i%5_like_gitea", "i_like_gitea%", "i-like-gitea", "%zz"};

    for (size_t i = 0; i < tg_count(same); i++) {
        print_message("# %s\n", same[i]);
        assert_true(tg_cookie_name_is(tg_text(same[i]), "i_like_gitea"));
    }
    for (size_t i = 0; i < tg_count(others); i++) {
        print_message("# %s\n", others[i]);
        assert_false(tg_cookie_name_is(tg_text(others[i]), "i_like_gitea"));
    }
}

static void a_line_has_all_attributes_of_a_host_cookie(void **state)
{
    struct tg_arena arena = {NULL};

    assert_string_equal(tg_cookie_line(&arena, "__Host-a", TG_TEXT("v"), -1), "__Host-a=v; Path=/; Secure; HttpOnly; SameSite=Lax");
    assert_string_equal(tg_cookie_line(&arena, "__Host-a", TG_TEXT(""), 0),
                        "__Host-a=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    assert_string_equal(tg_cookie_line(&arena, "__Host-a", TG_TEXT("v"), 60),
                        "__Host-a=v; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60");
    tg_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_walked_pair_by_pair),
        cmocka_unit_test(only_a_name_that_comes_once_has_a_value),
        cmocka_unit_test(a_name_is_known_in_every_spelling),
        cmocka_unit_test(a_line_has_all_attributes_of_a_host_cookie),
    };

    return RUN_TESTS(tests);
}
