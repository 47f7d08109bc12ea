/*
 * loop.h - an event loop of libh2o on its own thread, and messages to it
 *
 * Everything that a request on the loop owns is touched by that loop's thread only. Other threads send it messages; a message is run on
 * the loop, in order of sending per sender. The loop never blocks.
 */
#ifndef TG_IO_LOOP_H
#define TG_IO_LOOP_H

#include <h2o.h>

struct tg_loop;

struct tg_message {
    h2o_multithread_message_t super;
    void (*run)(struct tg_message *message); /* on the loop; owns the message */
};

/* The loop wraps an h2o context that http/server sets up. */
int tg_loop_new(size_t index, struct tg_loop **loop);
void tg_loop_free(struct tg_loop *loop);
h2o_loop_t *tg_loop_h2o(struct tg_loop *loop);
size_t tg_loop_index(const struct tg_loop *loop);

/* Registers the message receiver with the context's queue; call once after h2o_context_init, on any thread before the loop runs. */
void tg_loop_attach(struct tg_loop *loop, h2o_context_t *context);

int tg_loop_start(struct tg_loop *loop);      /* runs on its own thread until tg_loop_stop */
void tg_loop_stop(struct tg_loop *loop);      /* any thread; returns at once */
void tg_loop_join(struct tg_loop *loop);

void tg_loop_send(struct tg_loop *loop, struct tg_message *message); /* any thread; never blocks */

/* How late the loop's 100 ms tick was lately, at the most (microseconds), and turns so far. Any thread. */
struct tg_loop_stats {
    uint64_t lag_us_max, turns;
};
void tg_loop_stats(struct tg_loop *loop, struct tg_loop_stats *out);

#endif
