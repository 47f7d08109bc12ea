/* Written times and zone rules; what was read writes back. */
#include <stdlib.h>
#include "base/clock.h"
#include "base/result.h"
#include "base/text.h"
#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TG_FREED char *text = tg_format("%.*s", (int)(size < 1000 ? size : 1000), (const char *)data);
    struct tg_zone_offset there;
    char iso[TG_TIME_ISO], words[TG_TIME_WORDS];
    int64_t when, back;

    if (tg_time_parse(text, 1796058000, &when) == 0) {
        tg_time_iso(when, iso);
        if (tg_time_parse(iso, 0, &back) != 0 || back != when)
            abort();
        tg_time_long(when, "Europe/Berlin", words);
    }
    for (int64_t at = -4000000000; at < 9000000000; at += 700000001) {
        if (tg_zone_rule_offset(text, at, &there) && (there.seconds > 168 * 3600 || there.seconds < -168 * 3600))
            abort();
    }
    if (size >= sizeof(when)) {
        memcpy(&when, data, sizeof(when));
        tg_time_long(when, "Pacific/Chatham", words);
    }
    return 0;
}
