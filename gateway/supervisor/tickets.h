/*
 * tickets.h - TLS session ticket keys (RFC 5077), shared by all generations
 *
 * Made here and never written anywhere; the newest seals, the others still open. Sent to each front as hexadecimal texts.
 */
#ifndef TG_SUPERVISOR_TICKETS_H
#define TG_SUPERVISOR_TICKETS_H

#include <stdint.h>
#include "base/text.h"

enum { TG_TICKETS = 3, TG_TICKET = 48, TG_TICKET_TURN_MS = 12 * 3600 * 1000 };

struct tg_tickets {
    uint8_t keys[TG_TICKETS][TG_TICKET]; /* newest first */
    size_t count;
    int64_t made_ms; /* monotonic */
};

void tg_tickets_turn(struct tg_tickets *tickets, int64_t now_ms);          /* a new first key; the last goes */
void tg_tickets_write(const struct tg_tickets *tickets, struct tg_string *out); /* hexadecimal, with spaces between keys */
enum { TG_TICKETS_MALFORMED = 1 };
int tg_tickets_read(struct tg_text text, struct tg_tickets *out);

#endif
