/*
 * throttle.h - how often a password may be tried
 *
 * Tries are counted for a name from one network (its IPv4 address, or its IPv6 /64), and for a network. Five wrong ones are free;
 * from the sixth on, that name is paused for that network: 1 s, and twice as long each time, up to 5 min. A network has a hundred
 * wrong ones a minute. A name is never paused for everybody, so nobody can lock somebody else out. After an hour without a try
 * the name begins anew.
 *
 * A try is counted before its password is looked at, so that many at once are no way around this, and taken back when it was
 * right. Counters survive a restart; what is lost with them is only how far somebody has got. Blocking; worker threads only.
 */
#ifndef TG_STORE_THROTTLE_H
#define TG_STORE_THROTTLE_H

#include "store/store.h"

enum {
    TG_THROTTLE_FREE = 5,
    TG_THROTTLE_LONGEST_MS = 300 * 1000,
    TG_THROTTLE_NETWORK = 100, /* in */
    TG_THROTTLE_NETWORK_MS = 60 * 1000,
};

struct tg_throttle {
    struct tg_text name;    /* of whom: an account's id, or what was typed where there is no account; without case */
    struct tg_text address; /* of the client as the server saw it */
    int64_t now_ms;         /* wall clock */
};

struct tg_pause {
    int64_t since_ms, until_ms;
    bool is_network; /* all names are paused for this network */
};

/* Counts a try. PAUSED: not now, and it is not counted; pause says until when. */
enum { TG_THROTTLE_PAUSED = 1 };
int tg_throttle_take(struct tg_store *store, const struct tg_throttle *who, struct tg_pause *pause);

/* The password was right: the name begins anew for this network, and the network gets its try back. */
int tg_throttle_forgive(struct tg_store *store, const struct tg_throttle *who);

#endif
