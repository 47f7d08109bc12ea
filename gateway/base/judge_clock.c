#include "base/judge_clock.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/result.h"

#define NONE INT64_MIN

enum { JUMP_MS = TG_JUDGE_JUMP_S * 1000, DRIFT_MS = 1000 };

static _Atomic int64_t trusted_ms = NONE; /* wall clock minus uptime */
static _Atomic int64_t held_s = NONE;

int64_t tg_uptime_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void tg_boot_name(char out[TG_BOOT])
{
    TG_CLOSED int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, out, TG_BOOT - 1) : 0;

    out[len > 0 ? len : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* Small steps are followed, and the next one is measured from there. Threads may store one after the other: all are near. */
int64_t tg_judge_now_s(void)
{
    int64_t held = atomic_load_explicit(&held_s, memory_order_relaxed);
    int64_t trusted = atomic_load_explicit(&trusted_ms, memory_order_relaxed);

    if (held != NONE)
        return held;
    int64_t wall = tg_now_ms(), uptime = tg_uptime_ms(), moved = trusted != NONE ? wall - uptime - trusted : INT64_MAX;
    if (trusted != NONE && (moved > JUMP_MS || moved < -JUMP_MS))
        return (uptime + trusted) / 1000;
    if (moved > DRIFT_MS || moved < -DRIFT_MS)
        atomic_compare_exchange_strong_explicit(&trusted_ms, &trusted, wall - uptime, memory_order_relaxed, memory_order_relaxed);
    return wall / 1000;
}

bool tg_judge_is_held(void)
{
    return atomic_load_explicit(&held_s, memory_order_relaxed) != NONE;
}

void tg_judge_trust(int64_t offset_ms)
{
    atomic_store_explicit(&trusted_ms, offset_ms, memory_order_relaxed);
}

void tg_judge_hold(int64_t at_s)
{
    atomic_store_explicit(&held_s, at_s, memory_order_relaxed);
}

void tg_judge_release(void)
{
    atomic_store_explicit(&held_s, NONE, memory_order_relaxed);
}
