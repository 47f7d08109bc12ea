/* why_log.c - the end of the access log, searched for what was refused to somebody */
#include <stdio.h>
#include <sys/stat.h>
#include "base/result.h"
#include "command/why.h"

enum { TAIL = 4 * 1024 * 1024, KEPT = 10 };

/* The value of a key in a line of pairs; base NULL: it is not there. Values that are looked at here are never quoted, but for
   paths. */
static struct tg_text value_of(struct tg_text line, const char *key)
{
    struct tg_text rest = line;

    while (rest.base != NULL) {
        struct tg_text value = tg_text_cut(&rest, ' ');
        struct tg_text name = tg_text_cut(&value, '=');
        if (value.base != NULL && tg_text_is(name, key))
            return value;
    }
    return (struct tg_text){NULL, 0};
}

/* Nobody is refused what he was not allowed to ask for anyway: only verdicts count. */
static bool is_refusal(struct tg_text line)
{
    struct tg_text verdict = value_of(line, "verdict");

    return verdict.base != NULL && !tg_text_is(verdict, "allow") && !tg_text_is(verdict, "notice");
}

static json_t *describe(struct tg_text line)
{
    static const char *const keys[] = {"id", "method", "host", "path", "status", "door", "verdict", "refused"};
    struct tg_text rest = line, time = tg_text_cut(&rest, ' ');
    json_t *one = json_object();

    json_object_set_new(one, "time", json_stringn(time.base, time.len));
    for (size_t i = 0; i < tg_count(keys); i++) {
        struct tg_text value = value_of(line, keys[i]);
        if (value.base != NULL)
            json_object_set_new(one, keys[i], json_stringn(value.base, value.len));
    }
    return one;
}

static void search(struct tg_text rest, const char *login, json_t *found)
{
    while (rest.base != NULL) {
        struct tg_text line = tg_text_cut(&rest, '\n');
        if (!tg_text_is_nocase(value_of(line, "login"), login) || !is_refusal(line))
            continue;
        json_array_append_new(found, describe(line));
        if (json_array_size(found) > KEPT)
            json_array_remove(found, 0);
    }
}

json_t *tg_why_refused(const char *access_log, const char *login)
{
    FILE *in = access_log != NULL ? fopen(access_log, "re") : NULL;
    struct stat file;

    if (in == NULL)
        return NULL;
    long from = fstat(fileno(in), &file) == 0 && file.st_size > TAIL ? (long)(file.st_size - TAIL) : 0;
    TG_FREED char *bytes = tg_alloc(TAIL + 1);
    size_t len = fseek(in, from, SEEK_SET) == 0 ? fread(bytes, 1, TAIL, in) : 0;
    fclose(in);

    json_t *found = json_array();
    struct tg_text rest = tg_text_n(bytes, len);
    if (from > 0)
        (void)tg_text_cut(&rest, '\n'); /* it begins in the middle of a line */
    search(rest, login, found);
    return found;
}
