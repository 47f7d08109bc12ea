#include "supervisor/tickets.h"

#include <sodium.h>
#include "base/secret.h"

void tg_tickets_turn(struct tg_tickets *tickets, int64_t now_ms)
{
    memmove(tickets->keys[1], tickets->keys[0], sizeof(tickets->keys) - sizeof(tickets->keys[0]));
    tg_random(tickets->keys[0], TG_TICKET);
    if (tickets->count < TG_TICKETS)
        tickets->count++;
    tickets->made_ms = now_ms;
}

void tg_tickets_write(const struct tg_tickets *tickets, struct tg_string *out)
{
    char hex[TG_TICKET * 2 + 1];

    for (size_t i = 0; i < tickets->count; i++) {
        sodium_bin2hex(hex, sizeof(hex), tickets->keys[i], TG_TICKET);
        if (i > 0)
            tg_string_add(out, TG_TEXT(" "));
        tg_string_add(out, tg_text(hex));
    }
    explicit_bzero(hex, sizeof(hex));
}

int tg_tickets_read(struct tg_text text, struct tg_tickets *out)
{
    *out = (struct tg_tickets){.count = 0};
    while (text.base != NULL) {
        struct tg_text hex = tg_text_cut(&text, ' ');
        size_t len = 0;

        if (hex.len != TG_TICKET * 2 || out->count == TG_TICKETS ||
            sodium_hex2bin(out->keys[out->count], TG_TICKET, hex.base, hex.len, NULL, &len, NULL) != 0 || len != TG_TICKET)
            return TG_TICKETS_MALFORMED;
        out->count++;
    }
    return out->count > 0 ? 0 : TG_TICKETS_MALFORMED;
}
