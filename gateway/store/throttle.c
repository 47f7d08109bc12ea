#include "store/throttle.h"
#include <arpa/inet.h>
#include <stdio.h>
#include "store/record.h"

enum { FIRST_PAUSE_MS = 1000, FORGET_MS = 3600 * 1000, PRUNED = 8, NETWORK = INET6_ADDRSTRLEN + 4, KEY_LIMIT = 512 };

/* A row by its digest, so that a password typed as a name is not kept. */
struct counter {
    char digest[TG_TOKEN];
    int64_t tries, until_ms, forget_ms;
};

struct counters {
    struct counter name, network;
};

/* The /64 of an IPv6 address, the whole of an IPv4 one. What is no address is a network of its own. */
static void network_of(struct tg_text address, char out[NETWORK])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:192.0.2.7 (RFC 4291 2.5.5.2) */
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];

    snprintf(text, sizeof(text), "%.*s", TG_TEXT_ARGS(address));
    if (inet_pton(AF_INET6, text, bytes) != 1) {
        snprintf(out, NETWORK, "%s", text);
    } else if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        inet_ntop(AF_INET, bytes + sizeof(mapped), out, NETWORK);
    } else {
        memset(bytes + 8, 0, 8);
        inet_ntop(AF_INET6, bytes, out, NETWORK);
    }
}

static void fold(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
    }
}

/* A network's key has no space, a name's has one: neither is the other's. */
static void name_counters(const struct tg_throttle *who, struct counters *out)
{
    char network[NETWORK], key[KEY_LIMIT];

    network_of(who->address, network);
    tg_record_digest(tg_text(network), out->network.digest);
    snprintf(key, sizeof(key), "%s %.*s", network, TG_TEXT_ARGS(who->name));
    fold(key);
    tg_record_digest(tg_text(key), out->name.digest);
}

/* A time that no counter of today can have was written before the clock was set back: it would pause for a day. */
static bool is_over(const struct counter *counter, int64_t now_ms, int64_t longest_ms)
{
    return counter->forget_ms <= now_ms || counter->forget_ms > now_ms + longest_ms;
}

static int read_counter(struct tg_store *store, struct counter *counter, int64_t now_ms, int64_t longest_ms)
{
    TG_ROWS *rows = NULL;

    counter->tries = counter->until_ms = counter->forget_ms = 0;
    if (tg_try(tg_record_one(store->transient, "SELECT tries, until_ms, forget_ms FROM throttle WHERE digest = $1",
                             TG_VALUES(TG_CSTR(counter->digest)), &rows)) == TG_RECORD_NONE)
        return 0;
    counter->tries = tg_row_int(rows, 0);
    counter->until_ms = tg_row_int(rows, 1);
    counter->forget_ms = tg_row_int(rows, 2);
    if (is_over(counter, now_ms, longest_ms))
        counter->tries = counter->until_ms = counter->forget_ms = 0;
    return 0;
}

static int write_counter(struct tg_store *store, const struct counter *counter)
{
    return tg_record_write(store->transient,
                           "INSERT INTO throttle (digest, tries, until_ms, forget_ms) VALUES ($1, $2, $3, $4)"
                           " ON CONFLICT (digest) DO UPDATE SET tries = $2, until_ms = $3, forget_ms = $4",
                           TG_VALUES(TG_CSTR(counter->digest), TG_INT(counter->tries), TG_INT(counter->until_ms),
                                     TG_INT(counter->forget_ms)));
}

static int64_t pause_after(int64_t tries)
{
    int64_t pause_ms = FIRST_PAUSE_MS;

    if (tries <= TG_THROTTLE_FREE)
        return 0;
    for (int64_t i = TG_THROTTLE_FREE + 1; i < tries && pause_ms < TG_THROTTLE_LONGEST_MS; i++)
        pause_ms *= 2;
    return pause_ms < TG_THROTTLE_LONGEST_MS ? pause_ms : TG_THROTTLE_LONGEST_MS;
}

/* Whether there is a pause now; the longer one counts. */
static bool is_paused(const struct counters *counters, int64_t now_ms, struct tg_pause *pause)
{
    const struct counter *name = &counters->name, *network = &counters->network;
    int64_t name_ms = pause_after(name->tries);
    bool name_waits = name->until_ms > now_ms && name->until_ms - now_ms <= name_ms;
    bool network_waits = network->tries >= TG_THROTTLE_NETWORK;

    if (network_waits && !(name_waits && name->until_ms > network->forget_ms))
        *pause = (struct tg_pause){network->forget_ms - TG_THROTTLE_NETWORK_MS, network->forget_ms, true};
    else if (name_waits)
        *pause = (struct tg_pause){name->until_ms - name_ms, name->until_ms, false};
    return name_waits || network_waits;
}

static void count_try(struct counters *counters, int64_t now_ms)
{
    struct counter *name = &counters->name, *network = &counters->network;

    name->tries++;
    name->until_ms = now_ms + pause_after(name->tries);
    name->forget_ms = now_ms + FORGET_MS;
    if (network->tries++ == 0)
        network->forget_ms = now_ms + TG_THROTTLE_NETWORK_MS;
}

/* Each try takes more rows away than it makes. */
static int prune(struct tg_store *store, int64_t now_ms)
{
    return tg_record_write(store->transient,
                           "DELETE FROM throttle WHERE digest IN"
                           " (SELECT digest FROM throttle WHERE forget_ms <= $1 ORDER BY forget_ms LIMIT $2)",
                           TG_VALUES(TG_INT(now_ms), TG_INT(PRUNED)));
}

static int read_counters(struct tg_store *store, const struct tg_throttle *who, struct counters *out)
{
    name_counters(who, out);
    tg_try(read_counter(store, &out->name, who->now_ms, FORGET_MS));
    return read_counter(store, &out->network, who->now_ms, TG_THROTTLE_NETWORK_MS);
}

int tg_throttle_take(struct tg_store *store, const struct tg_throttle *who, struct tg_pause *pause)
{
    TG_TRANSACTION *transaction = store->transient;
    struct counters counters;

    tg_try(tg_db_begin_write(transaction));
    tg_try(read_counters(store, who, &counters));
    if (is_paused(&counters, who->now_ms, pause))
        return TG_THROTTLE_PAUSED;
    count_try(&counters, who->now_ms);
    tg_try(write_counter(store, &counters.name));
    tg_try(write_counter(store, &counters.network));
    tg_try(prune(store, who->now_ms));
    return tg_db_commit(transaction);
}

int tg_throttle_forgive(struct tg_store *store, const struct tg_throttle *who)
{
    TG_TRANSACTION *transaction = store->transient;
    struct counters counters;

    tg_try(tg_db_begin_write(transaction));
    tg_try(read_counters(store, who, &counters));
    tg_try(tg_record_write(store->transient, "DELETE FROM throttle WHERE digest = $1", TG_VALUES(TG_CSTR(counters.name.digest))));
    if (counters.network.tries > 0) {
        counters.network.tries--;
        tg_try(write_counter(store, &counters.network));
    }
    return tg_db_commit(transaction);
}
