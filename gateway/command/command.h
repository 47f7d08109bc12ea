/*
 * command.h - one run of one command: its configuration, its store, its output and its exit status
 *
 * What went well is printed on standard output, as text or with --json as one JSON document; what went wrong on standard error, with the
 * remedy. A command becomes the service user before it opens anything besides the configuration and files named on its command line.
 */
#ifndef TG_COMMAND_COMMAND_H
#define TG_COMMAND_COMMAND_H

#include "base/json.h"
#include "command/options.h"
#include "site_conf.h"
#include "store/redis_conf.h"

/* Stable: scripts rely on them. */
enum tg_exit {
    TG_EXIT_DONE = 0,
    TG_EXIT_FAILED = 1,   /* also: the configuration is wrong */
    TG_EXIT_USAGE = 2,
    TG_EXIT_UNKNOWN = 3,  /* what was named does not exist */
    TG_EXIT_TAKEN = 4,    /* what was to be made is there already */
    TG_EXIT_DOWN = 5,     /* the service does not run */
};

struct tg_run {
    const char *const *words;
    const char *config_path;
    const char *program;         /* argv[0] */
    bool json;
    struct tg_conf_file file;    /* after tg_run_configure */
    struct tg_site_conf conf;
    struct tg_store store;       /* after tg_run_open_store; what changes it rings the doorbell */
    struct tg_space *space;      /* NULL: no Redis, or none that can be used */
    struct tg_redis_link *link;
};

/* Runs what the command line asks for; the exit status. */
int tg_command_main(const struct tg_noun *nouns, int argc, char **argv);

/* Each answers TG_EXIT_DONE, or has said what is wrong and answers with the exit status. */
int tg_run_read_config(struct tg_run *run);    /* all errors are printed */
int tg_run_configure(struct tg_run *run);      /* the same, and becomes the service user */
int tg_run_configure_anyhow(struct tg_run *run); /* the same, but errors are left in run->file.errors and what can be read is used */
int tg_run_open_store(struct tg_run *run);     /* the same, and opens the store */

/* Say what is wrong and answer with the status. */
int tg_run_refuse(enum tg_exit status, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tg_run_failed(const char *doing);          /* with tg_failure() */

void tg_run_print(struct tg_text text);
void tg_run_print_json(json_t *json);          /* and gives the reference up */

#endif
