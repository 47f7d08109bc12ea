#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/result.h"

static int read_all(int fd, const char *path, size_t limit, struct tg_string *out)
{
    char block[16384];
    size_t had = out->len;

    for (;;) {
        ssize_t got = read(fd, block, sizeof(block));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tg_fail_errno("cannot read %s", path);
        if (got == 0)
            return 0;
        if (out->len - had + (size_t)got > limit)
            return TG_FILE_TOO_LARGE;
        tg_string_add(out, tg_text_n(block, (size_t)got));
    }
}

int tg_file_read(const char *path, size_t limit, struct tg_string *out)
{
    size_t had = out->len;
    TG_CLOSED int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0 && errno == ENOENT)
        return TG_FILE_ABSENT;
    if (fd < 0)
        return tg_fail_errno("cannot open %s", path);

    tg_string_add(out, TG_TEXT(""));
    int result = read_all(fd, path, limit, out);
    if (result != 0) {
        out->len = had;
        out->base[had] = '\0';
    }
    return result;
}

int tg_file_read_secret(const char *path, size_t limit, struct tg_string *out)
{
    TG_STRING whole = {NULL, 0, 0};
    int result = tg_try(tg_file_read(path, limit, &whole));

    if (result > 0)
        return result;
    struct tg_text secret = tg_string_text(&whole);
    while (secret.len > 0 && strchr(" \t\r\n", secret.base[secret.len - 1]) != NULL)
        secret.len--;
    while (secret.len > 0 && strchr(" \t\r\n", secret.base[0]) != NULL) {
        secret.base++;
        secret.len--;
    }
    if (secret.len == 0)
        return tg_fail("%s is empty", path);
    tg_string_add(out, secret);
    explicit_bzero(whole.base, whole.capacity);
    return 0;
}

static int write_all(int fd, struct tg_text text)
{
    while (text.len > 0) {
        ssize_t put = write(fd, text.base, text.len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        text.base += put;
        text.len -= (size_t)put;
    }
    return 0;
}

static int sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    int len = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);
    TG_FREED char *directory = len > 0 ? tg_format("%.*s", len, path) : tg_strdup(".");
    TG_CLOSED int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return tg_fail_errno("cannot sync the directory %s", directory);
    return 0;
}

int tg_file_write_atomically(const char *path, mode_t mode, struct tg_text text)
{
    TG_FREED char *temporary = tg_format("%s.XXXXXX", path);
    TG_CLOSED int fd = mkostemp(temporary, O_CLOEXEC);

    if (fd < 0)
        return tg_fail_errno("cannot make a file beside %s", path);
    if (fchmod(fd, mode) != 0 || write_all(fd, text) != 0 || fsync(fd) != 0 || rename(temporary, path) != 0) {
        tg_fail_errno("cannot write %s", path);
        unlink(temporary);
        return TG_FAILED;
    }
    return sync_directory(path);
}
