/* keys.c - `teagate keys`: what ID tokens are signed with */
#include <stdio.h>
#include "base/clock.h"
#include "base/jose.h"
#include "base/result.h"
#include "command/command.h"
#include "command/nouns.h"
#include "store/signing_key.h"

struct rotate_values {
    bool now;
};

static const struct tg_option rotate_options[] = {
    {"now", offsetof(struct rotate_values, now), NULL, false, "sign with the new key at once, as after a leak"},
    {NULL},
};

struct keys {
    struct tg_keyring ring;
    struct tg_signing_key items[TG_SIGNING_KEYS];
    size_t count;
};

static void forget_items(struct keys *keys)
{
    while (keys->count > 0)
        tg_wipe(keys->items[--keys->count].pem);
}

static void forget(struct keys *keys)
{
    forget_items(keys);
    explicit_bzero(keys, sizeof(*keys));
}

static int read_keys(struct tg_run *run, struct keys *keys)
{
    if (tg_signing_key_list(&run->store, &keys->ring, keys->items, TG_SIGNING_KEYS, &keys->count) != 0)
        return tg_run_failed("reading the signing keys");
    return TG_EXIT_DONE;
}

static int open_keys(struct tg_run *run, struct keys *keys)
{
    int status = tg_run_open_store(run);

    if (status != TG_EXIT_DONE)
        return status;
    if (tg_keyring_load(&keys->ring, tg_site_keyring_path(&run->conf), false) != 0)
        return tg_run_failed("reading the key ring");
    return read_keys(run, keys);
}

static const char *const state_names[] = {
    [TG_SIGNING_NEXT] = "next", [TG_SIGNING_CURRENT] = "current", [TG_SIGNING_RETIRED] = "retired"};

/* When time changes its state: the word for it, NULL for a key that stays as it is. */
static const char *change_of(const struct tg_signing_key *key, char when[TG_TIME_ISO])
{
    if (key->state == TG_SIGNING_CURRENT)
        return NULL;
    tg_time_iso(key->since_s + (key->state == TG_SIGNING_NEXT ? TG_SIGNING_PUBLISH_S : TG_SIGNING_KEEP_S), when);
    return key->state == TG_SIGNING_NEXT ? "signs_at" : "gone_at";
}

static json_t *key_json(const struct tg_signing_key *key)
{
    char created[TG_TIME_ISO], since[TG_TIME_ISO], when[TG_TIME_ISO];
    const char *change = change_of(key, when);
    json_t *json;

    tg_time_iso(key->created_s, created);
    tg_time_iso(key->since_s, since);
    json = json_pack("{s:s, s:s, s:s, s:s}", "kid", key->kid, "state", state_names[key->state], "created_at", created,
                     "since", since);
    if (change != NULL)
        json_object_set_new(json, change, json_string(when));
    return json;
}

static void print_key(const struct tg_signing_key *key)
{
    char since[TG_TIME_ISO], when[TG_TIME_ISO];
    const char *change = change_of(key, when);

    tg_time_iso(key->since_s, since);
    printf("%s  %-8s since %s", key->kid, state_names[key->state], since);
    if (change != NULL)
        printf(", %s %s", key->state == TG_SIGNING_NEXT ? "signs from" : "published until", when);
    putchar('\n');
}

static int print_keys(const struct tg_run *run, const struct keys *keys)
{
    json_t *all = json_array();

    for (size_t i = 0; i < keys->count; i++) {
        if (run->json)
            json_array_append_new(all, key_json(&keys->items[i]));
        else
            print_key(&keys->items[i]);
    }
    if (run->json)
        tg_run_print_json(json_incref(all));
    json_decref(all);
    return TG_EXIT_DONE;
}

static int list(struct tg_run *run, const void *values)
{
    struct keys keys = {.count = 0};
    int status = open_keys(run, &keys);

    (void)values;
    if (status == TG_EXIT_DONE)
        status = print_keys(run, &keys);
    forget(&keys);
    return status;
}

static const struct tg_signing_key *find_next(const struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->items[i].state == TG_SIGNING_NEXT)
            return &keys->items[i];
    }
    return NULL;
}

static int make_next(struct tg_run *run, const struct keys *keys)
{
    struct tg_signing_key key = {.state = TG_SIGNING_NEXT, .created_s = tg_now_s()};

    if (keys->count >= TG_SIGNING_KEYS / 2) /* so that all of them are always published */
        return tg_run_refuse(TG_EXIT_FAILED, "there are %zu keys already; retired ones go after a day", keys->count);
    int result = tg_jose_make_key(&key.pem);
    if (result == 0)
        result = tg_jose_thumbprint(key.pem, key.kid);
    if (result == 0)
        result = tg_signing_key_add(&run->store, &keys->ring, &key);
    tg_wipe(key.pem);
    if (result > 0)
        return tg_run_refuse(TG_EXIT_TAKEN, "somebody else rotates the keys at this moment");
    return result == 0 ? TG_EXIT_DONE : tg_run_failed("making a key");
}

static int take_step(struct tg_run *run, const struct keys *keys, bool now)
{
    const struct tg_signing_key *next = find_next(keys);
    char when[TG_TIME_ISO];

    if (next != NULL && !now) {
        change_of(next, when);
        return tg_run_refuse(TG_EXIT_TAKEN, "the next key is published already and signs from %s; to use it at once:"
                             " teagate keys rotate --now", when);
    }
    int status = next == NULL ? make_next(run, keys) : TG_EXIT_DONE;
    if (status == TG_EXIT_DONE && now && tg_signing_key_promote(&run->store, tg_now_s()) < 0)
        status = tg_run_failed("changing the key");
    return status;
}

static int rotate(struct tg_run *run, const void *given)
{
    const struct rotate_values *values = given;
    struct keys keys = {.count = 0};
    int status = open_keys(run, &keys);

    if (status == TG_EXIT_DONE)
        status = take_step(run, &keys, values->now);
    forget_items(&keys);
    if (status == TG_EXIT_DONE)
        status = read_keys(run, &keys);
    if (status == TG_EXIT_DONE)
        status = print_keys(run, &keys);
    forget(&keys);
    return status;
}

const struct tg_verb tg_keys_verbs[] = {
    {"list", NULL, 0, NULL, 0, list, "list the signing keys"},
    {"rotate", NULL, 0, rotate_options, sizeof(struct rotate_values), rotate, "publish a new key, which signs a day later"},
    {NULL},
};
