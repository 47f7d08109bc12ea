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

/* Embedded in what its sender allocates; belongs to the loop from tg_loop_send until run is called. */
struct tg_message {
    void (*run)(struct tg_message *message); /* on the loop; owns the message */
    struct tg_message *next;                 /* the loop's */
};

int tg_loop_new(size_t index, struct tg_loop **loop);
void tg_loop_free(struct tg_loop *loop); /* after tg_loop_join, and after everything that was made on the loop is gone */
h2o_loop_t *tg_loop_h2o(struct tg_loop *loop);
size_t tg_loop_index(const struct tg_loop *loop);

int tg_loop_start(struct tg_loop *loop); /* runs on its own thread until tg_loop_stop */
void tg_loop_stop(struct tg_loop *loop); /* any thread; returns at once */
void tg_loop_join(struct tg_loop *loop); /* messages that came too late are run by the caller */

void tg_loop_send(struct tg_loop *loop, struct tg_message *message); /* any thread; never blocks: no lock, at most one system call */

/* How late the loop's 100 ms tick was in the last 5 to 10 seconds, at the most (microseconds), and turns so far. Any thread. */
struct tg_loop_stats {
    uint64_t lag_us_max, turns;
};
void tg_loop_stats(struct tg_loop *loop, struct tg_loop_stats *out);

#endif
