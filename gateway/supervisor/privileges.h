/*
 * privileges.h - as whom we run
 *
 * The service runs as its own user. Only the supervisor keeps a capability, to bind low ports; children have none. Commands become the
 * service user before they open anything, so that root leaves no files behind that the service cannot read. Single-threaded callers.
 */
#ifndef TG_SUPERVISOR_PRIVILEGES_H
#define TG_SUPERVISOR_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

/* As root: becomes the user, with its groups, for good. As anybody else, or for a NULL or empty name: nothing. */
enum { TG_USER_UNKNOWN = 1 };
int tg_privileges_become(const char *user);
/* The same, but keeps CAP_NET_BIND_SERVICE (and nothing else). */
int tg_privileges_become_binder(const char *user);

/* As root, for a while: files are opened, and made, as the user's. take_off becomes root again. */
int tg_privileges_wear(const char *user);
int tg_privileges_take_off(void);

/* In a child, before exec: no capability stays, none can come back. root itself stays what it is: it was configured so. */
int tg_privileges_drop(void);

/* Makes the directory when there is none , and as root gives the new one to the user. */
int tg_privileges_directory(const char *path, mode_t mode, const char *user);

#endif
