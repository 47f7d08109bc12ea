/* ca.c - `teagate ca print`: the root that browsers and git have to trust for localhost names */
#include "base/result.h"
#include "command/command.h"
#include "command/nouns.h"
#include "http/ca.h"

static int print(struct tg_run *run, const void *values)
{
    struct tg_arena arena = {NULL};
    struct tg_text pem;
    int status = tg_run_configure(run);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_ca_root(tg_site_ca_directory(&run->conf), &arena, &pem);
    if (result == TG_CA_ABSENT) {
        status = tg_run_refuse(TG_EXIT_UNKNOWN, "there is no internal authority in %s yet; it is made when the service starts with tls.internal-ca",
                               tg_site_ca_directory(&run->conf));
    } else if (result != 0) {
        status = tg_run_failed("reading the internal authority");
    } else if (run->json) {
        tg_run_print_json(json_pack("{s:s%}", "pem", pem.base, pem.len));
    } else {
        tg_run_print(pem);
    }
    tg_arena_done(&arena);
    return status;
}

const struct tg_verb tg_ca_verbs[] = {
    {"print", NULL, 0, NULL, 0, print, "print the root certificate of the internal authority (PEM)"},
    {NULL},
};
