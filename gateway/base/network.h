/*
 * network.h - IP addresses and networks of them
 *
 * IPv4 has its place in IPv6 (::ffff:192.0.2.7, RFC 4291 2.5.5.2), so that one address has one form. Any thread.
 */
#ifndef TG_BASE_NETWORK_H
#define TG_BASE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/text.h"

struct tg_ip {
    uint8_t bytes[16];
};

enum { TG_IP_TEXT = 48 };

struct tg_network {
    struct tg_ip base;    /* all bits behind the prefix are zero */
    unsigned prefix;      /* bits, counted as in IPv6: 192.0.2.0/24 has 120 */
};

/* false: a unix socket, or nothing known. */
bool tg_ip_of(const struct sockaddr *address, struct tg_ip *out);
/* An address as text, IPv4 or IPv6 without brackets, zone or port. */
bool tg_ip_read(struct tg_text text, struct tg_ip *out);
void tg_ip_text(const struct tg_ip *ip, char out[TG_IP_TEXT]); /* IPv4 in its own form */
void tg_ip_sockaddr(const struct tg_ip *ip, struct sockaddr_storage *out); /* without a port; IPv4 as AF_INET */

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. Positive answers: */
enum { TG_NETWORK_NONE = 1, /* it is neither */ TG_NETWORK_LOOSE /* it is the address of one machine in that network */ };
int tg_network_read(struct tg_text text, struct tg_network *out);
bool tg_network_has(const struct tg_network *network, const struct tg_ip *ip);

#endif
