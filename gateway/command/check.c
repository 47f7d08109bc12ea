/* check.c - `teagate check`: everything that is wrong with the configuration, at once */
#include <stdio.h>
#include "command/command.h"
#include "command/nouns.h"

static json_t *lines_json(struct tg_text rest)
{
    json_t *lines = json_array();

    while (rest.base != NULL) {
        struct tg_text line = tg_text_cut(&rest, '\n');

        if (line.len > 0)
            json_array_append_new(lines, json_stringn(line.base, line.len));
    }
    return lines;
}

static int check(struct tg_run *run, const void *values)
{
    int status = tg_run_configure(run);
    bool is_read = run->file.path != NULL;

    (void)values;
    if (run->json && is_read)
        tg_run_print_json(json_pack("{s:b, s:o, s:o}", "ok", status == TG_EXIT_DONE, "errors",
                                    lines_json(tg_string_text(&run->file.errors)), "warnings",
                                    lines_json(tg_string_text(&run->file.warnings))));
    if (!run->json && run->file.warnings.len > 0)
        fprintf(stderr, "%s", run->file.warnings.base);
    if (!run->json && status == TG_EXIT_DONE)
        printf("%s is in order\n", run->config_path);
    return status;
}

const struct tg_verb tg_check_verbs[] = {
    {NULL, NULL, 0, NULL, 0, check, "look for errors in the configuration"},
    {NULL},
};
