/*
 * doors.h - what kind of thing a request wants: one table, method and path to a door
 *
 * The table is data (door_table.c), in order, the first row counts. Fixed parts are compared byte for byte, undecoded, as Gitea's router
 * does; "*" is any one segment, "*.rss" and "link*" a segment with that end or beginning, "**" any rest. A path without a row is
 * TG_DOOR_OTHER.
 */
#ifndef TG_FRONT_DOORS_H
#define TG_FRONT_DOORS_H

#include "http/visit.h"

enum tg_door {
    TG_DOOR_OTHER,          /* no row: judged as a page and as a token request */
    TG_DOOR_CLOSED,         /* never passes */
    TG_DOOR_STATIC,
    TG_DOOR_HEALTH,
    TG_DOOR_LOGIN_PAGE,
    TG_DOOR_LOGIN_START,
    TG_DOOR_LOGIN_CALLBACK,
    TG_DOOR_LOGOUT,
    TG_DOOR_EVENTS,
    TG_DOOR_WEB_READ,
    TG_DOOR_WEB_WRITE,
    TG_DOOR_OPERATOR,       /* pages for operators only */
    TG_DOOR_OPERATOR_API,
    TG_DOOR_OAUTH_CLIENT,   /* the Authorization here is an OAuth client's of Gitea's own provider, not a user's */
    TG_DOOR_GIT_READ,
    TG_DOOR_GIT_WRITE,
    TG_DOOR_LFS_READ,
    TG_DOOR_LFS_WRITE,
    TG_DOOR_API_READ,
    TG_DOOR_API_WRITE,
    TG_DOOR_REGISTRY_TOKEN, /* passes unjudged: what it hands out is judged where it is used, and there the client shows our text */
    TG_DOOR_REGISTRY_READ,
    TG_DOOR_REGISTRY_WRITE,
    TG_DOOR_PACKAGES_READ,
    TG_DOOR_PACKAGES_WRITE,
    TG_DOOR_ACTIONS,
    TG_DOOR_DOWNLOAD,
    TG_DOOR_FEEDS,
    TG_DOORS
};

enum tg_dialect { TG_DIALECT_PAGE, TG_DIALECT_TEXT, TG_DIALECT_LFS, TG_DIALECT_OCI, TG_DIALECT_API };

/* Which credentials Gitea looks at behind a door. A request that has both keeps the token. What is not looked at is not sent. */
enum tg_looks { TG_LOOKS_NOWHERE = 0, TG_LOOKS_COOKIE = 1, TG_LOOKS_TOKEN = 2, TG_LOOKS_BOTH = 3, TG_LOOKS_CLIENT = 4 };

/* How long Gitea may think before it begins an answer: it packs and compresses first, and hashes what was sent. */
enum tg_waits { TG_WAITS_SHORT, TG_WAITS_LONG };

struct tg_door_info {
    const char *name;
    enum tg_looks looks;
    enum tg_dialect dialect;
    enum tg_waits waits;
};

extern const struct tg_door_info tg_door_infos[TG_DOORS];

enum tg_door_methods {
    TG_DOOR_GET = 1,
    TG_DOOR_HEAD = 2,
    TG_DOOR_POST = 4,
    TG_DOOR_CHANGE = 8,  /* PUT, PATCH, DELETE and all others */
    TG_DOOR_OPTIONS = 16,
    TG_DOOR_SAFE = TG_DOOR_GET | TG_DOOR_HEAD | TG_DOOR_OPTIONS,
    TG_DOOR_UNSAFE = TG_DOOR_POST | TG_DOOR_CHANGE,
    TG_DOOR_ANY = TG_DOOR_SAFE | TG_DOOR_UNSAFE,
};

struct tg_door_row {
    unsigned methods;
    const char *pattern;
    enum tg_door door;
};

extern const struct tg_door_row tg_door_rows[];
enum { TG_DOOR_ROWS_MAX = 128, TG_DOOR_PATTERN_SEGMENTS = 6 };

/* Prepares the table; once, before threads. */
void tg_doors_init(void);

/* source: name of our authentication source in that Gitea; every other one is closed. */
enum tg_door tg_door_of(struct tg_text method, const struct tg_path *path, const char *source);

unsigned tg_door_method(struct tg_text method);

#endif
