#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/result.h"
#include "base/text.h"

static void texts_are_compared_by_bytes(void **state)
{
    assert_true(tg_text_is(TG_TEXT("abc"), "abc"));
    assert_false(tg_text_is(TG_TEXT("abc"), "ab"));
    assert_false(tg_text_is(TG_TEXT("a\0c"), "a"));
    assert_true(tg_text_is(tg_text(NULL), ""));
    assert_true(tg_text_is_nocase(TG_TEXT("Set-Cookie"), "set-cookie"));
    assert_false(tg_text_is_nocase(TG_TEXT("Set_Cookie"), "set-cookie"));
    assert_false(tg_text_is_nocase(TG_TEXT("\xc3\x84"), "\xc3\xa4"));
    assert_false(tg_text_is_nocase(TG_TEXT("@["), "`{"));
    assert_true(tg_text_starts(TG_TEXT("abc"), "ab") && tg_text_starts(TG_TEXT("abc"), ""));
    assert_false(tg_text_starts(TG_TEXT("a"), "ab"));
    assert_true(tg_text_ends(TG_TEXT("abc"), "bc"));
    assert_false(tg_text_ends(TG_TEXT("c"), "bc"));
}

static void letters_are_lowered_and_nothing_else(void **state)
{
    for (size_t len = 0; len < 40; len++) {
        char bytes[40], wanted[40];

        for (unsigned first = 0; first < 256; first++) {
            for (size_t i = 0; i < len; i++) {
                unsigned char c = (unsigned char)(first + 37 * i);

                bytes[i] = (char)c;
                wanted[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
            }
            tg_text_lower(bytes, len);
            assert_memory_equal(bytes, wanted, len);
        }
    }
}

static void texts_are_trimmed_and_cut(void **state)
{
    struct tg_text rest = TG_TEXT("a=b==");

    assert_true(tg_text_is(tg_text_trim(TG_TEXT(" \t a b \t")), "a b"));
    assert_true(tg_text_is(tg_text_trim(TG_TEXT(" \t ")), ""));
    assert_true(tg_text_is(tg_text_cut(&rest, '='), "a"));
    assert_true(tg_text_is(tg_text_cut(&rest, '='), "b"));
    assert_true(tg_text_is(tg_text_cut(&rest, '='), ""));
    assert_true(rest.base != NULL && rest.len == 0);
    assert_true(tg_text_is(tg_text_cut(&rest, '='), ""));
    assert_null(rest.base);
}

static void numbers_are_digits_that_fit(void **state)
{
    static const char *const none[] = {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616", "99999999999999999999999"};
    uint64_t n = 0;

    assert_true(tg_text_number(TG_TEXT("18446744073709551615"), &n));
    assert_true(n == UINT64_MAX);
    assert_true(tg_text_number(TG_TEXT("007"), &n) && n == 7);
    for (size_t i = 0; i < tg_count(none); i++)
        assert_false(tg_text_number(tg_text(none[i]), &n));
    assert_int_equal(n, 7);
}

static void an_arena_gives_zeroed_aligned_memory(void **state)
{
    struct tg_arena arena = {NULL};

    for (size_t i = 0; i < 5000; i++) {
        size_t size = i * 7 % 3000;
        unsigned char *p = tg_arena_alloc(&arena, size);

        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < size; j++)
            assert_int_equal(p[j], 0);
        memset(p, 0xff, size);
    }
    assert_string_equal(tg_arena_copy(&arena, tg_text_n("abcdef", 3)), "abc");
    assert_string_equal(tg_arena_format(&arena, "%d-%s", 5, "x"), "5-x");
    assert_null(tg_arena_text(&arena, tg_text(NULL)).base);
    assert_non_null(tg_arena_text(&arena, TG_TEXT("")).base);
    tg_arena_done(&arena);
    assert_null(arena.last);
    tg_arena_done(&arena);
    tg_arena_done(NULL);
}

static void a_string_grows_and_stays_terminated(void **state)
{
    TG_STRING s = {NULL, 0, 0};

    assert_string_equal(tg_string_text(&s).base, "");
    for (int i = 0; i < 1000; i++) {
        tg_string_addf(&s, "%d,", i);
        tg_string_add(&s, tg_text(NULL));
        assert_int_equal(strlen(s.base), s.len);
    }
    assert_int_equal(s.len, 10 * 2 + 90 * 3 + 900 * 4);
    s.len = 0;
    tg_string_add(&s, TG_TEXT("new"));
    assert_string_equal(s.base, "new");
}

static void percent_encoding_goes_both_ways(void **state)
{
    struct tg_arena arena = {NULL};
    TG_STRING out = {NULL, 0, 0};
    struct tg_text back;
    char all[255];

    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    tg_url_encode(&out, tg_text_n(all, sizeof(all)));
    assert_non_null(strstr(out.base, "%2A%2B%2C-.%2F0123456789%3A"));
    assert_non_null(strstr(out.base, "%60abc"));
    assert_int_equal(tg_url_decode(&arena, tg_string_text(&out), true, &back), 0);
    assert_true(tg_text_same(back, tg_text_n(all, sizeof(all))));
    tg_arena_done(&arena);
}

static void decoding_knows_forms_and_refuses_the_malformed(void **state)
{
    static const struct tg_text malformed[] = {TG_TEXT("%"), TG_TEXT("%4"), TG_TEXT("a%4"), TG_TEXT("%zz"), TG_TEXT("%4g"),
                                               TG_TEXT("%-1"), TG_TEXT("%00"), TG_TEXT("a\0b"), TG_TEXT("%%41")};
    struct tg_arena arena = {NULL};
    struct tg_text out;

    assert_int_equal(tg_url_decode(&arena, TG_TEXT("a+b%2bc%2F"), true, &out), 0);
    assert_true(tg_text_is(out, "a b+c/"));
    assert_int_equal(tg_url_decode(&arena, TG_TEXT("a+b%41"), false, &out), 0);
    assert_true(tg_text_is(out, "a+bA"));
    assert_int_equal(tg_url_decode(&arena, TG_TEXT(""), false, &out), 0);
    assert_true(out.base != NULL && out.len == 0);
    for (size_t i = 0; i < tg_count(malformed); i++)
        assert_int_equal(tg_url_decode(&arena, malformed[i], true, &out), TG_URL_MALFORMED);
    tg_arena_done(&arena);
}

static void html_is_escaped_for_texts_and_attributes(void **state)
{
    TG_STRING out = {NULL, 0, 0};

    tg_html_escape(&out, TG_TEXT("<a href=\"x\">'&amp;</a> \xc3\xa4"));
    assert_string_equal(out.base, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&lt;/a&gt; \xc3\xa4");
}

static int passes_on(int result)
{
    return tg_try(result) + 10;
}

static void failures_are_passed_up_with_their_reason(void **state)
{
    assert_int_equal(passes_on(0), 10);
    assert_int_equal(passes_on(3), 13);
    assert_int_equal(passes_on(TG_BUSY), TG_BUSY);
    assert_int_equal(tg_fail("no %s", "disk"), TG_FAILED);
    assert_string_equal(tg_failure(), "no disk");
    assert_int_equal(tg_fail("cannot open: %s", tg_failure()), TG_FAILED);
    assert_string_equal(tg_failure(), "cannot open: no disk");
    assert_null(fopen("/nowhere/at/all", "r"));
    assert_int_equal(tg_fail_errno("open"), TG_FAILED);
    assert_string_equal(tg_failure(), "open: No such file or directory");
    TG_FREED char *longer = tg_alloc(3000);
    memset(longer, 'x', 2999);
    tg_fail("%s", longer);
    assert_int_equal(strlen(tg_failure()), 511);
}

static void what_is_kept_is_not_freed(void **state)
{
    char *kept;

    {
        TG_FREED char *text = tg_strdup("kept");

        kept = tg_keep(text);
        assert_null(text);
    }
    assert_string_equal(kept, "kept");
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_compared_by_bytes),
        cmocka_unit_test(letters_are_lowered_and_nothing_else),
        cmocka_unit_test(texts_are_trimmed_and_cut),
        cmocka_unit_test(numbers_are_digits_that_fit),
        cmocka_unit_test(an_arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(a_string_grows_and_stays_terminated),
        cmocka_unit_test(percent_encoding_goes_both_ways),
        cmocka_unit_test(decoding_knows_forms_and_refuses_the_malformed),
        cmocka_unit_test(html_is_escaped_for_texts_and_attributes),
        cmocka_unit_test(failures_are_passed_up_with_their_reason),
        cmocka_unit_test(what_is_kept_is_not_freed),
    };

    return RUN_TESTS(tests);
}
