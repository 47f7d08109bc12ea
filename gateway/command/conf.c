/* conf.c - `teagate conf`: what can be configured, printed from the tables that read it */
#include "command/command.h"
#include "command/nouns.h"

static int example(struct tg_run *run, const void *values)
{
    TG_STRING text = {NULL, 0, 0};

    (void)run;
    (void)values;
    tg_conf_print_example(&text, tg_site_keys);
    tg_run_print(tg_string_text(&text));
    return TG_EXIT_DONE;
}

static int reference(struct tg_run *run, const void *values)
{
    TG_STRING text = {NULL, 0, 0};

    (void)run;
    (void)values;
    tg_conf_print_reference(&text, tg_site_keys);
    tg_run_print(tg_string_text(&text));
    return TG_EXIT_DONE;
}

const struct tg_verb tg_conf_verbs[] = {
    {"example", NULL, 0, NULL, 0, example, "print a commented configuration with every key"},
    {"reference", NULL, 0, NULL, 0, reference, "print the reference of every key (Markdown)"},
    {NULL},
};
