#include "http/http_conf.h"

const struct tg_key tg_listen_keys[] = {
    {"https", TG_LIST, offsetof(struct tg_listen_conf, https), .item_type = TG_ADDRESS, .initial = ":443",
     .help = "addresses where browsers and git reach everything, over TLS"},
    {"http", TG_LIST, offsetof(struct tg_listen_conf, http), .item_type = TG_ADDRESS, .example = ":80",
     .help = "addresses that only redirect to HTTPS"},
    {"backchannel", TG_ADDRESS, offsetof(struct tg_listen_conf, backchannel), .initial = "127.0.0.1:9443",
     .help = "the loopback address where Gitea reaches the provider"},
    {"admin", TG_ADDRESS, offsetof(struct tg_listen_conf, admin), .example = "unix:/run/teagate/admin.sock",
     .help = "where metrics and health are served; a unix socket in the run directory when not set"},
    {NULL},
};

const struct tg_key tg_tls_keys[] = {
    {"directory", TG_PATH, offsetof(struct tg_tls_conf, directory), .example = "/etc/teagate/tls",
     .help = "certificates as pairs NAME.crt (the chain) and NAME.key; changes are picked up by themselves"},
    {"internal-ca", TG_LIST, offsetof(struct tg_tls_conf, internal_ca), .item_type = TG_HOST, .example = "localhost",
     .help = "localhost names that get a certificate of the internal CA"},
    {NULL},
};

const struct tg_key tg_limits_keys[] = {
    {"threads", TG_NUMBER, offsetof(struct tg_limits_conf, threads), .initial = "0", .min = 0, .max = 256,
     .help = "event loops; 0 is one for each processor"},
    {"head-timeout", TG_SECONDS, offsetof(struct tg_limits_conf, head_timeout_s), .initial = "10", .min = 1, .max = 120,
     .help = "how long a client may take to send the head of a request"},
    {"body-idle", TG_SECONDS, offsetof(struct tg_limits_conf, body_idle_s), .initial = "30", .min = 1, .max = 3600,
     .help = "how long a client may pause while it sends a body"},
    {"keepalive", TG_SECONDS, offsetof(struct tg_limits_conf, keepalive_s), .initial = "75", .min = 1, .max = 3600,
     .help = "how long an idle connection is kept open"},
    {"handshake", TG_SECONDS, offsetof(struct tg_limits_conf, handshake_s), .initial = "10", .min = 1, .max = 120,
     .help = "how long a TLS handshake may take"},
    {"write-stall", TG_SECONDS, offsetof(struct tg_limits_conf, write_stall_s), .initial = "2m", .min = 5, .max = 3600,
     .help = "how long a client may take nothing of what is sent to it"},
    {"drain", TG_SECONDS, offsetof(struct tg_limits_conf, drain_s), .initial = "5m", .min = 1, .max = 86400,
     .help = "how long requests may go on after a reload or at a stop"},
    {"max-connections", TG_NUMBER, offsetof(struct tg_limits_conf, max_connections), .initial = "10000", .min = 10, .max = 1000000,
     .help = "connections at a time; more are closed at once"},
    {"max-connections-per-address", TG_NUMBER, offsetof(struct tg_limits_conf, max_connections_per_address), .initial = "1000", .min = 0,
     .max = 1000000, .help = "connections at a time of one IPv4 address or IPv6 /64; 0 is no limit, for one behind a load balancer"},
    {NULL},
};
