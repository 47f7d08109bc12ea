#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/log.h"
#include "base/result.h"

static char line_seen[4096];
static size_t lines_seen;

static void keep_line(const char *line, size_t len)
{
    snprintf(line_seen, sizeof(line_seen), "%.*s", (int)len, line);
    lines_seen++;
}

static void a_line_is_time_level_event_and_pairs(void **state)
{
    tg_log(TG_LOG_WARN, "upstream-unreachable", "instance", "code.example", "why", "connection refused", "left-out",
           NULL, "n", "5", NULL);
    assert_int_equal(line_seen[4], '-');
    assert_int_equal(line_seen[19], 'Z');
    assert_string_equal(line_seen + 20, " warn upstream-unreachable instance=code.example why=\"connection refused\" n=5\n");
}

static void lines_below_the_threshold_are_not_written(void **state)
{
    size_t before = lines_seen;

    tg_log(TG_LOG_DEBUG, "a", NULL);
    assert_int_equal(lines_seen, before);
    tg_log_set_threshold(TG_LOG_DEBUG);
    tg_log(TG_LOG_DEBUG, "a", NULL);
    assert_int_equal(lines_seen, before + 1);
    assert_string_equal(line_seen + 20, " debug a\n");
    tg_log_set_threshold(TG_LOG_INFO);
}

static void values_cannot_forge_a_line_or_a_pair(void **state)
{
    static const struct {
        struct tg_text value;
        const char *written;
    } cases[] = {
        {TG_TEXT("plain"), " k=plain"},
        {TG_TEXT(""), " k=\"\""},
        {TG_TEXT("a b"), " k=\"a b\""},
        {TG_TEXT("a=b"), " k=\"a=b\""},
        {TG_TEXT("a\"b\\"), " k=\"a\\\"b\\\\\""},
        {TG_TEXT("a\nb\r\x1b[31m"), " k=\"a\\x0ab\\x0d\\x1b[31m\""},
        {TG_TEXT("a\0b"), " k=\"a\\x00b\""},
        {TG_TEXT("\x7f"), " k=\"\\x7f\""},
        {TG_TEXT("gr\xc3\xbc\xc3\x9f \xe9\x96\x80 \xf0\x9f\x8d\xb5"), " k=\"gr\xc3\xbc\xc3\x9f \xe9\x96\x80 \xf0\x9f\x8d\xb5\""},
        {TG_TEXT("\xe9\x96\x80"), " k=\xe9\x96\x80"},
        {TG_TEXT("\xc2\x9b"), " k=\"\\xc2\\x9b\""},         /* CSI of C1 */
        {TG_TEXT("\xff\xc3"), " k=\"\\xff\\xc3\""},         /* no character, half a character */
        {TG_TEXT("\xc0\xaf"), " k=\"\\xc0\\xaf\""},         /* overlong */
        {TG_TEXT("\xe0\x80\xaf"), " k=\"\\xe0\\x80\\xaf\""},
        {TG_TEXT("\xed\xa0\x80"), " k=\"\\xed\\xa0\\x80\""}, /* a surrogate */
        {TG_TEXT("\xf4\x90\x80\x80"), " k=\"\\xf4\\x90\\x80\\x80\""},
    };

    for (size_t i = 0; i < tg_count(cases); i++) {
        TG_STRING line = {NULL, 0, 0};

        tg_log_pair(&line, "k", cases[i].value);
        assert_string_equal(line.base, cases[i].written);
    }
}

static void a_value_of_any_length_fits_into_a_line(void **state)
{
    TG_STRING line = {NULL, 0, 0};
    char value[10000];

    memset(value, '\n', sizeof(value));
    tg_log_pair(&line, "k", tg_text_n(value, sizeof(value)));
    assert_int_equal(line.len, 3 + 1 + 4 * 2048 + 1 + 3);
    assert_true(tg_text_ends(tg_string_text(&line), "\\x0a\"..."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_time_level_event_and_pairs),
        cmocka_unit_test(lines_below_the_threshold_are_not_written),
        cmocka_unit_test(values_cannot_forge_a_line_or_a_pair),
        cmocka_unit_test(a_value_of_any_length_fits_into_a_line),
    };

    tg_log_set_sink(keep_line);
    return RUN_TESTS(tests);
}
