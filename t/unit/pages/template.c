#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/result.h"
#include "http/template.h"

struct sample {
    struct tg_text name, go_url;
};

static const struct tg_slot slots[] = {
    {"name", offsetof(struct sample, name)},
    {"go_url", offsetof(struct sample, go_url)},
    {NULL},
};
static const struct tg_page page = {"not-found", slots};

/* A directory in which one template is the operator's own; the others are built in. */
static char directory[] = "/tmp/teagate-templates-XXXXXX";

static void write_file(const char *name, const char *text)
{
    TG_FREED char *path = tg_format("%s/%s", directory, name);

    assert_int_equal(tg_file_write_atomically(path, 0600, tg_text(text)), 0);
}

static void remove_file(const char *name)
{
    TG_FREED char *path = tg_format("%s/%s", directory, name);

    remove(path);
}

static int make_directory(void **state)
{
    return mkdtemp(directory) == NULL;
}

static int drop_directory(void **state)
{
    remove_file("not-found.html");
    remove_file("own.html");
    return remove(directory);
}

static void fill_and_compare(const char *template, const struct sample *values, const char *expected)
{
    struct tg_templates *templates;
    struct tg_arena arena = {NULL};

    write_file("not-found.html", template);
    assert_int_equal(tg_templates_load(directory, &templates), 0);
    assert_int_equal(tg_templates_check(templates, &page), 0);
    assert_string_equal(tg_templates_fill(templates, &page, values, &arena).base, expected);
    tg_templates_free(templates);
    tg_arena_done(&arena);
}

static void slots_are_filled_and_escaped(void **state)
{
    const struct sample values = {.name = TG_TEXT("<b a=\"x\">&'"), .go_url = TG_TEXT("/a?b=\"c\"&d")};

    fill_and_compare("<p>{{name}}</p>", &values, "<p>&lt;b a=&quot;x&quot;&gt;&amp;&#39;</p>");
    fill_and_compare("<a href=\"{{go_url}}\">{{ name }}", &values,
                     "<a href=\"/a?b=&quot;c&quot;&amp;d\">&lt;b a=&quot;x&quot;&gt;&amp;&#39;");
    fill_and_compare("{{operator_name}} {{style_url}}", &values, "Teagate /.teagate/style.css");
    fill_and_compare("", &values, "");
    fill_and_compare("} {a} }}", &values, "} {a} }}");
}

static void sections_follow_their_slot(void **state)
{
    const struct sample both = {.name = TG_TEXT("n"), .go_url = TG_TEXT("/")}, none = {.name = TG_TEXT("")};
    static const char text[] = "a{{#name}}b{{#go_url}}c{{/go_url}}{{^go_url}}d{{/go_url}}e{{/name}}{{^name}}f{{/name}}g";

    fill_and_compare(text, &both, "abceg");
    fill_and_compare(text, &none, "afg");
    fill_and_compare("{{#name}}{{/name}}{{#go_url}}{{/go_url}}x", &both, "x");
}

static void tags_alone_on_a_line_take_it_with_them(void **state)
{
    const struct sample values = {.name = TG_TEXT("n")};

    fill_and_compare("a\n  {{#name}}  \nb\n{{/name}}\nc", &values, "a\nb\nc");
    fill_and_compare("a\r\n{{#name}}\r\nb\r\n{{/name}}", &values, "a\r\nb\r\n");
    fill_and_compare("{{! a comment\n   of two lines }}\nb", &values, "b");
    fill_and_compare("a {{! not alone }}\nb", &values, "a \nb");
    fill_and_compare("{{name}}\n{{name}}\n", &values, "n\nn\n");
}

static void only_safe_addresses_are_filled_in(void **state)
{
    static const char *const safe[] = {"/", "/a//b?c#d", "https://a.example", "http://a/b", "/\xc3\xa4"};
    static const char *const unsafe[] = {
        "javascript:alert(1)", "data:text/html,x", "//evil.example", "/\\evil.example", "HTTPS://a", "https://", "a/b", "",
        " /a", "/a b", "/a\nb", "\tjavascript:x", "https:/a", "vbscript:x", "/a\x7f",
    };

    for (size_t i = 0; i < tg_count(safe); i++) {
        TG_FREED char *expected = tg_format("[%s]yes", safe[i]);

        fill_and_compare("[{{go_url}}]{{#go_url}}yes{{/go_url}}", &(struct sample){.go_url = tg_text(safe[i])}, expected);
    }
    for (size_t i = 0; i < tg_count(unsafe); i++)
        fill_and_compare("[{{go_url}}]{{#go_url}}yes{{/go_url}}", &(struct sample){.go_url = tg_text(unsafe[i])}, "[]");
}

static void parts_of_the_operator_are_found(void **state)
{
    write_file("own.html", "<i>{{name}}</i>\n");
    fill_and_compare("a\n{{>own}}\nb{{>own}}", &(struct sample){.name = TG_TEXT("n")}, "a\n<i>n</i>\nb<i>n</i>\n");
    remove_file("own.html");
}

static void errors_name_file_line_and_remedy(void **state)
{
    static const struct {
        const char *template, *why;
    } cases[] = {
        {"\n{{name", "not-found.html:2: \"{{\" is not closed; write }} behind the name"},
        {"a\n\n{{#name}}\n", "not-found.html:3: {{#name}} is not closed; write {{/name}} where it ends"},
        {"{{^name}}", "not-found.html:1: {{^name}} is not closed; write {{/name}} where it ends"},
        {"{{/name}}", "not-found.html:1: {{/name}} closes nothing"},
        {"{{#name}}\n{{#go_url}}\n{{/name}}", "not-found.html:3: {{/name}} comes before {{/go_url}} of line 2"},
        {"{{Na me}}", "not-found.html:1: \"{{Na me}}\" is not a slot; names are of a-z, 0-9, _ and -"},
        {"{{}}", "not-found.html:1: \"{{}}\" is not a slot"},
        {"{{{name}}}", "not-found.html:1: \"{{{name}}\" is not a slot"},
        {"<a href={{go_url}}>", "not-found.html:1: the attribute with {{go_url}} has no quotes; write =\"{{go_url}}\""},
        {"\n{{>nowhere}}", "not-found.html:2: there is no part nowhere.html; put nowhere.html beside it"},
        {"{{>not-found}}", "parts are nested deeper than 8, or include each other"},
        {"{{! one\ntwo\n}}\n{{nobody}}", "not-found.html:4: the page has no slot nobody; it has name, go_url"},
        {"{{#nobody}}{{/nobody}}", "not-found.html:1: the page has no slot nobody"},
        {"{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}", "not-found.html:1: sections are nested deeper"},
    };

    for (size_t i = 0; i < tg_count(cases); i++) {
        struct tg_templates *templates = NULL;
        int result;

        print_message("# %s\n", cases[i].why);
        write_file("not-found.html", cases[i].template);
        result = tg_templates_load(directory, &templates);
        if (result == 0)
            result = tg_templates_check(templates, &page);
        assert_int_equal(result, TG_FAILED);
        assert_non_null(strstr(tg_failure(), cases[i].why));
        tg_templates_free(templates);
    }
    write_file("not-found.html", "");
}

static void a_file_that_replaces_nothing_is_an_error(void **state)
{
    struct tg_templates *templates;

    write_file("own.html", "x");
    assert_int_equal(tg_templates_load(directory, &templates), TG_FAILED);
    assert_non_null(strstr(tg_failure(), "own.html replaces no template"));
    remove_file("own.html");
    assert_int_equal(tg_templates_load("/nowhere/at/all", &templates), TG_FAILED);
    assert_non_null(strstr(tg_failure(), "cannot open the template directory /nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_filled_and_escaped),
        cmocka_unit_test(sections_follow_their_slot),
        cmocka_unit_test(tags_alone_on_a_line_take_it_with_them),
        cmocka_unit_test(only_safe_addresses_are_filled_in),
        cmocka_unit_test(parts_of_the_operator_are_found),
        cmocka_unit_test(errors_name_file_line_and_remedy),
        cmocka_unit_test(a_file_that_replaces_nothing_is_an_error),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_directory, drop_directory);
}
