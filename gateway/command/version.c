/* version.c - `teagate version` */
#include <stdio.h>
#include "command/command.h"
#include "command/nouns.h"

static int version(struct tg_run *run, const void *values)
{
    (void)values;
    if (run->json)
        tg_run_print_json(json_pack("{s:s}", "version", TG_VERSION));
    else
        printf("teagate %s\n", TG_VERSION);
    return TG_EXIT_DONE;
}

const struct tg_verb tg_version_verbs[] = {
    {NULL, NULL, 0, NULL, 0, version, "print the version"},
    {NULL},
};
