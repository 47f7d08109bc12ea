#include "test.h"
#include <string.h>
#include "base/result.h"
#include "http/form.h"

struct sample {
    struct tg_text client_id, state;
};

static const struct tg_field fields[] = {
    {"client_id", offsetof(struct sample, client_id), .limit = 8},
    {"state", offsetof(struct sample, state), .limit = 200},
    {NULL},
};

static const struct {
    const char *text;
    int answer;
    const char *client_id, *state; /* NULL: absent */
    const char *fault;
} cases[] = {
    {"", 0},
    {"client_id=a", 0, "a"},
    {"client_id=a&state=b%20c+d", 0, "a", "b c d"},
    {"state=%2B%26%3D&client_id=%c3%a4", 0, "\xc3\xa4", "+&="},
    {"client%5Fid=a", 0, "a"},
    {"&&client_id=a&&", 0, "a"},
    {"client_id=a=b", 0, "a=b"},
    {"client_id=", 0},
    {"client_id", 0},
    {"other=1&other=2&client_id=a", 0, "a"},
    {"Client_id=a", 0},
    {"client_id=12345678", 0, "12345678"},
    {"client_id=123456789", TG_FORM_MALFORMED, .fault = "client_id"},
    {"client_id=%31%32%33%34%35%36%37%38", 0, "12345678"},
    {"client_id=a&client_id=a", TG_FORM_REPEATED, .fault = "client_id"},
    {"client_id=&client_id=a", TG_FORM_REPEATED, .fault = "client_id"},
    {"client_id&client_id=a", TG_FORM_REPEATED, .fault = "client_id"},
    {"client_id=a&client%5fid=b", TG_FORM_REPEATED, .fault = "client_id"},
    {"state=%zz", TG_FORM_MALFORMED, .fault = "state"},
    {"state=%2", TG_FORM_MALFORMED, .fault = "state"},
    {"state=%00", TG_FORM_MALFORMED, .fault = "state"},
    {"other=%zz", TG_FORM_MALFORMED},
    {"%zz=1", TG_FORM_MALFORMED},
};

static void check_text(struct tg_text text, const char *expected)
{
    if (expected == NULL)
        assert_null(text.base);
    else
        assert_true(text.base != NULL && tg_text_is(text, expected));
}

static void declared_fields_are_read_once_and_decoded(void **state)
{
    for (size_t i = 0; i < tg_count(cases); i++) {
        struct tg_arena arena = {NULL};
        struct sample out;
        const char *fault = "unset";

        print_message("# %s\n", cases[i].text);
        memset(&out, 0xff, sizeof(out)); /* what was there before does not count */
        assert_int_equal(tg_form_read(&arena, tg_text(cases[i].text), fields, &out, &fault), cases[i].answer);
        if (cases[i].answer == 0) {
            check_text(out.client_id, cases[i].client_id);
            check_text(out.state, cases[i].state);
        }
        if (cases[i].fault == NULL)
            assert_null(fault);
        else
            assert_string_equal(fault, cases[i].fault);
        tg_arena_done(&arena);
    }
}

static void a_body_that_is_absent_has_no_fields(void **state)
{
    struct tg_arena arena = {NULL};
    struct sample out;

    assert_int_equal(tg_form_read(&arena, (struct tg_text){NULL, 0}, fields, &out, NULL), 0);
    assert_null(out.client_id.base);
    assert_int_equal(tg_form_read(&arena, TG_TEXT("client_id=a\0b"), fields, &out, NULL), TG_FORM_MALFORMED);
    tg_arena_done(&arena);
}

static void a_flood_of_pairs_is_malformed(void **state)
{
    struct tg_arena arena = {NULL};
    TG_STRING text = {NULL};
    struct sample out;

    for (int i = 0; i < 128; i++)
        tg_string_add(&text, TG_TEXT("a=1&"));
    assert_int_equal(tg_form_read(&arena, tg_string_text(&text), fields, &out, NULL), 0);
    tg_string_add(&text, TG_TEXT("a=1"));
    assert_int_equal(tg_form_read(&arena, tg_string_text(&text), fields, &out, NULL), TG_FORM_MALFORMED);
    tg_arena_done(&arena);
}

static void a_form_is_told_by_its_type(void **state)
{
    static const struct {
        const char *type;
        bool is_form;
    } types[] = {
        {"application/x-www-form-urlencoded", true},
        {"Application/X-WWW-Form-URLEncoded ; charset=utf-8", true},
        {"application/x-www-form-urlencoded2", false},
        {"text/plain; application/x-www-form-urlencoded", false},
        {"", false},
    };

    for (size_t i = 0; i < tg_count(types); i++)
        assert_int_equal(tg_form_is_type(tg_text(types[i].type)), types[i].is_form);
    assert_false(tg_form_is_type((struct tg_text){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_fields_are_read_once_and_decoded),
        cmocka_unit_test(a_body_that_is_absent_has_no_fields),
        cmocka_unit_test(a_flood_of_pairs_is_malformed),
        cmocka_unit_test(a_form_is_told_by_its_type),
    };

    return RUN_TESTS(tests);
}
