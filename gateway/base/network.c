#include "base/network.h"
#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static void from_ip4(const void *four, struct tg_ip *out)
{
    memcpy(out->bytes, mapped, sizeof(mapped));
    memcpy(out->bytes + sizeof(mapped), four, 4);
}

static bool is_ip4(const struct tg_ip *ip)
{
    return memcmp(ip->bytes, mapped, sizeof(mapped)) == 0;
}

bool tg_ip_of(const struct sockaddr *address, struct tg_ip *out)
{
    if (address->sa_family == AF_INET)
        from_ip4(&((const struct sockaddr_in *)address)->sin_addr, out);
    else if (address->sa_family == AF_INET6)
        memcpy(out->bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof(out->bytes));
    else
        return false;
    return true;
}

bool tg_ip_read(struct tg_text text, struct tg_ip *out)
{
    char terminated[TG_IP_TEXT];
    uint8_t four[4];

    if (text.len == 0 || text.len >= sizeof(terminated) || memchr(text.base, '\0', text.len) != NULL)
        return false;
    memcpy(terminated, text.base, text.len);
    terminated[text.len] = '\0';
    if (inet_pton(AF_INET, terminated, four) == 1) {
        from_ip4(four, out);
        return true;
    }
    return inet_pton(AF_INET6, terminated, out->bytes) == 1;
}

void tg_ip_text(const struct tg_ip *ip, char out[TG_IP_TEXT])
{
    if (is_ip4(ip))
        inet_ntop(AF_INET, ip->bytes + sizeof(mapped), out, TG_IP_TEXT);
    else
        inet_ntop(AF_INET6, ip->bytes, out, TG_IP_TEXT);
}

void tg_ip_sockaddr(const struct tg_ip *ip, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof(*out));
    out->ss_family = is_ip4(ip) ? AF_INET : AF_INET6;
    if (is_ip4(ip))
        memcpy(&four->sin_addr, ip->bytes + sizeof(mapped), 4);
    else
        memcpy(&six->sin6_addr, ip->bytes, sizeof(ip->bytes));
}

static bool has_bits_behind(const struct tg_ip *ip, unsigned prefix)
{
    for (unsigned bit = prefix; bit < 128; bit++) {
        if ((ip->bytes[bit / 8] & (0x80 >> bit % 8)) != 0)
            return true;
    }
    return false;
}

int tg_network_read(struct tg_text text, struct tg_network *out)
{
    struct tg_text prefix = text;
    struct tg_text address = tg_text_cut(&prefix, '/');
    uint64_t bits;

    if (!tg_ip_read(address, &out->base))
        return TG_NETWORK_NONE;
    bool is_four = memchr(address.base, ':', address.len) == NULL;
    bits = is_four ? 32 : 128;
    if (prefix.base != NULL && (!tg_text_number(prefix, &bits) || prefix.len > 3 || bits > (is_four ? 32 : 128)))
        return TG_NETWORK_NONE;
    out->prefix = (unsigned)bits + (is_four ? 96 : 0);
    return has_bits_behind(&out->base, out->prefix) ? TG_NETWORK_LOOSE : 0;
}

bool tg_network_has(const struct tg_network *network, const struct tg_ip *ip)
{
    unsigned whole = network->prefix / 8, rest = network->prefix % 8;

    if (memcmp(network->base.bytes, ip->bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->base.bytes[whole] ^ ip->bytes[whole]) & (0xff00 >> rest) & 0xff) == 0;
}
