/* What `gitea admin auth list` prints: a text file of cases, and odd bytes. */
#include "../io/scratch.h"
#include <string.h>
#include "gitea/setup_command.h"

#define HEAD "ID |Name |Type |Enabled\n"

static const struct {
    const char *list;
    int answer;
    int64_t id;
    bool is_oauth2, enabled;
} cases[] = {
    {HEAD "1  |teagate |OAuth2 |true\n", 0, 1, true, true},
    {"ID|Name|Type|Enabled\n12|teagate|OAuth2|false\n", 0, 12, true, false},
    {"2026/11/24 [W] something\n" HEAD "3|other|LDAP (via BindDN)|true\n4|teagate|LDAP (via BindDN)|true\n", 0, 4, false, true},
    {HEAD "1|my teagate|OAuth2|true\n2|teagate2|OAuth2|true\n", TG_SOURCE_UNKNOWN, 0, false, false},
    {HEAD "1|x|teagate|OAuth2|true\n", TG_SOURCE_UNKNOWN, 0, false, false}, /* a bar in somebody's name */
    {HEAD, TG_SOURCE_UNKNOWN, 0, false, false},
    {"", TG_SOURCE_UNREADABLE, 0, false, false},
    {"1|teagate|OAuth2|true\n", TG_SOURCE_UNREADABLE, 0, false, false}, /* no head: not the table */
    {HEAD "x|teagate|OAuth2|true\n", TG_SOURCE_UNREADABLE, 0, false, false},
    {HEAD "0|teagate|OAuth2|true\n", TG_SOURCE_UNREADABLE, 0, false, false},
    {HEAD "99999999999999999999|teagate|OAuth2|true\n", TG_SOURCE_UNREADABLE, 0, false, false},
    {HEAD "1|teagate|OAuth2|true\n2|teagate|OAuth2|true\n", TG_SOURCE_UNREADABLE, 0, false, false},
};

static void the_source_is_found_in_the_list(void **state)
{
    struct tg_gitea_source source;

    for (size_t i = 0; i < tg_count(cases); ++i) {
        int answer = tg_gitea_find_source(tg_text(cases[i].list), "teagate", &source);
        if (answer != cases[i].answer)
            fail_msg("case %zu: %d", i, answer);
        if (answer != 0)
            continue;
        assert_int_equal(source.id, cases[i].id);
        assert_string_equal(source.name, "teagate");
        assert_int_equal(source.is_oauth2, cases[i].is_oauth2);
        assert_int_equal(source.enabled, cases[i].enabled);
    }
}

/* A program of this test in Gitea's place. */
static void write_program(struct scratch *scratch, const char *text)
{
    FILE *out = fopen(scratch->path, "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    chmod(scratch->path, 0755);
    chmod(scratch->directory, 0755);
}

static struct tg_gitea_conf conf_of(struct scratch *scratch)
{
    /* as root the command runs as a user without rights; otherwise as ourselves */
    return (struct tg_gitea_conf){
        .host = "git.example.test", .binary = scratch->path, .app_ini = scratch->path,
        .run_as = geteuid() == 0 ? "nobody" : NULL};
}

static void the_command_line_gets_its_arguments_and_nothing_of_ours(void **state)
{
    static const char *const arguments[] = {"admin", "a b", "$(id)", "--secret", "s;x", NULL};
    struct tg_gitea_conf conf = conf_of(*state);
    TG_STRING out = {0};

    write_program(*state,
                  "#!/bin/sh\nprintf '<%s>' \"$@\"\necho\n[ -n \"$TG_TEST_LEAK\" ] && echo leaked\nid -u\n"
                  "ls /proc/$$/fd | wc -l\n"
                          "ulimit -c\n");
    setenv("TG_TEST_LEAK", "1", 1);
    assert_result(0, tg_gitea_command(&conf, arguments, &out));
    char *wanted = tg_format("<--config><%s><admin><a b><$(id)><--secret><s;x>\n", conf.app_ini);
    assert_int_equal(strncmp(out.base, wanted, strlen(wanted)), 0);
    assert_null(strstr(out.base, "leaked"));
    int uid = -1, files = -1, core = -1;
    assert_int_equal(sscanf(out.base + strlen(wanted), "%d %d %d", &uid, &files, &core), 3);
    assert_int_not_equal(uid, 0);
    assert_true(files <= 4); /* the three, and the script */
    assert_int_equal(core, 0);
    free(wanted);
}

static void a_command_that_fails_says_its_last_words(void **state)
{
    static const char *const arguments[] = {NULL};
    struct tg_gitea_conf conf = conf_of(*state);
    TG_STRING out = {0};

    write_program(*state, "#!/bin/sh\necho first >&2\necho 'no such source' >&2\nexit 3\n");
    assert_true(tg_gitea_command(&conf, arguments, &out) < 0);
    assert_non_null(strstr(tg_failure(), "said: no such source"));
    conf.binary = "/nonexistent/gitea";
    assert_true(tg_gitea_command(&conf, arguments, &out) < 0);
    assert_non_null(strstr(tg_failure(), "/nonexistent/gitea"));
    conf.app_ini = "/nonexistent/app.ini";
    assert_true(tg_gitea_command(&conf, arguments, &out) < 0);
    assert_non_null(strstr(tg_failure(), "app-ini: /nonexistent/app.ini"));
    conf.app_ini = NULL;
    assert_true(tg_gitea_command(&conf, arguments, &out) < 0);
}

static void more_output_than_anybody_reads_is_dropped(void **state)
{
    static const char *const arguments[] = {NULL};
    struct tg_gitea_conf conf = conf_of(*state);
    TG_STRING out = {0};

    write_program(*state, "#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\nhead -c 3000000 /dev/zero >&2\n");
    assert_result(0, tg_gitea_command(&conf, arguments, &out));
    assert_true(out.len > 0 && out.len <= 256 * 1024);
}

static void gitea_is_never_run_as_root(void **state)
{
    static const char *const arguments[] = {NULL};
    struct tg_gitea_conf conf = conf_of(*state);
    TG_STRING out = {0};

    if (geteuid() != 0)
        skip();
    write_program(*state, "#!/bin/sh\n");
    conf.run_as = NULL; /* its owner is root */
    assert_true(tg_gitea_command(&conf, arguments, &out) < 0);
    assert_non_null(strstr(tg_failure(), "does not run as root"));
    conf.run_as = "nobody-of-this-name";
    assert_true(tg_gitea_command(&conf, arguments, &out) < 0);
    assert_non_null(strstr(tg_failure(), "there is no user"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_source_is_found_in_the_list),
        scratch_test(the_command_line_gets_its_arguments_and_nothing_of_ours),
        scratch_test(a_command_that_fails_says_its_last_words),
        scratch_test(more_output_than_anybody_reads_is_dropped),
        scratch_test(gitea_is_never_run_as_root),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
