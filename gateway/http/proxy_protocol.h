/*
 * proxy_protocol.h - the header that a load balancer puts before a connection (PROXY protocol, version 2)
 *
 * Binary, before TLS. What the balancer says besides (TLVs) is skipped; their length is limited, since all of it is read at once.
 */
#ifndef TG_HTTP_PROXY_PROTOCOL_H
#define TG_HTTP_PROXY_PROTOCOL_H

#include "base/network.h"

enum { TG_PROXY_HEADER_LIMIT = 4096 };

struct tg_proxy_header {
    size_t len;        /* of the whole header */
    bool is_known;     /* else the connection is the proxy's own (LOCAL: a health check), or of no IP protocol (UNSPEC, UNIX) */
    struct tg_ip client;
};

/* 0: *out is filled in. Nothing of the bytes is remembered: call it again with more of them. */
enum { TG_PROXY_INCOMPLETE = 1, TG_PROXY_MALFORMED };
int tg_proxy_header_read(struct tg_text bytes, struct tg_proxy_header *out);

#endif
