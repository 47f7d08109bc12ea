#include "http/tls.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/tls_parts.h"

/* By name; of equal names first the pair that is to be used: files and what was put in before the internal CA, then the longest life. */
static int compare_entries(const void *a, const void *b)
{
    const struct tg_name_entry *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    if (order != 0)
        return order;
    bool is_left_ca = strcmp(left->pair->label, "=ca") == 0, is_right_ca = strcmp(right->pair->label, "=ca") == 0;
    if (is_left_ca != is_right_ca)
        return is_left_ca - is_right_ca;
    if (left->pair->not_after_s != right->pair->not_after_s)
        return left->pair->not_after_s > right->pair->not_after_s ? -1 : 1;
    return strcmp(left->pair->label, right->pair->label);
}

static struct tg_name_entry *make_index(struct tg_pair **pairs, size_t count, size_t *index_count)
{
    size_t names = 0, n = 0;

    for (size_t i = 0; i < count; i++)
        names += pairs[i]->name_count;
    struct tg_name_entry *index = tg_alloc((names + 1) * sizeof(*index));
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < pairs[i]->name_count; j++)
            index[n++] = (struct tg_name_entry){pairs[i]->names[j], pairs[i]};
    }
    qsort(index, n, sizeof(*index), compare_entries);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || strcmp(index[kept - 1].name, index[i].name) != 0)
            index[kept++] = index[i];
    }
    *index_count = kept;
    return index;
}

static bool is_among(const struct tg_pair *pair, struct tg_pair *const *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pairs[i] == pair)
            return true;
    }
    return false;
}

void tg_tls_use(struct tg_tls *tls, struct tg_pair **pairs, size_t count)
{
    size_t index_count;
    struct tg_name_entry *index = make_index(pairs, count, &index_count);

    pthread_rwlock_wrlock(&tls->lock);
    struct tg_pair **old_pairs = tls->pairs;
    struct tg_name_entry *old_index = tls->index;
    size_t old_count = tls->pair_count;
    tls->pairs = pairs;
    tls->pair_count = count;
    tls->index = index;
    tls->index_count = index_count;
    pthread_rwlock_unlock(&tls->lock);

    for (size_t i = 0; i < old_count; i++) {
        if (!is_among(old_pairs[i], pairs, count))
            tg_pair_free(old_pairs[i]);
    }
    free(old_pairs);
    free(old_index);
}

void tg_tls_use_one(struct tg_tls *tls, struct tg_pair *pair)
{
    struct tg_pair **pairs = tg_alloc((tls->pair_count + 1) * sizeof(*pairs));
    size_t place = 0;

    if (tls->pair_count > 0)
        memcpy(pairs, tls->pairs, tls->pair_count * sizeof(*pairs));
    while (place < tls->pair_count && strcmp(pairs[place]->label, pair->label) != 0)
        place++;
    pairs[place] = pair;
    tg_tls_use(tls, pairs, place == tls->pair_count ? place + 1 : tls->pair_count);
}

int tg_tls_new(const struct tg_tls_options *options, struct tg_tls **out)
{
    struct tg_tls *tls = tg_alloc(sizeof(*tls));
    size_t changed = 0;

    tls->options = *options;
    pthread_mutex_init(&tls->writing, NULL);
    pthread_rwlock_init(&tls->lock, NULL);
    tg_random(tls->ticket_keys[0], TG_TICKET_KEY);
    tls->ticket_key_count = 1;
    int result = tg_tls_read_directory(tls, &changed, &tls->unreported);
    if (result == 0)
        result = tg_tls_use_ca(tls, &changed);
    if (result < 0) {
        tg_tls_free(tls);
        return result;
    }
    *out = tls;
    return 0;
}

void tg_tls_free(struct tg_tls *tls)
{
    if (tls == NULL)
        return;
    for (size_t i = 0; i < tls->pair_count; i++)
        tg_pair_free(tls->pairs[i]);
    free(tls->pairs);
    free(tls->index);
    tg_string_done(&tls->unreported);
    OPENSSL_cleanse(tls->ticket_keys, sizeof(tls->ticket_keys));
    pthread_rwlock_destroy(&tls->lock);
    pthread_mutex_destroy(&tls->writing);
    free(tls);
}

static int compare_name(const void *key, const void *entry)
{
    return strcmp(key, ((const struct tg_name_entry *)entry)->name);
}

static struct tg_pair *look_up(struct tg_tls *tls, const char *name)
{
    const struct tg_name_entry *entry = bsearch(name, tls->index, tls->index_count, sizeof(*tls->index), compare_name);

    return entry != NULL ? entry->pair : NULL;
}

SSL_CTX *tg_tls_find(struct tg_tls *tls, struct tg_text name)
{
    char exact[256], wild[258] = "*";

    if (name.len == 0 || name.len >= sizeof(exact) || memchr(name.base, '*', name.len) != NULL)
        return NULL;
    memcpy(exact, name.base, name.len);
    exact[name.len] = '\0';
    const char *dot = strchr(exact, '.');

    pthread_rwlock_rdlock(&tls->lock);
    struct tg_pair *pair = look_up(tls, exact);
    if (pair == NULL && dot != NULL && dot != exact) { /* "*" stands for one label (RFC 6125 6.4.3) */
        strcpy(wild + 1, dot);
        pair = look_up(tls, wild);
    }
    SSL_CTX *context = pair != NULL ? pair->context : NULL;
    if (context != NULL)
        SSL_CTX_up_ref(context);
    pthread_rwlock_unlock(&tls->lock);
    return context;
}

int tg_tls_put(struct tg_tls *tls, struct tg_text chain_pem, struct tg_text key_pem)
{
    struct tg_pair *pair;

    tg_try(tg_pair_read(tls, chain_pem, key_pem, &pair));
    pair->label = tg_format("=put %s", pair->names[0]);
    pthread_mutex_lock(&tls->writing);
    tg_tls_use_one(tls, pair);
    pthread_mutex_unlock(&tls->writing);
    return 0;
}

int tg_tls_rescan(struct tg_tls *tls, size_t *changed, struct tg_string *errors)
{
    *changed = 0;
    pthread_mutex_lock(&tls->writing);
    tg_string_add(errors, tg_string_text(&tls->unreported));
    tg_string_done(&tls->unreported);
    int result = tg_tls_read_directory(tls, changed, errors);
    if (result == 0)
        result = tg_tls_use_ca(tls, changed);
    pthread_mutex_unlock(&tls->writing);
    return result;
}

void tg_tls_missing(struct tg_tls *tls, struct tg_string *out)
{
    for (size_t i = 0; tls->options.names != NULL && tls->options.names[i] != NULL; i++) {
        SSL_CTX *context = tg_tls_find(tls, tg_text(tls->options.names[i]));

        if (context == NULL)
            tg_string_addf(out, "%s\n", tls->options.names[i]);
        SSL_CTX_free(context);
    }
}

void tg_tls_set_ticket_keys(struct tg_tls *tls, const uint8_t (*keys)[TG_TICKET_KEY], size_t count)
{
    if (count > TG_TICKET_KEYS)
        count = TG_TICKET_KEYS;
    if (count == 0)
        return;
    pthread_rwlock_wrlock(&tls->lock);
    memcpy(tls->ticket_keys, keys, count * TG_TICKET_KEY);
    tls->ticket_key_count = count;
    pthread_rwlock_unlock(&tls->lock);
}

int64_t tg_tls_next_expiry_s(struct tg_tls *tls)
{
    int64_t earliest = 0;

    pthread_rwlock_rdlock(&tls->lock);
    for (size_t i = 0; i < tls->index_count; i++) {
        int64_t end = tls->index[i].pair->not_after_s;

        if (earliest == 0 || end < earliest)
            earliest = end;
    }
    pthread_rwlock_unlock(&tls->lock);
    return earliest;
}
