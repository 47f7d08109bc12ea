/*
 * generation.h - one checked configuration and the processes that serve it
 *
 * A generation is made, prepared (its program checks the snapshot and migrates the store), started, adopted, and at its end drained or
 * abandoned. What its children say is heard here; what follows from it is decided in reload.c and supervisor.c.
 */
#ifndef TG_SUPERVISOR_GENERATION_H
#define TG_SUPERVISOR_GENERATION_H

#include "supervisor/child.h"
#include "supervisor/listeners.h"
#include "supervisor/plan.h"

enum { TG_CHILDREN = 3 };
struct tg_generation {
    int64_t number;
    int snapshot;
    struct tg_plan plan;
    union {
        struct tg_child children[TG_CHILDREN];
        struct {
            struct tg_child prepare, front, jobs;
        };
    };
    enum tg_generation_step { TG_PREPARING, TG_STARTING, TG_ADOPTING, TG_CURRENT, TG_LEAVING } step;
    struct tg_string errors;      /* of the configuration, a line each */
    struct tg_string warnings;
    struct tg_string front_status; /* JSON, as the front said it last */
    int64_t status_count;         /* how often it did */
    struct tg_generation *older;  /* the supervisor's list of those that leave */
};

struct tg_generation_start {
    const char *program, *config;
    const struct tg_listeners *listeners;
    struct tg_text ticket_keys;
};

/* Takes the snapshot and starts `prepare`. The caller owns the generation. */
int tg_generation_new(int64_t number, const struct tg_generation_start *how, struct tg_generation **generation);
/* Closes what it holds; its processes have ended. */
void tg_generation_free(struct tg_generation *generation);

int tg_generation_start_front(struct tg_generation *generation, const struct tg_generation_start *how);
int tg_generation_start_jobs(struct tg_generation *generation, const struct tg_generation_start *how);

/* Takes in all that its children have said. */
void tg_generation_hear(struct tg_generation *generation);

/* Collects the child if it has ended, after hearing its last words. *clean: it ended with 0. TG_CHILD_LIVES: it has not. */
int tg_generation_reap(struct tg_generation *generation, struct tg_child *child, bool *clean);

void tg_generation_drain(struct tg_generation *generation, int64_t drain_ms); /* the front finishes what is under way, jobs stop */
void tg_generation_kill(struct tg_generation *generation);
bool tg_generation_over(const struct tg_generation *generation);         /* no process is left */

#endif
