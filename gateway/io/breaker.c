#include "io/breaker.h"
#include <stdio.h>
#include <string.h>
#include "base/clock.h"

void tg_breaker_init(struct tg_breaker *breaker)
{
    *breaker = (struct tg_breaker){.open = false};
    pthread_mutex_init(&breaker->lock, NULL);
}

void tg_breaker_done(struct tg_breaker *breaker)
{
    pthread_mutex_destroy(&breaker->lock);
}

bool tg_breaker_admits(struct tg_breaker *breaker)
{
    int64_t now_ms = tg_monotonic_ms();

    pthread_mutex_lock(&breaker->lock);
    bool admits = !breaker->open || now_ms >= breaker->probe_ms;
    if (!admits)
        breaker->skipped++;
    else if (breaker->open)
        breaker->probe_ms = now_ms + TG_BREAKER_PAUSE_MS; /* one a second, also when a probe never comes back */
    pthread_mutex_unlock(&breaker->lock);
    return admits;
}

static void count_failure(struct tg_breaker *breaker, const char *why)
{
    breaker->failures++;
    snprintf(breaker->why, sizeof(breaker->why), "%s", why);
    if (breaker->open || ++breaker->in_a_row < TG_BREAKER_FAILURES)
        return;
    breaker->open = true;
    breaker->openings++;
    breaker->probe_ms = tg_monotonic_ms() + TG_BREAKER_PAUSE_MS;
}

void tg_breaker_report(struct tg_breaker *breaker, const char *why)
{
    pthread_mutex_lock(&breaker->lock);
    if (why != NULL) {
        count_failure(breaker, why);
    } else {
        breaker->successes++;
        breaker->in_a_row = 0;
        breaker->open = false;
    }
    pthread_mutex_unlock(&breaker->lock);
}

void tg_breaker_stats(struct tg_breaker *breaker, struct tg_breaker_stats *out)
{
    pthread_mutex_lock(&breaker->lock);
    *out = (struct tg_breaker_stats){
        .open = breaker->open,
        .successes = breaker->successes,
        .failures = breaker->failures,
        .skipped = breaker->skipped,
        .openings = breaker->openings,
    };
    memcpy(out->why, breaker->why, sizeof(out->why));
    pthread_mutex_unlock(&breaker->lock);
}
