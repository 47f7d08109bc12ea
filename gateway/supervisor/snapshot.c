#include "supervisor/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include "base/file.h"
#include "base/result.h"

static int write_whole(int fd, struct tg_text text)
{
    while (text.len > 0) {
        ssize_t put = write(fd, text.base, text.len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return tg_fail_errno("cannot keep the configuration in memory");
        text.base += put;
        text.len -= (size_t)put;
    }
    return 0;
}

int tg_snapshot_take(const char *path, int *fd)
{
    TG_STRING text = {NULL, 0, 0};
    int result = tg_try(tg_file_read(path, TG_SNAPSHOT_LIMIT, &text));

    if (result == TG_FILE_ABSENT)
        return tg_fail("there is no file %s; `teagate conf example` prints one to begin with", path);
    if (result == TG_FILE_TOO_LARGE)
        return tg_fail("%s is larger than %d bytes", path, TG_SNAPSHOT_LIMIT);
    TG_CLOSED int made = memfd_create("teagate.yaml", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (made < 0)
        return tg_fail_errno("cannot keep the configuration in memory");
    tg_try(write_whole(made, tg_string_text(&text)));
    if (fcntl(made, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
        return tg_fail_errno("cannot seal the configuration");
    *fd = made;
    made = -1;
    return 0;
}

int tg_snapshot_read(int fd, struct tg_string *out)
{
    char block[16384];
    off_t at = 0;

    for (;;) {
        ssize_t got = pread(fd, block, sizeof(block), at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tg_fail_errno("cannot read the configuration's snapshot");
        if (got == 0)
            return 0;
        tg_string_add(out, tg_text_n(block, (size_t)got));
        at += got;
    }
}
