#include "http/forwarded.h"

enum { MOST_HOPS = 32 };

bool tg_is_trusted(const struct tg_conf_list *networks, const struct tg_ip *ip)
{
    const struct tg_network *items = networks->items;

    for (size_t i = 0; i < networks->count; i++) {
        if (tg_network_has(&items[i], ip))
            return true;
    }
    return false;
}

/* Takes the last item off a list with commas. */
static struct tg_text cut_last(struct tg_text *rest)
{
    size_t at = rest->len;

    while (at > 0 && rest->base[at - 1] != ',')
        at--;
    struct tg_text last = tg_text_n(rest->base + at, rest->len - at);
    rest->len = at > 0 ? at - 1 : 0;
    return tg_text_trim(last);
}

/* "192.0.2.7", "192.0.2.7:5312", "2001:db8::7", "[2001:db8::7]", "[2001:db8::7]:5312" */
static bool read_hop(struct tg_text hop, struct tg_ip *out)
{
    struct tg_text port = hop;

    if (tg_text_starts(hop, "[")) {
        port = tg_text_n(hop.base + 1, hop.len - 1);
        return tg_ip_read(tg_text_cut(&port, ']'), out) && port.base != NULL;
    }
    if (tg_ip_read(hop, out))
        return true;
    hop = tg_text_cut(&port, ':');
    return port.base != NULL && memchr(hop.base, '.', hop.len) != NULL && tg_ip_read(hop, out);
}

bool tg_forwarded_for(const struct tg_text *values, size_t count, const struct tg_conf_list *networks, struct tg_ip *client)
{
    int hops = 0;

    while (count-- > 0) {
        struct tg_text rest = values[count];

        while (rest.len > 0) {
            struct tg_ip hop;

            if (hops == MOST_HOPS || !read_hop(cut_last(&rest), &hop))
                return hops > 0;
            hops++;
            *client = hop;
            if (!tg_is_trusted(networks, &hop))
                return true;
        }
    }
    return hops > 0;
}
