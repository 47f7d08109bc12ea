/*
 * facts_table.c - facts of accounts in a loop's memory
 *
 * Facts are kept, never levels: those follow from facts and time. Every entry carries the change number of the snapshot it was read in;
 * a change that becomes known drops what is older, and a fill that is older than it is not kept.
 */
#include "base/result.h"
#include "front/resolver.h"

void tg_facts_key(const char *account, uint8_t key[TG_TABLE_KEY])
{
    memset(key, 0, TG_TABLE_KEY);
    memcpy(key, account, strnlen(account, TG_ID - 1));
}

const struct tg_facts_entry *tg_facts_find(struct tg_front_loop *part, const char *account)
{
    uint8_t key[TG_TABLE_KEY];
    const struct tg_facts_entry *entry;

    tg_facts_key(account, key);
    if ((entry = tg_table_find(&part->facts, key)) != NULL)
        tg_metric_add(&part->counts.facts_found, 1);
    return entry;
}

bool tg_facts_keep(struct tg_front_loop *part, const char *account, const struct tg_facts_entry *entry, int64_t least_change)
{
    uint8_t key[TG_TABLE_KEY];

    if (entry->facts.change < least_change)
        return false;
    tg_facts_key(account, key);
    *(struct tg_facts_entry *)tg_table_put(&part->facts, key) = *entry;
    tg_metric_add(&part->counts.facts_read, 1);
    return true;
}

const struct tg_credential_entry *tg_credential_find_entry(struct tg_front_loop *part, const uint8_t key[TG_TABLE_KEY])
{
    const struct tg_credential_entry *entry = tg_table_find(&part->credentials, key);

    if (entry == NULL || entry->until_ms <= h2o_now(part->loop->context.loop))
        return NULL;
    tg_metric_add(&part->counts.credentials_found, 1);
    return entry;
}

static void drop_older(struct tg_front_loop *part, const struct tg_change *change)
{
    uint8_t key[TG_TABLE_KEY];
    struct tg_facts_entry *entry;

    tg_facts_key(change->subject, key);
    entry = tg_table_find(&part->facts, key);
    if (entry != NULL && entry->facts.change < change->number) {
        tg_table_drop(&part->facts, key);
        tg_metric_add(&part->counts.facts_dropped, 1);
    }
}

static void hear(struct tg_front_loop *part, const struct tg_change *change)
{
    switch (change->kind) {
    case TG_CHANGE_ACCOUNT: /* may also be a new mapping to a user of Gitea */
        tg_table_clear(&part->credentials);
        /* fall through */
    case TG_CHANGE_SUBSCRIPTION:
    case TG_CHANGE_HOLD:
        if (change->subject[0] == '\0')
            tg_table_clear(&part->facts);
        else
            drop_older(part, change);
        tg_flights_news(part, change);
        tg_exchanges_news(part, change->subject);
        break;
    case TG_CHANGE_INSTANCE:
        tg_table_clear(&part->credentials);
        tg_flights_news(part, change);
        break;
    default:
        break;
    }
}

void tg_facts_news(struct tg_front_loop *part, const struct tg_change_news *news)
{
    if (news->last > part->change_known)
        part->change_known = news->last;
    if (news->drop_all) {
        tg_table_clear(&part->facts);
        tg_table_clear(&part->credentials);
        tg_flights_news(part, NULL);
        tg_exchanges_news(part, "");
    }
    for (size_t i = 0; i < news->count; ++i)
        hear(part, &news->changes[i]);
}
