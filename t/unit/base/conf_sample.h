/*
 * conf_sample.h - a table with a key of every type, for the tests of the configuration reader and its fuzzer
 */
#ifndef TG_CONF_SAMPLE_H
#define TG_CONF_SAMPLE_H

#include "base/conf.h"

struct sample_oidc {
    const char *issuer;
    int64_t code_ttl_s;
    struct {
        int64_t keep;
    } keys;
};

struct sample_door {
    struct tg_address address;
    int64_t wait_s;
    struct tg_conf_list networks;
};

struct sample_server {
    const char *name;
    int64_t weight;
};

struct sample {
    const char *title, *file, *site, *host, *zone;
    bool quick;
    int64_t threads, shift, body, any, most, wait_s;
    int level;
    struct tg_address listen;
    struct tg_conf_list words, ports, addresses, servers, doors;
    struct sample_oidc oidc;
};

static const char *const sample_levels[] = {"notice", "readonly", "blocked", NULL};

static const struct tg_key sample_oidc_keys_keys[] = {
    {"keep", TG_NUMBER, 0, .initial = "2", .min = 1, .max = 4, .help = "how many signing keys are kept"},
    {NULL},
};

static const struct tg_key sample_oidc_keys[] = {
    {"issuer", TG_URL, offsetof(struct sample_oidc, issuer), .required = true, .example = "https://auth.example.net",
     .help = "the public address of this provider"},
    {"code-ttl", TG_SECONDS, offsetof(struct sample_oidc, code_ttl_s), .initial = "60", .min = 10, .max = 600,
     .help = "how long a code may wait to be redeemed"},
    {"keys", TG_SECTION, offsetof(struct sample_oidc, keys), .keys = sample_oidc_keys_keys, .help = "signing keys"},
    {NULL},
};

static const struct tg_key sample_server_keys[] = {
    {"name", TG_HOST, offsetof(struct sample_server, name), .required = true, .help = "the server's name"},
    {"weight", TG_NUMBER, offsetof(struct sample_server, weight), .initial = "1", .min = 1, .max = 100,
     .help = "its share of requests"},
    {NULL},
};

static const struct tg_key sample_door_keys[] = {
    {"address", TG_ADDRESS, offsetof(struct sample_door, address), .required = true, .help = "where it is"},
    {"wait", TG_SECONDS, offsetof(struct sample_door, wait_s), .unset = -1, .min = 0, .max = 60, .example = "5", .help = "how long it is open"},
    {"networks", TG_LIST, offsetof(struct sample_door, networks), .item_type = TG_NETWORK, .help = "who may come in"},
    {NULL},
};

static const struct tg_key sample_keys[] = {
    {"title", TG_STRING_KEY, offsetof(struct sample, title), .initial = "Code: hosting", .help = "the name on every page"},
    {"file", TG_PATH, offsetof(struct sample, file), .help = "a file"},
    {"site", TG_URL, offsetof(struct sample, site), .help = "an address"},
    {"host", TG_HOST, offsetof(struct sample, host), .help = "a host"},
    {"zone", TG_ZONE, offsetof(struct sample, zone), .initial = "UTC", .help = "the zone of times | of all of them"},
    {"quick", TG_FLAG, offsetof(struct sample, quick), .initial = "yes", .help = "whether to hurry"},
    {"threads", TG_NUMBER, offsetof(struct sample, threads), .initial = "4", .min = 1, .max = 64, .help = "how many threads"},
    {"shift", TG_NUMBER, offsetof(struct sample, shift), .initial = "-3", .min = -10, .max = 10, .help = "a number below zero"},
    {"body", TG_BYTES, offsetof(struct sample, body), .initial = "1m", .min = 4096, .max = 1 << 30, .help = "the largest body"},
    {"any", TG_NUMBER, offsetof(struct sample, any), .help = "a number without limits"},
    {"most", TG_BYTES, offsetof(struct sample, most), .initial = "0", .min = 0, .max = INT64_MAX, .help = "a size; 0 is none"},
    {"wait", TG_SECONDS, offsetof(struct sample, wait_s), .min = 5, .help = "a time without an upper limit"},
    {"level", TG_CHOICE, offsetof(struct sample, level), .initial = "notice", .choices = sample_levels, .help = "what remains"},
    {"listen", TG_ADDRESS, offsetof(struct sample, listen), .initial = "[::1]:8443", .help = "where to listen"},
    {"words", TG_LIST, offsetof(struct sample, words), .item_type = TG_STRING_KEY, .initial = "[one, two]", .help = "some words"},
    {"ports", TG_LIST, offsetof(struct sample, ports), .item_type = TG_NUMBER, .min = 1, .max = 65535, .help = "some ports"},
    {"addresses", TG_LIST, offsetof(struct sample, addresses), .item_type = TG_ADDRESS, .help = "some addresses"},
    {"servers", TG_SECTIONS, offsetof(struct sample, servers), .item_size = sizeof(struct sample_server),
     .keys = sample_server_keys, .help = "the servers behind"},
    {"doors", TG_SECTIONS, offsetof(struct sample, doors), .item_size = sizeof(struct sample_door), .is_short = true, .initial = ":443",
     .keys = sample_door_keys, .help = "the doors"},
    {"oidc", TG_SECTION, offsetof(struct sample, oidc), .keys = sample_oidc_keys, .help = "the provider"},
    {NULL},
};

#endif
