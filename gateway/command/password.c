#include "command/password.h"

#include <stdio.h>
#include <termios.h>
#include "base/file.h"
#include "base/result.h"

enum { SHORTEST = 8, LONGEST = 1024 };

void tg_password_wipe(struct tg_string *password)
{
    if (password->base != NULL)
        explicit_bzero(password->base, password->capacity);
    tg_string_done(password);
}

/* A line from the terminal, unseen. */
static int ask(const char *prompt, struct tg_string *out)
{
    struct termios before, unseen;
    char line[LONGEST + 2];

    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return tg_run_refuse(TG_EXIT_USAGE, "a password is missing: use --password-stdin, --password-file FILE or a terminal");
    unseen = before;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    fputs(prompt, stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    char *got = fgets(line, sizeof(line), stdin);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    if (got == NULL)
        return tg_run_refuse(TG_EXIT_FAILED, "no password was entered");
    tg_string_add(out, tg_text_n(line, strcspn(line, "\n")));
    explicit_bzero(line, sizeof(line));
    return TG_EXIT_DONE;
}

static int ask_twice(struct tg_string *out)
{
    struct tg_string again = {NULL, 0, 0};
    int status = ask("New password: ", out);

    if (status == TG_EXIT_DONE)
        status = ask("The same again: ", &again);
    if (status == TG_EXIT_DONE && !tg_text_same(tg_string_text(out), tg_string_text(&again)))
        status = tg_run_refuse(TG_EXIT_FAILED, "these were two different passwords");
    tg_password_wipe(&again);
    return status;
}

static int read_file(const char *path, struct tg_string *out)
{
    int result = tg_file_read(path, LONGEST + 2, out);

    if (result == TG_FILE_ABSENT)
        return tg_run_refuse(TG_EXIT_FAILED, "there is no file %s", path);
    if (result == TG_FILE_TOO_LARGE)
        return tg_run_refuse(TG_EXIT_FAILED, "a password may have %d bytes at the most", LONGEST);
    if (result < 0)
        return tg_run_failed("reading the password");
    /* the end of the line does not belong to it; spaces do */
    while (out->len > 0 && strchr("\r\n", out->base[out->len - 1]) != NULL)
        out->base[--out->len] = '\0';
    return TG_EXIT_DONE;
}

int tg_password_read(const char *file, bool from_stdin, struct tg_string *out)
{
    int status;

    if (file != NULL && from_stdin)
        return tg_run_refuse(TG_EXIT_USAGE, "--password-file and --password-stdin exclude each other");
    if (file != NULL)
        status = read_file(file, out);
    else if (from_stdin)
        status = read_file("/dev/stdin", out);
    else
        status = ask_twice(out);
    if (status != TG_EXIT_DONE)
        return status;
    if (out->len < SHORTEST || out->len > LONGEST)
        return tg_run_refuse(TG_EXIT_FAILED, "a password needs %d to %d bytes", SHORTEST, LONGEST);
    if (memchr(out->base, '\0', out->len) != NULL || strchr(out->base, '\n') != NULL)
        return tg_run_refuse(TG_EXIT_FAILED, "a password is one line of text");
    return TG_EXIT_DONE;
}
