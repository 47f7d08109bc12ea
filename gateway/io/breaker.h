/*
 * breaker.h - does not ask what does not answer
 *
 * Three failures in a row open a breaker; while it is open nobody asks, but for one probe a second, whose success closes it. Any thread
 * but loops: there is a lock.
 */
#ifndef TG_IO_BREAKER_H
#define TG_IO_BREAKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { TG_BREAKER_FAILURES = 3, TG_BREAKER_PAUSE_MS = 1000, TG_BREAKER_WHY = 160 };

struct tg_breaker {
    pthread_mutex_t lock;
    unsigned in_a_row;
    bool open;
    int64_t probe_ms;              /* when the next probe is let through */
    uint64_t successes, failures, skipped, openings;
    char why[TG_BREAKER_WHY];      /* of the last failure */
};

void tg_breaker_init(struct tg_breaker *breaker);
void tg_breaker_done(struct tg_breaker *breaker);

/* May it be asked now? Whoever is told yes reports what came of it. */
bool tg_breaker_admits(struct tg_breaker *breaker);
/* why: NULL, it answered. */
void tg_breaker_report(struct tg_breaker *breaker, const char *why);

struct tg_breaker_stats {
    bool open;
    uint64_t successes, failures, skipped, openings;
    char why[TG_BREAKER_WHY];
};
void tg_breaker_stats(struct tg_breaker *breaker, struct tg_breaker_stats *out);

#endif
