/* front_metrics.c - counters of the front, summed over the loops */
#include "base/judge_clock.h"
#include "front/front.h"
#include "front/state.h"

#define COUNT(name) offsetof(struct tg_front_loop, counts.name)

static const struct {
    const char *name, *help;
    size_t offset;
} families[] = {
    {"teagate_facts_found_total", "Facts of accounts found in memory.", COUNT(facts_found)},
    {"teagate_facts_read_total", "Facts of accounts read from the database.", COUNT(facts_read)},
    {"teagate_facts_dropped_total", "Facts dropped from memory because they changed.", COUNT(facts_dropped)},
    {"teagate_credentials_found_total", "Credentials whose user was known in memory.", COUNT(credentials_found)},
    {"teagate_credentials_asked_total", "Credentials looked up in the database or asked of a Gitea.", COUNT(credentials_asked)},
    {"teagate_credentials_limited_total", "Credentials that Gitea was not asked about because too many were.", COUNT(credentials_limited)},
    {"teagate_cookies_opened_total", "Gateway cookies opened.", COUNT(cookies_opened)},
    {"teagate_cookies_broken_total", "Gateway cookies that did not open.", COUNT(cookies_broken)},
    {"teagate_waits_refused_total", "Requests that could not wait for a worker because too many did.", COUNT(waits_refused)},
};

void tg_front_metrics(struct tg_front *front, struct tg_string *out)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); ++i) {
        uint64_t sum = 0;

        for (size_t k = 0; k < TG_FRONT_LOOPS; ++k) {
            char *loop = (char *)front->loops[k];

            if (loop != NULL)
                sum += atomic_load_explicit((_Atomic uint64_t *)(loop + families[i].offset), memory_order_relaxed);
        }
        tg_metric_line(out, families[i].name, "counter", families[i].help, sum);
    }
    tg_metric_line(out, "teagate_clock_in_doubt", "gauge", "1 while no subscription ends because the clock is not believed.",
                   tg_judge_is_held());
}
