/* Paths: what is taken has no dots, controls or backslashes after decoding, its segments lie inside it in order, and it has one door. */
#include <stdint.h>
#include <stdlib.h>
#include "front/doors.h"
#include "front/guard.h"
#include "front/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decoded(struct tg_text path)
{
    size_t len = 0, dots = 0;

    for (size_t i = 0; i <= path.len; ++i) {
        int byte = i < path.len ? (unsigned char)path.base[i] : '/';

        if (byte == '%') {
            if (path.len - i < 3)
                abort();
            byte = tg_hex_value(path.base[i + 1]) << 4 | tg_hex_value(path.base[i + 2]);
            i += 2;
        }
        if (byte < 0x20 || byte == 0x7f || byte == '\\')
            abort();
        if (byte == '/') {
            if (len != 0 && len == dots && len <= 2)
                abort();
            len = dots = 0;
        } else {
            ++len;
            dots += byte == '.';
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_text target = tg_text_n((const char *)data, size);
    const char *last = target.base;
    struct tg_path path;
    static bool is_ready;

    if (!is_ready)
        tg_doors_init();
    is_ready = true;
    if (tg_path_split(target, &path) != 0)
        return 0;
    check_decoded(path.raw);
    for (size_t i = 0; i < path.count; ++i) {
        struct tg_text segment = path.segments[i];

        if (segment.len == 0 || segment.base <= last || segment.base + segment.len > path.raw.base + path.raw.len)
            abort();
        if (memchr(segment.base, '/', segment.len) != NULL)
            abort();
        last = segment.base + segment.len - 1;
    }
    if (tg_door_of(TG_TEXT("GET"), &path, "teagate") >= TG_DOORS || tg_door_of(TG_TEXT("POST"), &path, "teagate") >= TG_DOORS)
        abort();
    tg_guard_query(path.query);
    return 0;
}
