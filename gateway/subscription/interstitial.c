#include "subscription/interstitial.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/zone.h"
#include "store/notice.h"

enum { DAY = 86400 };

/* A hold is told where it is met; operators are never judged. */
static bool has_matter(const struct tg_standing *standing)
{
    if (standing->held || standing->level == TG_LEVEL_FULL)
        return false;
    return standing->phase == TG_PHASE_EXPIRING || standing->phase == TG_PHASE_GRACE;
}

int tg_interstitial_find(struct tg_store *store, const struct tg_facts *facts, const struct tg_standing *standing)
{
    if (!has_matter(standing))
        return 0;
    int unread = tg_try(tg_notice_find(store, facts->account, tg_phase_name(standing->phase), tg_now_s()));
    return unread == TG_NOTICE_UNREAD ? TG_INTERSTITIAL_DUE : 0;
}

int64_t tg_interstitial_day_end(int64_t now_s, const char *zone_name)
{
    const struct tg_zone *zone = tg_zone_find(zone_name);
    struct tg_zone_offset there = {0};

    if (zone != NULL)
        tg_zone_offset(zone, now_s, &there);
    return tg_time_in_zone(((now_s + there.seconds) / DAY + 1) * DAY, zone_name);
}

int tg_interstitial_read(struct tg_store *store, const struct tg_facts *facts, const struct tg_standing *standing,
                         const char *zone)
{
    if (!has_matter(standing))
        return 0;
    if (facts->zone[0] != '\0')
        zone = facts->zone;
    return tg_notice_read(store, facts->account, tg_phase_name(standing->phase), tg_interstitial_day_end(tg_now_s(), zone));
}
