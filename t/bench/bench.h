/*
 * bench.h - measures a small thing many times, prints the median and the 99th percentile
 */
#ifndef TG_BENCH_H
#define TG_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench {
    const char *name;
    void (*run)(void *context, size_t round);     /* what is measured; round counts up */
    void (*prepare)(void *context, size_t round); /* before each measured batch; NULL: nothing */
    void *context;
    size_t batch;       /* runs that are measured together */
    double limit_ns;    /* the median may be as much; 0: no limit */
};

/* false: it was slower than it may be, which is printed. */
bool bench_run(const struct bench *bench);

/* Says what does not work, and ends. */
void bench_fail(const char *what) __attribute__((noreturn));

/* judge_cache.c: facts from the process's memory, Redis (socket; NULL: not measured) and the database. */
bool bench_cache(const char *socket);

#endif
