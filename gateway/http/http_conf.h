/*
 * http_conf.h - keys of the sections `listen`, `tls` and `limits`
 *
 * Whatever limits a single connection can be set for each listener; where it is not, `limits` counts.
 */
#ifndef TG_HTTP_HTTP_CONF_H
#define TG_HTTP_HTTP_CONF_H

#include "base/conf.h"

/* Of a connection. In a listener's section -1 is "not set", until tg_http_conf_settle. */
struct tg_connection_limits {
    int64_t head_timeout_s;               /* total, for a request head; 10 */
    int64_t body_idle_s;                  /* without progress of a request body; 30 */
    int64_t keepalive_s;                  /* idle connections; 75 */
    int64_t handshake_s;                  /* everything before HTTP; 10 */
    int64_t write_stall_s;                /* a client that takes nothing of what is sent to it; 30 */
    int64_t min_rate;                     /* bytes in a second of a client that is waited for; 0: none; 500 */
    int64_t max_age_s;                    /* then a connection takes no further requests; 1h */
    int64_t max_requests;                 /* the same; 100000 */
    int64_t max_per_address;              /* of a /32 or /64, on https and http; 0: no limit; 1000 */
};

enum tg_proxy_protocol { TG_PROXY_PROTOCOL_OFF, TG_PROXY_PROTOCOL_V2 };

struct tg_listener_conf {
    struct tg_address address;
    int proxy_protocol;                   /* enum tg_proxy_protocol */
    struct tg_conf_list trusted_proxies;  /* of struct tg_network */
    struct tg_connection_limits limits;
};

struct tg_listen_conf {
    struct tg_conf_list https;            /* of struct tg_listener_conf; initial ":443" */
    struct tg_conf_list http;             /* of struct tg_listener_conf; redirects only; none by default */
    struct tg_address backchannel;        /* loopback; Gitea reaches the provider here; initial 127.0.0.1:9443 */
    struct tg_address admin;              /* unix socket by default: RUN/admin.sock when not set */
};

struct tg_tls_conf {
    const char *directory;                /* NULL: none */
    struct tg_conf_list internal_ca;      /* of const char *: localhost names that get certificates of our own CA */
};

struct tg_limits_conf {
    int64_t threads;                      /* loops; 0: one a processor */
    int64_t drain_s;                      /* how long an old generation may finish; 300 */
    int64_t max_connections;              /* per process; more are closed at accept; 10000 */
    int64_t upload_memory;                /* bytes of request bodies that clients may have under way, in all; 16m */
    int64_t idle_memory;                  /* bytes of connections beside that, of all loops; 0: no limit; 40 MiB */
    int64_t max_held;                     /* bytes of requests and answers that clients do not take, of all loops; 0: no limit; 24 MiB */
    struct tg_connection_limits each;
};

struct tg_http_conf {
    struct tg_listen_conf listen;
    struct tg_tls_conf tls;
    struct tg_limits_conf limits;
};

extern const struct tg_key tg_listen_keys[];
extern const struct tg_key tg_tls_keys[];
extern const struct tg_key tg_limits_keys[];

/* After reading: what listeners do not set is taken from `limits`; what does not go together is reported. */
void tg_http_conf_settle(struct tg_conf_file *file, struct tg_http_conf *conf);

/* The entry of `list` that an open listening socket belongs to, by the socket's own address; NULL: none. */
const struct tg_listener_conf *tg_listener_conf_of(const struct tg_conf_list *list, int fd);

#endif
