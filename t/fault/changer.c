/*
 * changer.c - changes accounts as the commands do, but many times a second
 *
 *   verdict-changer CONFIG
 *
 * Reads one change a line, "LOGIN VERB ARGUMENT...", and answers each with "BEGUN ENDED RESULT": the monotonic seconds between which it was
 * committed, and 0, a positive answer of the store, or -1 when it did not work (the reason follows). In between it rings the doorbell.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "command/command.h"
#include "store/subscription.h"

enum { LINE = 512, WORDS = 5, NO_SUCH_VERB = 99 };

struct change {
    struct tg_store *store;
    const char *account;
    const char *words[WORDS]; /* LOGIN VERB ARGUMENT...; "" when there are fewer */
};

static int set_end(const struct change *change)
{
    return tg_subscription_set(change->store, change->account, tg_now_s() + atoll(change->words[2]));
}

static enum tg_hold_kind kind_of(const char *name)
{
    enum tg_hold_kind kind = TG_HOLD_NONPAYMENT;

    while (kind < TG_HOLD_GITEA && strcmp(tg_hold_kind_name(kind), name) != 0)
        kind++;
    return kind;
}

static int place(const struct change *change)
{
    enum tg_hold_level level = strcmp(change->words[3], "readonly") == 0 ? TG_HOLD_READONLY : TG_HOLD_BLOCKED;

    return tg_hold_place(change->store, change->account, kind_of(change->words[2]), level, "a test");
}

static int lift(const struct change *change)
{
    return tg_hold_lift(change->store, change->account, kind_of(change->words[2]));
}

static int lock(const struct change *change)
{
    return tg_account_set_locked(change->store, change->account, change->words[2][0] == '1');
}

static int set_operator(const struct change *change)
{
    return tg_account_set_operator(change->store, change->account, change->words[2][0] == '1');
}

static int raise_epoch(const struct change *change)
{
    return tg_account_raise_epoch(change->store, change->account);
}

static const struct {
    const char *name;
    int (*run)(const struct change *change);
} verbs[] = {
    {"set", set_end}, {"place", place}, {"lift", lift}, {"lock", lock}, {"operator", set_operator}, {"sign-out", raise_epoch},
};

static double monotonic_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void read_words(char *line, const char *words[WORDS])
{
    char *rest = line;

    for (int i = 0; i < WORDS; i++) {
        char *word = strsep(&rest, " \n");

        words[i] = word != NULL ? word : "";
    }
}

static int apply(const struct change *change)
{
    for (size_t i = 0; i < tg_count(verbs); i++) {
        if (strcmp(verbs[i].name, change->words[1]) == 0)
            return verbs[i].run(change);
    }
    return NO_SUCH_VERB;
}

static void serve_line(struct tg_store *store, char *line)
{
    struct tg_account account;
    struct change change = {.store = store, .account = account.id};
    double begun;
    int result;

    read_words(line, change.words);
    result = tg_account_find_login(store, tg_text(change.words[0]), &account);
    begun = monotonic_s();
    if (result == 0)
        result = apply(&change);
    printf("%.6f %.6f %d %s\n", begun, monotonic_s(), result < 0 ? -1 : result, result < 0 ? tg_failure() : "");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct tg_run run = {.config_path = argc == 2 ? argv[1] : "", .program = argv[0]};
    char line[LINE];

    if (tg_secret_init() < 0 || tg_run_open_store(&run) != TG_EXIT_DONE)
        return EXIT_FAILURE;
    while (fgets(line, sizeof(line), stdin) != NULL)
        serve_line(&run.store, line);
    tg_store_close(&run.store);
    tg_redis_link_free(run.link);
    tg_space_free(run.space);
    tg_conf_done(&run.file);
    return EXIT_SUCCESS;
}
