#include "test.h"
#include <stdlib.h>
#include "base/json.h"
#include "base/result.h"

static void members_are_read_by_their_type(void **state)
{
    struct tg_arena arena = {NULL};
    TG_JSON *json = NULL;
    struct tg_text text = {NULL, 0};
    int64_t number = 0;
    bool flag = false;
    const json_t *part = NULL;

    assert_int_equal(tg_json_parse(TG_TEXT("{\"t\":\"a\\u00e4\",\"i\":-9007199254740993,\"b\":true,\"o\":{\"x\":1},"
                                           "\"a\":[1,2],\"n\":null}"),
                                   &json),
                     0);
    assert_int_equal(tg_json_text(json, "t", 3, &arena, &text), 0);
    assert_string_equal(text.base, "a\xc3\xa4");
    assert_int_equal(tg_json_int(json, "i", &number), 0);
    assert_true(number == -9007199254740993);
    assert_int_equal(tg_json_flag(json, "b", &flag), 0);
    assert_true(flag);
    assert_int_equal(tg_json_object(json, "o", &part), 0);
    assert_int_equal(tg_json_int(part, "x", &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(tg_json_array(json, "a", 2, &part), 0);
    assert_int_equal(json_array_size(part), 2);
    tg_arena_done(&arena);
}

static void absent_and_wrong_are_answers(void **state)
{
    struct tg_arena arena = {NULL};
    TG_JSON *json = NULL;
    struct tg_text text = TG_TEXT("kept");
    int64_t number = 7;
    bool flag = true;
    const json_t *part = NULL;

    assert_int_equal(tg_json_parse(TG_TEXT("{\"t\":\"abcd\",\"i\":1.5,\"b\":0,\"f\":false,\"a\":[1,2,3],\"n\":null}"), &json), 0);
    assert_int_equal(tg_json_text(json, "n", 9, &arena, &text), TG_JSON_ABSENT);
    assert_int_equal(tg_json_text(json, "no", 9, &arena, &text), TG_JSON_ABSENT);
    assert_int_equal(tg_json_text(json, "t", 3, &arena, &text), TG_JSON_WRONG);
    assert_int_equal(tg_json_text(json, "i", 9, &arena, &text), TG_JSON_WRONG);
    assert_string_equal(text.base, "kept");
    assert_int_equal(tg_json_int(json, "i", &number), TG_JSON_WRONG);
    assert_int_equal(tg_json_int(json, "n", &number), TG_JSON_ABSENT);
    assert_int_equal(number, 7);
    assert_int_equal(tg_json_flag(json, "b", &flag), TG_JSON_WRONG);
    assert_int_equal(tg_json_flag(json, "no", &flag), TG_JSON_ABSENT);
    assert_true(flag);
    assert_int_equal(tg_json_flag(json, "f", &flag), 0);
    assert_false(flag);
    assert_int_equal(tg_json_array(json, "a", 2, &part), TG_JSON_WRONG);
    assert_int_equal(tg_json_object(json, "a", &part), TG_JSON_WRONG);
    assert_int_equal(tg_json_int(json_object_get(json, "a"), "x", &number), TG_JSON_WRONG);
    assert_int_equal(tg_json_int(NULL, "x", &number), TG_JSON_WRONG);
    tg_arena_done(&arena);
}

static void what_is_no_document_is_malformed(void **state)
{
    static const struct tg_text none[] = {TG_TEXT(""), TG_TEXT("{"), TG_TEXT("{} x"), TG_TEXT("5"), TG_TEXT("{\"a\":1,\"a\":2}"),
                                          TG_TEXT("{\"a\":\"\\u0000\"}"), TG_TEXT("{\"a\":\"\xff\"}"), TG_TEXT("{\"a\":\"\0\"}"),
                                          TG_TEXT("{\"a\":99999999999999999999}"), TG_TEXT("{'a':1}"), TG_TEXT("[1,]")};
    json_t *json = NULL;

    for (size_t i = 0; i < tg_count(none); i++)
        assert_int_equal(tg_json_parse(none[i], &json), TG_JSON_MALFORMED);
    assert_int_equal(tg_json_parse((struct tg_text){NULL, 0}, &json), TG_JSON_MALFORMED);
    assert_null(json);
}

static void nesting_has_a_limit(void **state)
{
    char text[2 * (TG_JSON_DEPTH + 1)];
    json_t *json = NULL;

    memset(text, '[', TG_JSON_DEPTH);
    memset(text + TG_JSON_DEPTH, ']', TG_JSON_DEPTH);
    assert_int_equal(tg_json_parse(tg_text_n(text, 2 * TG_JSON_DEPTH), &json), 0);
    json_decref(json);
    memset(text, '[', TG_JSON_DEPTH + 1);
    memset(text + TG_JSON_DEPTH + 1, ']', TG_JSON_DEPTH + 1);
    assert_int_equal(tg_json_parse(tg_text_n(text, sizeof(text)), &json), TG_JSON_MALFORMED);
    /* texts do not count */
    assert_int_equal(tg_json_parse(TG_TEXT("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"]"), &json), 0);
    json_decref(json);
}

static void values_are_written_compactly_in_their_order(void **state)
{
    TG_STRING out = {NULL, 0, 0};
    TG_JSON *json = json_pack("{s:i, s:[s, b]}", "z", 1, "a", "x y", 1);

    tg_string_add(&out, TG_TEXT("got "));
    tg_json_add(&out, json);
    assert_string_equal(out.base, "got {\"z\":1,\"a\":[\"x y\",true]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_by_their_type),
        cmocka_unit_test(absent_and_wrong_are_answers),
        cmocka_unit_test(what_is_no_document_is_malformed),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(values_are_written_compactly_in_their_order),
    };

    return RUN_TESTS(tests);
}
