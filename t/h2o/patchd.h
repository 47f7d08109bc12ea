/*
 * patchd.h - what the parts of the test server share
 */
#ifndef PATCHD_H
#define PATCHD_H

#include "h2o.h"

/* one per thread */
struct patchd_loop {
    h2o_loop_t *loop;
    h2o_context_t ctx;
    h2o_accept_ctx_t accept_ctx;
    int num_conns;
    h2o_timeout_t tick;
};

/* calls back once after a while; a zeroed entry, to be dropped when its request is disposed of */
struct patchd_timer {
    h2o_timeout_entry_t entry;
    h2o_context_t *ctx;
    unsigned ticks;
    void (*cb)(struct patchd_timer *timer);
};

struct patchd_stats {
    int requests, disposed; /* by the handlers of this server */
    int accepted, woken_in_vain;
    int epoll_ctl, epoll_wait, writev; /* system calls */
};
extern struct patchd_stats patchd_stats;

uint64_t patchd_setting(const char *name);
void patchd_timer_start(struct patchd_timer *timer, h2o_context_t *ctx, uint64_t ms, void (*cb)(struct patchd_timer *timer));
void patchd_timer_drop(struct patchd_timer *timer);
void patchd_register_paths(h2o_hostconf_t *host);
/* adds to the wall clock that this process sees */
void patchd_shift_wall_clock(long seconds);

#endif
