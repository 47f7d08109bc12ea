#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "base/result.h"
#include "conf_sample.h"

static void add_words(struct tg_string *out, const struct sample *s)
{
    const char *const *words = s->words.items;
    const int64_t *ports = s->ports.items;
    const struct tg_address *addresses = s->addresses.items;
    const struct sample_server *servers = s->servers.items;

    for (size_t i = 0; i < s->words.count; i++)
        tg_string_addf(out, "= words[%zu] %s\n", i, words[i]);
    for (size_t i = 0; i < s->ports.count; i++)
        tg_string_addf(out, "= ports[%zu] %lld\n", i, (long long)ports[i]);
    for (size_t i = 0; i < s->addresses.count; i++)
        tg_string_addf(out, "= addresses[%zu] %s %d %s\n", i, addresses[i].host != NULL ? addresses[i].host : "*",
                       addresses[i].port, addresses[i].path != NULL ? addresses[i].path : "-");
    for (size_t i = 0; i < s->servers.count; i++)
        tg_string_addf(out, "= servers[%zu] %s %lld\n", i, servers[i].name, (long long)servers[i].weight);
}

static void add_doors(struct tg_string *out, const struct sample *s)
{
    const struct sample_door *doors = s->doors.items;

    for (size_t i = 0; i < s->doors.count; i++) {
        const struct tg_network *networks = doors[i].networks.items;

        tg_string_addf(out, "= doors[%zu] %s %lld", i, doors[i].address.text, (long long)doors[i].wait_s);
        for (size_t j = 0; j < doors[i].networks.count; j++) {
            char base[TG_IP_TEXT];

            tg_ip_text(&networks[j].base, base);
            tg_string_addf(out, " %s/%u", base, networks[j].prefix);
        }
        tg_string_add(out, TG_TEXT("\n"));
    }
}

static const char *or_none(const char *text)
{
    return text != NULL ? text : "(none)";
}

static void add_values(struct tg_string *out, const struct sample *s)
{
    tg_string_addf(out, "= title %s\n= file %s\n= site %s\n= host %s\n= zone %s\n", or_none(s->title), or_none(s->file),
                   or_none(s->site), or_none(s->host), or_none(s->zone));
    tg_string_addf(out, "= quick %d\n= threads %lld\n= shift %lld\n= body %lld\n= any %lld\n= most %lld\n= level %d\n", s->quick,
                   (long long)s->threads, (long long)s->shift, (long long)s->body, (long long)s->any,
                   (long long)s->most, s->level);
    tg_string_addf(out, "= listen %s %d\n", or_none(s->listen.host), s->listen.port);
    tg_string_addf(out, "= oidc %s %lld %lld\n", or_none(s->oidc.issuer), (long long)s->oidc.code_ttl_s,
                   (long long)s->oidc.keys.keep);
    add_words(out, s);
    add_doors(out, s);
}

/* The lines of the answer that begin with "= " must be among the values; the others are all errors, in order. */
static bool answers(struct tg_text input, struct tg_text answer, struct tg_string *got)
{
    struct tg_conf_file file;
    struct sample sample;
    TG_STRING values = {NULL, 0, 0}, errors = {NULL, 0, 0};
    bool good = true;

    memset(&sample, 0xa5, sizeof(sample)); /* the reader leaves nothing of it */
    tg_conf_read(&file, "/etc/teagate/t.yaml", input, sample_keys, &sample);
    add_values(&values, &sample);
    tg_string_addf(got, "%s%s", tg_string_text(&file.errors).base, values.base);
    while (answer.base != NULL) {
        struct tg_text line = tg_text_cut(&answer, '\n');
        TG_FREED char *whole = tg_format("%.*s\n", TG_TEXT_ARGS(line));

        if (tg_text_starts(line, "= "))
            good = good && strstr(values.base, whole) != NULL;
        else if (line.len > 0)
            tg_string_add(&errors, tg_text(whole));
    }
    good = good && tg_text_same(tg_string_text(&errors), tg_string_text(&file.errors));
    tg_conf_done(&file);
    return good;
}

/* "### what it shows", the file, "--->", the answer. */
static void every_case_has_its_answer(void **state)
{
    TG_STRING text = {NULL, 0, 0};
    size_t cases = 0, wrong = 0;
    char *next;

    assert_int_equal(tg_file_read(getenv("TG_CONF_CASES"), 1 << 20, &text), 0);
    for (char *at = strstr(text.base, "### "); at != NULL; at = next, cases++) {
        char *input = strchr(at, '\n') + 1;
        char *arrow = strstr(input, "--->\n");
        TG_STRING got = {NULL, 0, 0};

        assert_non_null(arrow);
        next = strstr(arrow, "\n### ");
        next = next != NULL ? next + 1 : NULL;
        struct tg_text answer = next != NULL ? tg_text_n(arrow + 5, (size_t)(next - arrow - 5)) : tg_text(arrow + 5);
        if (!answers(tg_text_n(input, (size_t)(arrow - input)), answer, &got)) {
            wrong++;
            print_message("%.*s\n%s\n", (int)strcspn(at, "\n"), at, got.base);
        }
    }
    assert_true(cases > 30);
    assert_int_equal(wrong, 0);
}

static void read_sample(struct tg_conf_file *file, const char *text, struct sample *sample)
{
    tg_conf_read(file, "/etc/teagate/t.yaml", tg_text(text), sample_keys, sample);
}

static void the_printed_example_reads_back_without_errors(void **state)
{
    TG_STRING text = {NULL, 0, 0};
    struct tg_conf_file file;
    struct sample sample;

    tg_conf_print_example(&text, sample_keys);
    assert_non_null(strstr(text.base, "# How long a code may wait to be redeemed (from 10s to 10m).\n  #code-ttl: 60\n"));
    assert_non_null(strstr(text.base, "\n  issuer: https://auth.example.net\n"));
    read_sample(&file, text.base, &sample);
    assert_string_equal(tg_string_text(&file.errors).base, "");
    assert_string_equal(sample.oidc.issuer, "https://auth.example.net");
    tg_conf_done(&file);
}

/* "#key" is a key that is out, "# Word" is a sentence. */
static void the_example_reads_back_when_all_keys_are_uncommented(void **state)
{
    TG_STRING text = {NULL, 0, 0}, all = {NULL, 0, 0};
    struct tg_conf_file file;
    struct sample sample;

    tg_conf_print_example(&text, sample_keys);
    struct tg_text rest = tg_string_text(&text);
    while (rest.base != NULL) {
        struct tg_text line = tg_text_cut(&rest, '\n');
        size_t indent = 0;

        while (indent < line.len && line.base[indent] == ' ')
            indent++;
        bool is_out = indent < line.len && line.base[indent] == '#' && line.base[indent + 1] != ' ';
        tg_string_add(&all, tg_text_n(line.base, indent));
        tg_string_add(&all, tg_text_n(line.base + indent + is_out, line.len - indent - is_out));
        tg_string_add(&all, TG_TEXT("\n"));
    }
    read_sample(&file, all.base, &sample);
    assert_string_equal(tg_string_text(&file.errors).base, "");
    assert_string_equal(sample.title, "Code: hosting");
    assert_string_equal(sample.listen.host, "::1");
    assert_int_equal(sample.servers.count, 1);
    assert_int_equal(sample.words.count, 2);
    assert_int_equal(sample.doors.count, 1);
    tg_conf_done(&file);
}

static void the_reference_has_a_row_for_each_key(void **state)
{
    TG_STRING text = {NULL, 0, 0};

    tg_conf_print_reference(&text, sample_keys);
    assert_non_null(strstr(text.base, "\n| `code-ttl` | time | `60` | 10s to 10m | how long a code may wait to be redeemed |\n"));
    assert_non_null(strstr(text.base, "\n| `issuer` | URL | required |  | the public address of this provider |\n"));
    assert_non_null(strstr(text.base, "\n| `level` | word | `notice` | notice, readonly or blocked | what remains |\n"));
    assert_non_null(strstr(text.base, "the zone of times \\| of all of them |\n"));
    assert_non_null(strstr(text.base, "\n## `oidc.keys`\n"));
    assert_non_null(strstr(text.base, "\n## `servers[]`\n"));
}

static void later_checks_name_the_line_of_a_field(void **state)
{
    struct tg_conf_file file;
    struct sample sample;

    read_sample(&file, "host: a\noidc:\n  issuer: https://a.example\nservers:\n  - name: one\n  - name: two\n", &sample);
    struct sample_server *servers = sample.servers.items;
    tg_conf_error_at(&file, &servers[1].name, "stands twice");
    tg_conf_error_at(&file, &sample.oidc.code_ttl_s, "is odd");
    tg_conf_error_at(&file, &sample.host, "is %s", "even");
    tg_conf_warn_at(&file, &servers[0].weight, "is light");
    tg_conf_error_at(&file, &file, "nowhere");
    assert_string_equal(file.errors.base, "/etc/teagate/t.yaml:6: servers[2].name: stands twice\n"
                                          "/etc/teagate/t.yaml:2: oidc.code-ttl: is odd\n"
                                          "/etc/teagate/t.yaml:1: host: is even\n"
                                          "/etc/teagate/t.yaml: nowhere\n");
    assert_string_equal(file.warnings.base, "/etc/teagate/t.yaml:5: servers[1].weight: is light\n");
    tg_conf_done(&file);
}

static void too_much_of_anything_is_refused(void **state)
{
    static const char *const heads[] = {"words: [", "words: [", "words: ["};
    static const size_t sizes[] = {1024 * 1024, 60000, 60000};
    static const char *const pieces[] = {"aaaaaaaaaaaaaaa,", "a,", "["};
    static const char *const reasons[] = {"larger than 1 MiB", "more than 20000 values", "nested deeper than 8 levels"};

    for (size_t i = 0; i < tg_count(heads); i++) {
        TG_STRING text = {NULL, 0, 0};
        struct tg_conf_file file;
        struct sample sample;

        tg_string_add(&text, tg_text(heads[i]));
        while (text.len < sizes[i])
            tg_string_addf(&text, "%s%s", pieces[i], text.len % 80 < 16 ? "\n " : "");
        tg_string_add(&text, TG_TEXT("x]\n"));
        read_sample(&file, text.base, &sample);
        assert_non_null(strstr(file.errors.base, reasons[i]));
        tg_conf_done(&file);
    }
}

static void many_errors_end_in_a_remark(void **state)
{
    TG_STRING text = {NULL, 0, 0};
    struct tg_conf_file file;
    struct sample sample;
    size_t lines = 0;

    for (int i = 0; i < 500; i++)
        tg_string_addf(&text, "unknown%d: 1\n", i);
    read_sample(&file, text.base, &sample);
    for (const char *p = file.errors.base; *p != '\0'; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 101);
    assert_true(tg_text_ends(tg_string_text(&file.errors), "more was found than is shown here\n"));
    tg_conf_done(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_has_its_answer),
        cmocka_unit_test(the_printed_example_reads_back_without_errors),
        cmocka_unit_test(the_example_reads_back_when_all_keys_are_uncommented),
        cmocka_unit_test(the_reference_has_a_row_for_each_key),
        cmocka_unit_test(later_checks_name_the_line_of_a_field),
        cmocka_unit_test(too_much_of_anything_is_refused),
        cmocka_unit_test(many_errors_end_in_a_remark),
    };

    return RUN_TESTS(tests);
}
