/*
 * resolver.h - what workers find out for waiting requests: an account's facts, a credential's user
 *
 * One flight for each key on each loop: whoever misses the same thing meanwhile waits for the same call. A waiter that leaves is
 * forgotten; the flight lands all the same and fills the table.
 */
#ifndef TG_FRONT_RESOLVER_H
#define TG_FRONT_RESOLVER_H

#include "front/identify.h"
#include "front/owner.h"
#include "front/state.h"
#include "gitea/api.h"
#include "store/subscription.h"

/* Values of the tables. */
struct tg_facts_entry {
    struct tg_facts facts;
    bool unknown;            /* there is no such account */
};

struct tg_credential_entry {
    enum tg_resolved answer;
    int64_t user;            /* Gitea's id */
    char account[TG_ID];     /* "": nobody of ours */
    bool is_listed;          /* nobody of ours, but let through by name */
    uint64_t until_ms;       /* by the loop's clock: when it is asked again */
};

/* facts_table.c: NULL: not there. */
const struct tg_facts_entry *tg_facts_find(struct tg_front_loop *part, const char *account);
void tg_facts_key(const char *account, uint8_t key[TG_TABLE_KEY]);
/* Keeps what a flight read unless it is older than a change known meanwhile; false: it has to be read again. */
bool tg_facts_keep(struct tg_front_loop *part, const char *account, const struct tg_facts_entry *entry, int64_t least_change);

const struct tg_credential_entry *tg_credential_find_entry(struct tg_front_loop *part, const uint8_t key[TG_TABLE_KEY]);

/* Both: the visit waits (TG_STEP_WAIT is to be returned) and on_ready is called later, unless it is gone by then. TG_FLIGHT_REFUSED: too
   much is under way. ok false: it cannot be told now. */
enum { TG_FLIGHT_REFUSED = 1 };
typedef void (*tg_flight_ready)(struct tg_visit *visit, bool ok);
int tg_facts_await(struct tg_visit *visit, const char *account, tg_flight_ready on_ready);
int tg_credential_await(struct tg_visit *visit, const struct tg_presented *presented, const uint8_t key[TG_TABLE_KEY],
                        tg_flight_ready on_ready);

/* The account of an owner's name, kept like a credential. */
int tg_owner_await(struct tg_visit *visit, const char *owner, const uint8_t key[TG_TABLE_KEY], tg_flight_ready on_ready);
/* Whoever waits too long is told that it cannot be told now. */
void tg_flights_tick(struct tg_front_loop *part, uint64_t now_ms);

/* On the loop: changes have become known. drop_all: there was a gap. */
struct tg_change_news {
    const struct tg_change *changes;
    size_t count;
    int64_t last;
    bool drop_all;
};
void tg_facts_news(struct tg_front_loop *part, const struct tg_change_news *news);
void tg_flights_news(struct tg_front_loop *part, const struct tg_change *change); /* resolver.c's part of it; NULL: all */

#endif
