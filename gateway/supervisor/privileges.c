#include "supervisor/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include "base/result.h"

static bool stays(const char *user)
{
    return user == NULL || user[0] == '\0' || geteuid() != 0;
}

static int find_user(const char *user, struct passwd *entry, char *buffer, size_t size)
{
    struct passwd *found = NULL;
    int number = getpwnam_r(user, entry, buffer, size, &found);

    if (number != 0) {
        errno = number;
        return tg_fail_errno("cannot look up the user \"%s\"", user);
    }
    if (found == NULL) {
        tg_fail("there is no user \"%s\" on this machine (`user` in the configuration); make it with: adduser --system --group %s", user,
                user);
        return TG_USER_UNKNOWN;
    }
    return 0;
}

static int become(const char *user)
{
    struct passwd entry;
    char buffer[16384];
    int result = tg_try(find_user(user, &entry, buffer, sizeof(buffer)));

    if (result > 0)
        return result;
    if (initgroups(user, entry.pw_gid) != 0 || setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid) != 0 ||
        setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid) != 0)
        return tg_fail_errno("cannot become the user \"%s\"", user);
    return 0;
}

/* Exactly these capabilities, none inheritable, so that no program that is started gets them. */
static int keep_capabilities(const cap_value_t *values, int count)
{
    cap_t wanted = cap_init();
    bool failed = wanted == NULL;

    if (!failed && count > 0)
        failed = cap_set_flag(wanted, CAP_PERMITTED, count, values, CAP_SET) != 0 ||
                 cap_set_flag(wanted, CAP_EFFECTIVE, count, values, CAP_SET) != 0;
    failed = failed || cap_set_proc(wanted) != 0;
    if (failed)
        tg_fail_errno("cannot set capabilities");
    if (wanted != NULL)
        cap_free(wanted);
    return failed ? TG_FAILED : 0;
}

int tg_privileges_become(const char *user)
{
    return stays(user) ? 0 : become(user);
}

int tg_privileges_become_binder(const char *user)
{
    static const cap_value_t bind_low[] = {CAP_NET_BIND_SERVICE};

    if (stays(user))
        return 0;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return tg_fail_errno("cannot keep capabilities");
    int result = tg_try(become(user));
    if (result > 0)
        return result;
    return keep_capabilities(bind_low, (int)tg_count(bind_low));
}

int tg_privileges_wear(const char *user)
{
    struct passwd entry;
    char buffer[16384];

    if (stays(user))
        return 0;
    if (tg_try(find_user(user, &entry, buffer, sizeof(buffer))) > 0)
        return TG_FAILED;
    if (initgroups(user, entry.pw_gid) != 0 || setegid(entry.pw_gid) != 0 || seteuid(entry.pw_uid) != 0)
        return tg_fail_errno("cannot act as the user \"%s\"", user);
    return 0;
}

int tg_privileges_take_off(void)
{
    if (getuid() != 0 || geteuid() == 0)
        return 0;
    if (seteuid(0) != 0 || setegid(0) != 0 || setgroups(0, NULL) != 0)
        return tg_fail_errno("cannot become root again");
    return 0;
}

int tg_privileges_drop(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return tg_fail_errno("cannot forbid new privileges");
    if (geteuid() == 0)
        return 0;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return tg_fail_errno("cannot clear ambient capabilities");
    return keep_capabilities(NULL, 0);
}

int tg_privileges_directory(const char *path, mode_t mode, const char *user)
{
    struct passwd entry;
    char buffer[16384];

    if (mkdir(path, mode) != 0)
        return errno == EEXIST ? 0 : tg_fail_errno("cannot make the directory %s", path);
    if (stays(user))
        return 0;
    int result = tg_try(find_user(user, &entry, buffer, sizeof(buffer)));
    if (result > 0)
        return tg_fail("%s", tg_failure());
    /* what was made, and not what somebody may have put in its place since: root must give nothing else away */
    TG_CLOSED int made = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (made < 0 || fchown(made, entry.pw_uid, entry.pw_gid) != 0)
        return tg_fail_errno("cannot give %s to the user \"%s\"", path, user);
    return 0;
}
