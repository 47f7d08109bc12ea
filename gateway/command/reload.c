/* reload.c - `teagate reload`: the running service takes the new configuration, and the installed program */
#include <stdio.h>
#include "base/result.h"
#include "command/ask.h"
#include "command/nouns.h"

struct answer {
    bool is_done;
    struct tg_string text;
};

static void hear(const struct tg_control_message *message, void *context)
{
    struct answer *answer = context;

    answer->is_done = tg_text_is(message->verb, "ok");
    answer->text.len = 0;
    tg_string_add(&answer->text, message->rest);
}

static int reload(struct tg_run *run, const void *values)
{
    TG_STRING text = {NULL, 0, 0};
    struct answer answer = {.is_done = false};
    int status = tg_ask(run, "reload", hear, &answer);

    (void)values;
    text = answer.text; /* freed with the scope */
    if (status != TG_EXIT_DONE)
        return status;
    if (run->json)
        tg_run_print_json(json_pack("{s:b, s:s%}", "ok", answer.is_done, answer.is_done ? "text" : "why", text.base, text.len));
    else if (answer.is_done)
        printf("%s", text.base);
    else
        fprintf(stderr, "%steagate: nothing has changed; the old configuration serves on\n", text.base);
    return answer.is_done ? TG_EXIT_DONE : TG_EXIT_FAILED;
}

const struct tg_verb tg_reload_verbs[] = {
    {NULL, NULL, 0, NULL, 0, reload, "take the new configuration, or the new program"},
    {NULL},
};
