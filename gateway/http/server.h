/*
 * server.h - the HTTP server: libh2o, TLS, loops, listeners, limits
 *
 * Made at start-up by one thread, then runs the steps for each request on its loops. Listening sockets are given (the supervisor holds
 * them); this process only accepts. What each loop owns besides (connection pools, tables) is made by the features' loop hooks.
 */
#ifndef TG_HTTP_SERVER_H
#define TG_HTTP_SERVER_H

#include "http/http_conf.h"
#include "http/metrics.h"
#include "http/tls.h"
#include "http/visit.h"
#include "io/logfile.h"
#include "io/loop.h"

struct tg_server;
struct tg_server_loop;

enum tg_listener_kind { TG_LISTEN_HTTPS, TG_LISTEN_HTTP, TG_LISTEN_BACKCHANNEL, TG_LISTEN_ADMIN };

struct tg_listener {
    enum tg_listener_kind kind;
    int fd;
    const struct tg_listener_conf *conf; /* NULL: without proxies before it, limits as in `limits` */
};

/* A feature's part of each loop. */
struct tg_loop_part {
    const char *name;
    void *(*make)(struct tg_server_loop *loop, const void *context); /* on the main thread before loops start; no h2o sockets here */
    void (*drop)(void *part);                                        /* on the loop, after its last request */
    const void *context;
};
enum { TG_LOOP_PARTS = 8 };

struct tg_server_loop {
    struct tg_server *server;
    struct tg_loop *loop;
    h2o_context_t context;
    struct tg_ring *access_log;          /* NULL: none */
    struct tg_metrics *metrics;          /* this loop's counters: http/metrics.h */
    void *parts[TG_LOOP_PARTS];          /* by the order in tg_server_options.parts */
    struct tg_loop_own *own;             /* the server's */
};

/* Everything it points to must outlive the server. */
struct tg_server_options {
    const struct tg_http_conf *conf;
    const struct tg_listener *listeners; /* the descriptors become the server's: it closes them */
    size_t listener_count;
    const struct tg_step *steps;         /* for HTTPS listeners; ends with a NULL name */
    const struct tg_step *backchannel_steps;
    const struct tg_step *admin_steps;   /* http/admin.h has some */
    const struct tg_host *(*find_host)(struct tg_text name, void *context); /* for redirects of plain HTTP, by name (lower case, without
                                                                               port: the one in Host is not HTTPS's); NULL: unknown, 421 */
    void *context;
    const struct tg_loop_part *parts;    /* ends with a NULL name; may be NULL */
    struct tg_tls *tls;                  /* may be NULL without HTTPS listeners */
    struct tg_logfile *access_log;       /* may be NULL */
    const struct tg_metric_names *names; /* of doors and verdicts, for log and metrics; may be NULL */
    const struct tg_admin *admin;        /* what the admin steps say besides: http/admin.h; may be NULL */
};

int tg_server_new(const struct tg_server_options *options, struct tg_server **server);
int tg_server_start(struct tg_server *server);                 /* loops run; connections are accepted */
/* Stops accepting, finishes what is under way, closes idle connections; returns when all is done or after drain_s, when what is left is
   cut off. Not on a loop. */
void tg_server_drain(struct tg_server *server, int64_t drain_s);
/* Cuts off what is left, stops the loops. Listeners' descriptors are closed. */
void tg_server_free(struct tg_server *server);

const struct tg_server_options *tg_server_options(const struct tg_server *server);
size_t tg_server_loops(struct tg_server *server);
struct tg_server_loop *tg_server_loop_at(struct tg_server *server, size_t index);
size_t tg_server_connections(struct tg_server *server);        /* open now; any thread */
bool tg_server_is_draining(struct tg_server *server);          /* any thread */
/* All loops run a copy of the message made by `make` (called on the caller's thread once a loop). */
void tg_server_broadcast(struct tg_server *server, struct tg_message *(*make)(void *context, struct tg_server_loop *loop), void *context);

#endif
