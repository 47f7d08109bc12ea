/*
 * child.h - one process of the service, as the supervisor sees it
 *
 *   DOWN ──start──▶ STARTING ──ready──▶ READY ──go, serving──▶ SERVING
 *    ▲                 │                  │                      │
 *    └──── exit ───────┴──────────────────┴──────────────────────┤
 *                                                     told to end▼
 *   GONE ◀───────────────────── exit ──────────────────────── ENDING
 *
 * A child dies with the supervisor; not the other way.
 */
#ifndef TG_SUPERVISOR_CHILD_H
#define TG_SUPERVISOR_CHILD_H

#include <sys/types.h>
#include "supervisor/control.h"

enum tg_child_state { TG_CHILD_DOWN, TG_CHILD_STARTING, TG_CHILD_READY, TG_CHILD_SERVING, TG_CHILD_ENDING, TG_CHILD_GONE };

enum { TG_CHILD_WHY = 512 };
struct tg_child {
    const char *role;           /* the subcommand: "prepare", "front", "jobs" */
    enum tg_child_state state;
    pid_t pid;                  /* 0: no process */
    int control;                /* -1: none */
    int64_t started_ms;         /* monotonic, as all here */
    int64_t serving_ms;         /* 0: not yet */
    int64_t deadline_ms;        /* when it is killed; 0: never */
    int64_t restart_ms;         /* DOWN: when it is started again; 0: not by itself */
    int64_t pause_ms;           /* before the next restart */
    int64_t restarts;
    bool was_killed;            /* the last one: by SIGKILL or SIGTERM, which are no crash */
    char why[TG_CHILD_WHY];     /* what it said, or how it ended, the last time; "" */
};

struct tg_child_start {
    const char *program;
    const char *config;         /* path, for messages */
    int64_t generation;
    int snapshot;               /* descriptor */
    const char *listen;         /* "https=5,http=6"; NULL: none */
    const int *listen_fds;
    size_t listen_count;
    int64_t deadline_ms;        /* until it must be ready (prepare: gone) */
};

void tg_child_init(struct tg_child *child, const char *role);
int tg_child_start(struct tg_child *child, const struct tg_child_start *how);
void tg_child_tell(struct tg_child *child, const char *verb, struct tg_text rest); /* one that is gone hears nothing */
void tg_child_kill(struct tg_child *child);
/* Tells it to end with the verb, and kills it at the deadline. */
void tg_child_end(struct tg_child *child, const char *verb, int64_t deadline_ms);

/* Whether the process has ended, and its status; then its last words are still to be read. LIVES: it has not. */
enum { TG_CHILD_LIVES = 1 };
int tg_child_wait(struct tg_child *child, int *status);
/* Forgets the process: why says how it ended, unless it had said so itself; its control channel is closed. */
void tg_child_close(struct tg_child *child, int status);

/* After an end that nobody asked for: DOWN, and when to start again. The first restart is at once, and so is that of one that had served
   and was killed from outside; a crash loop backs off to 5 s. */
void tg_child_schedule(struct tg_child *child, int64_t now_ms);

const char *tg_child_state_name(enum tg_child_state state);

#endif
