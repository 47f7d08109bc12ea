#include "command/options.h"

#include <stdarg.h>
#include <stdio.h>
#include "base/result.h"

static const struct tg_option common_options[] = {
    {"config", offsetof(struct tg_common, config), "FILE", false, "the configuration file, initially " TG_CONFIG_PATH},
    {"json", offsetof(struct tg_common, json), NULL, false, "print JSON"},
    {"help", offsetof(struct tg_common, help), NULL, false, "print this help"},
    {NULL},
};

struct reader {
    const struct tg_noun *nouns;
    int left;
    char **next;
    struct tg_line *line;
    size_t word_count;
    struct tg_string *errors;
};

static int wrong(struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(struct reader *reader, const char *format, ...)
{
    const struct tg_line *line = reader->line;
    bool has_verb = line->verb != NULL && line->verb->name != NULL;
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    tg_string_addf(reader->errors, "%s; see: teagate%s%s%s%s --help\n", text, line->noun != NULL ? " " : "",
                   line->noun != NULL ? line->noun->name : "", has_verb ? " " : "", has_verb ? line->verb->name : "");
    free(text);
    return TG_LINE_WRONG;
}

static const struct tg_option *find_option(const struct tg_option *options, struct tg_text name)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (tg_text_is(name, options->name))
            return options;
    }
    return NULL;
}

/* One option, with its value from behind "=" or from the next argument. */
static int take_option(struct reader *reader, struct tg_text name, char *value)
{
    struct tg_line *line = reader->line;
    const struct tg_option *option = line->verb != NULL ? find_option(line->verb->options, name) : NULL;
    char *values = line->values;

    if (option == NULL) {
        option = find_option(common_options, name);
        values = (char *)&line->common;
    }
    if (option == NULL)
        return wrong(reader, "there is no option --%.*s here", TG_TEXT_ARGS(name));
    if (option->value == NULL) {
        *(bool *)(values + option->offset) = true;
        return value == NULL ? 0 : wrong(reader, "--%s takes no value", option->name);
    }
    if (value == NULL && reader->left == 0)
        return wrong(reader, "--%s needs a value: %s", option->name, option->value);
    if (value == NULL) {
        value = *reader->next++;
        reader->left--;
    }
    *(const char **)(values + option->offset) = value;
    return 0;
}

static int take_dashed(struct reader *reader, char *argument)
{
    struct tg_text value = tg_text(argument + 2);
    struct tg_text name;

    if (strcmp(argument, "-c") == 0)
        return take_option(reader, TG_TEXT("config"), NULL);
    if (strcmp(argument, "-h") == 0)
        return take_option(reader, TG_TEXT("help"), NULL);
    if (argument[1] != '-')
        return wrong(reader, "there is no option %s here", argument);
    name = tg_text_cut(&value, '=');
    return take_option(reader, name, (char *)value.base);
}

static void choose_verb(struct tg_line *line, const struct tg_verb *verb)
{
    line->verb = verb;
    line->values = tg_alloc(verb->size);
}

static int take_noun(struct reader *reader, const char *word)
{
    const struct tg_noun *noun = reader->nouns;

    if (strcmp(word, "help") == 0) {
        reader->line->common.help = true;
        return 0;
    }
    while (noun->name != NULL && strcmp(noun->name, word) != 0)
        noun++;
    if (noun->name == NULL)
        return wrong(reader, "there is no command \"%s\"", word);
    reader->line->noun = noun;
    if (noun->verbs[0].name == NULL)
        choose_verb(reader->line, noun->verbs);
    return 0;
}

static int take_verb(struct reader *reader, const char *word)
{
    const struct tg_verb *verb = reader->line->noun->verbs;

    while (verb->run != NULL && strcmp(verb->name, word) != 0)
        verb++;
    if (verb->run == NULL)
        return wrong(reader, "there is no command \"%s %s\"", reader->line->noun->name, word);
    choose_verb(reader->line, verb);
    return 0;
}

static int take_word(struct reader *reader, const char *word)
{
    struct tg_line *line = reader->line;

    if (line->noun == NULL)
        return take_noun(reader, word);
    if (line->verb == NULL)
        return take_verb(reader, word);
    if (reader->word_count == line->verb->word_count)
        return wrong(reader, "\"%s\" is one word too many", word);
    line->words[reader->word_count++] = word;
    return 0;
}

static int check_complete(struct reader *reader)
{
    const struct tg_line *line = reader->line;
    int result = 0;

    if (line->common.help)
        return 0;
    if (line->noun == NULL)
        return wrong(reader, "a command is missing");
    if (line->verb == NULL)
        return wrong(reader, "\"%s\" needs a verb", line->noun->name);
    if (reader->word_count < line->verb->word_count - line->verb->optional_count)
        result = wrong(reader, "%s is missing", line->verb->words);
    for (const struct tg_option *option = line->verb->options; option != NULL && option->name != NULL; option++) {
        if (option->required && *(const char **)((char *)line->values + option->offset) == NULL)
            result = wrong(reader, "--%s %s is missing", option->name, option->value);
    }
    return result;
}

static int read_all(struct reader *reader)
{
    bool only_words = false;

    while (reader->left > 0) {
        char *argument = *reader->next++;
        int result;

        reader->left--;
        if (!only_words && strcmp(argument, "--") == 0) {
            only_words = true;
            continue;
        }
        if (!only_words && argument[0] == '-' && argument[1] != '\0')
            result = take_dashed(reader, argument);
        else
            result = take_word(reader, argument);
        if (result != 0)
            return result;
    }
    return check_complete(reader);
}

int tg_line_read(const struct tg_noun *nouns, int argc, char **argv, struct tg_line *line, struct tg_string *errors)
{
    struct reader reader = {.nouns = nouns, .left = argc - 1, .next = argv + 1, .line = line, .errors = errors};

    *line = (struct tg_line){.common = {.config = TG_CONFIG_PATH}};
    int result = read_all(&reader);
    if (result != 0) {
        free(line->values);
        line->values = NULL;
    }
    return result;
}

static void write_options(struct tg_string *out, const struct tg_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        TG_FREED char *left = tg_format("--%s%s%s", options->name, options->value != NULL ? " " : "",
                                        options->value != NULL ? options->value : "");

        tg_string_addf(out, "  %-26s %s%s\n", left, options->help, options->required ? " (needed)" : "");
    }
}

static void write_usage(struct tg_string *out, const struct tg_noun *noun, const struct tg_verb *verb)
{
    TG_FREED char *left = tg_format("teagate %s%s%s%s%s", noun->name, verb->name != NULL ? " " : "", verb->name != NULL ? verb->name : "",
                                    verb->words != NULL ? " " : "", verb->words != NULL ? verb->words : "");

    tg_string_addf(out, "  %-34s %s\n", left, verb->help);
}

static void write_verb(struct tg_string *out, const struct tg_noun *noun, const struct tg_verb *verb)
{
    write_usage(out, noun, verb);
    tg_string_add(out, TG_TEXT("\n"));
    write_options(out, verb->options);
    write_options(out, common_options);
}

static void write_noun(struct tg_string *out, const struct tg_noun *noun)
{
    for (const struct tg_verb *verb = noun->verbs; verb->run != NULL; verb++)
        write_usage(out, noun, verb);
}

void tg_help_write(struct tg_string *out, const struct tg_noun *nouns, const struct tg_noun *noun, const struct tg_verb *verb)
{
    if (verb != NULL) {
        write_verb(out, noun, verb);
        return;
    }
    if (noun != NULL) {
        tg_string_addf(out, "%s\n\n", noun->help);
        write_noun(out, noun);
        return;
    }
    tg_string_add(out, TG_TEXT("teagate: the front door of a Gitea hosting service\n\n"));
    for (; nouns->name != NULL; nouns++) {
        if (!nouns->is_internal)
            write_noun(out, nouns);
    }
    tg_string_add(out, TG_TEXT("\nEvery command knows --config FILE, --json and --help. Exit status: 0 done, 1 failed, 2 wrong usage,\n"
                               "3 unknown, 4 taken, 5 the service does not run.\n"));
}
