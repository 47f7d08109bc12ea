/* Command lines, read by tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include "command/options.h"

struct add {
    const char *email;
    bool loud;
};

static int do_nothing(struct tg_run *run, const void *values)
{
    (void)run;
    (void)values;
    return 0;
}

static const struct tg_option add_options[] = {
    {"email", offsetof(struct add, email), "ADDRESS", true, "where mail goes"},
    {"loud", offsetof(struct add, loud), NULL, false, "say more"},
    {NULL},
};

static const struct tg_verb user_verbs[] = {
    {"add", "LOGIN", 1, add_options, sizeof(struct add), do_nothing, "add one"},
    {"list", NULL, 0, NULL, 0, do_nothing, "list all"},
    {NULL},
};

static const struct tg_verb check_verbs[] = {
    {NULL, NULL, 0, NULL, 0, do_nothing, "look"},
    {NULL},
};

static const struct tg_noun nouns[] = {
    {"user", user_verbs, "people"},
    {"check", check_verbs, "errors"},
    {"inner", check_verbs, "not for people", .is_internal = true},
    {NULL},
};

enum { ARGUMENTS = 10 };

/* The words of a line, split at spaces. */
static int read_line(const char *text, struct tg_line *line, struct tg_string *errors)
{
    static char copy[256];
    char *arguments[ARGUMENTS] = {"teagate"}, *save = NULL;
    int count = 1;

    errors->len = 0;
    strcpy(copy, text);
    for (char *word = strtok_r(copy, " ", &save); word != NULL && count < ARGUMENTS; word = strtok_r(NULL, " ", &save))
        arguments[count++] = word;
    return tg_line_read(nouns, count, arguments, line, errors);
}

static void options_stand_anywhere(void **state)
{
    static const char *const same[] = {"user add ada --email a@x --loud -c F", "-c F user --json add --loud --email=a@x ada",
                                       "--config=F user add --email a@x --loud -- ada"};
    struct tg_string errors = {NULL, 0, 0};
    struct tg_line line;

    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_int_equal(read_line(same[i], &line, &errors), 0);
        const struct add *add = line.values;
        assert_ptr_equal(line.verb, &user_verbs[0]);
        assert_string_equal(line.words[0], "ada");
        assert_string_equal(add->email, "a@x");
        assert_true(add->loud);
        assert_string_equal(line.common.config, "F");
        assert_int_equal(line.common.json, i == 1);
        free(line.values);
    }
    assert_int_equal(read_line("user add --email a@x -- --ada", &line, &errors), 0);
    assert_string_equal(line.words[0], "--ada");
    assert_string_equal(line.common.config, TG_CONFIG_PATH);
    free(line.values);
    tg_string_done(&errors);
}

static void what_is_wrong_is_named_with_a_way_on(void **state)
{
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"", "a command is missing; see: teagate --help\n"},
        {"frob", "there is no command \"frob\"; see: teagate --help\n"},
        {"user", "\"user\" needs a verb; see: teagate user --help\n"},
        {"user frob", "there is no command \"user frob\"; see: teagate user --help\n"},
        {"user list x", "\"x\" is one word too many; see: teagate user list --help\n"},
        {"user add", "LOGIN is missing; see: teagate user add --help\n--email ADDRESS is missing; see: teagate user add --help\n"},
        {"user add a --email", "--email needs a value: ADDRESS; see: teagate user add --help\n"},
        {"user add a --loud=yes --email x", "--loud takes no value; see: teagate user add --help\n"},
        {"user add a --laud", "there is no option --laud here; see: teagate user add --help\n"},
        {"user --email a@x add a", "there is no option --email here; see: teagate user --help\n"},
        {"check -x", "there is no option -x here; see: teagate check --help\n"},
        {"check now", "\"now\" is one word too many; see: teagate check --help\n"},
    };
    struct tg_string errors = {NULL, 0, 0};
    struct tg_line line;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_line(cases[i].line, &line, &errors), TG_LINE_WRONG);
        assert_string_equal(errors.base, cases[i].error);
        assert_null(line.values);
    }
    tg_string_done(&errors);
}

static void help_is_written_from_the_tables(void **state)
{
    struct tg_string text = {NULL, 0, 0};
    struct tg_line line;

    (void)state;
    assert_int_equal(read_line("user add --help", &line, &text), 0);
    assert_true(line.common.help);
    tg_help_write(&text, nouns, line.noun, line.verb);
    free(line.values);
    assert_non_null(strstr(text.base, "teagate user add LOGIN"));
    assert_non_null(strstr(text.base, "--email ADDRESS            where mail goes (needed)\n"));
    assert_non_null(strstr(text.base, "--config FILE"));
    assert_int_equal(read_line("help", &line, &text), 0);
    tg_help_write(&text, nouns, line.noun, line.verb);
    assert_non_null(strstr(text.base, "teagate user list"));
    assert_null(strstr(text.base, "inner"));
    assert_int_equal(read_line("help user", &line, &text), 0);
    assert_ptr_equal(line.noun, &nouns[0]);
    assert_null(line.verb);
    tg_string_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(what_is_wrong_is_named_with_a_way_on),
        cmocka_unit_test(help_is_written_from_the_tables),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
