/*
 * forwarded.h - who the client is, by X-Forwarded-For
 *
 * Each proxy adds the address it was asked from at the right end. Read from there, proxies that are trusted are passed over; the first
 * address that is none of theirs is the client. What stands to the left of it anybody may have written.
 */
#ifndef TG_HTTP_FORWARDED_H
#define TG_HTTP_FORWARDED_H

#include "base/conf.h"

bool tg_is_trusted(const struct tg_conf_list *networks, const struct tg_ip *ip); /* networks: of struct tg_network */

/* For a request of a trusted peer. values: of all X-Forwarded-For fields in their order. false: there is nothing that can be read, the
   peer is all that is known; else *client is who the last trusted proxy was asked by. */
bool tg_forwarded_for(const struct tg_text *values, size_t count, const struct tg_conf_list *networks, struct tg_ip *client);

#endif
