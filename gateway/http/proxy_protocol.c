#include "http/proxy_protocol.h"

enum { FIXED = 16, SIGNATURE = 12, VERSION = 2 };
enum { COMMAND_LOCAL, COMMAND_PROXY };
enum { FAMILY_UNSPEC, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX };
enum { TRANSPORT_STREAM = 1, TRANSPORT_DGRAM = 2 };

/* How many bytes of addresses each family has: source, destination, ports. */
static const size_t address_bytes[] = {[FAMILY_UNSPEC] = 0, [FAMILY_INET] = 12, [FAMILY_INET6] = 36, [FAMILY_UNIX] = 216};

static const uint8_t signature[SIGNATURE] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static void take_client(const uint8_t *addresses, unsigned family, struct tg_proxy_header *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    out->is_known = family == FAMILY_INET || family == FAMILY_INET6;
    if (family == FAMILY_INET6) {
        memcpy(out->client.bytes, addresses, sizeof(out->client.bytes));
    } else if (family == FAMILY_INET) {
        memcpy(out->client.bytes, mapped, sizeof(mapped));
        memcpy(out->client.bytes + sizeof(mapped), addresses, 4);
    }
}

/* What may stand in the 13th and 14th byte. A datagram cannot have come here; "unspecified" has neither family nor transport. */
static bool is_meant_for_us(unsigned version, unsigned command, unsigned family, unsigned transport)
{
    if (version != VERSION || command > COMMAND_PROXY || family > FAMILY_UNIX || transport > TRANSPORT_DGRAM)
        return false;
    if (command == COMMAND_LOCAL)
        return true;
    return family == FAMILY_UNSPEC ? transport == 0 : transport == TRANSPORT_STREAM;
}

int tg_proxy_header_read(struct tg_text bytes, struct tg_proxy_header *out)
{
    const uint8_t *at = (const uint8_t *)bytes.base;
    size_t seen = bytes.len < SIGNATURE ? bytes.len : SIGNATURE;

    *out = (struct tg_proxy_header){.len = 0};
    if (seen > 0 && memcmp(at, signature, seen) != 0)
        return TG_PROXY_MALFORMED;
    if (bytes.len < FIXED)
        return TG_PROXY_INCOMPLETE;
    unsigned command = at[12] & 15, family = at[13] >> 4;
    if (!is_meant_for_us(at[12] >> 4, command, family, at[13] & 15))
        return TG_PROXY_MALFORMED;
    size_t len = (size_t)at[14] << 8 | at[15];
    if (FIXED + len > TG_PROXY_HEADER_LIMIT || (command == COMMAND_PROXY && len < address_bytes[family]))
        return TG_PROXY_MALFORMED;
    if (bytes.len < FIXED + len)
        return TG_PROXY_INCOMPLETE;

    out->len = FIXED + len;
    if (command == COMMAND_PROXY)
        take_client(at + FIXED, family, out);
    return 0;
}
