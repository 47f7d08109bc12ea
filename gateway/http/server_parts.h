/*
 * server_parts.h - what the files of server.c share; nobody else includes it
 */
#ifndef TG_HTTP_SERVER_PARTS_H
#define TG_HTTP_SERVER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/spares.h"
#include "http/server.h"

enum { TG_ADDRESS_TEXT = 48 };
enum {
    TG_IDLE_CLOSE_MS = 2000, /* how long an idle connection may still bring a request when none is wanted any more */
    TG_WATCH_MS = 500,       /* how often connections are looked at */
};

enum tg_protocol { TG_PROTOCOL_HANDSHAKE, TG_PROTOCOL_HTTP1, TG_PROTOCOL_HTTP2 };

/* What a connection's requests wait for. */
struct tg_client_turns {
    unsigned uploads, shut_streams;   /* bodies, and answers whose window is shut: how many */
    bool is_shut;                     /* the window of the connection is, and an answer waits */
};

/* A client's connection, from accept to close. Belongs to its socket: freed by its on_close. */
struct tg_connection {
    struct tg_server_loop *loop;
    h2o_socket_t *sock;
    h2o_linklist_t all;               /* among the loop's connections */
    const struct tg_listener *listener;
    const struct tg_connection_limits *limits;
    enum tg_protocol protocol;
    struct timeval connected_at;
    uint64_t since_ms;                /* when it came */
    h2o_timeout_entry_t handshake;    /* the deadline of everything before HTTP */
    size_t visits;                    /* under way */
    uint64_t idle_since_ms;           /* when the last one ended */
    uint64_t leaving_since_ms;        /* no further requests are wanted: since when; 0: they are */
    uint64_t head_since_ms;           /* since when a head has been incomplete; 0: none is */
    uint64_t requests, requests_before; /* so far; when that head was begun */
    struct tg_client_turns now, before;      /* as far as it has been looked at; at the last look */
    struct tg_pace sending, opening;  /* of the client: what the socket holds, the window of the connection */
    struct sockaddr_storage peer;     /* the client; with the PROXY protocol, what its header says */
    bool is_counted;                  /* by its address */
    bool is_forwarded;                /* the peer is a trusted proxy: X-Forwarded-For says who the client is */
    bool is_cut;                      /* as an attack, which was told: its end is near, nothing more is held against it */
    size_t held, head_bytes;          /* that its visits hold */
    size_t weight;                    /* bytes that it takes beside its visits, as of the last look */
    size_t moved;                     /* bytes that had come and gone */
    uint64_t moved_ms;                /* at this time; not much has come or gone since */
    size_t bytes_read;                /* while draining; */
    int unsent;                       /* by the kernel, then; */
    uint64_t heard_ms;                /* when there were more of those, or less of these */
    size_t tally;                     /* see tg_visit_tally */
    char address[TG_ADDRESS_TEXT];
    char alert[7];                    /* a TLS record on its way out */
};

/* One listening socket on one loop. */
struct tg_ear {
    struct tg_server_loop *loop;
    h2o_socket_t *sock;               /* NULL: closed */
    const struct tg_listener *listener;
};

/* The server's part of a loop. */
struct tg_loop_own {
    struct tg_server_loop *loop;
    struct tg_ear *ears;
    size_t ear_count;
    bool ears_pause;                  /* no descriptors left: accepting goes on at the next tick */
    _Atomic size_t load;              /* connections, with those on their way here */
    h2o_linklist_t connections;
    h2o_linklist_t watched;           /* visits of HTTP/1 under way */
    h2o_linklist_t streams;           /* the same of HTTP/2 */
    uint64_t paced_ms;                /* when connections were looked at last */
    h2o_timeout_entry_t tick;
    unsigned ticks;
    size_t held, held_limit;          /* bytes that visits hold, and may */
    bool is_tight;                    /* nearly as much as they may */
    size_t weight, weight_limit;      /* bytes that connections take beside that, and may */
    uint64_t thinned_ms;              /* when room was made last */
    uint64_t relieved_ms;
    h2o_timeout_entry_t relief;
    uint64_t draining_since_ms;       /* 0: no */
    struct tg_spares visits;
    uint32_t ids;                     /* counted up for request ids */
    char id_prefix[8];                /* of this loop in this process */
    int64_t line_time_s;              /* of the access log: what line_time says */
    char line_time[TG_TIME_ISO];
    struct tg_message to_start, to_drain, to_cut, to_end;
};

struct tg_server {
    struct tg_server_options options;
    h2o_globalconf_t h2o;
    struct tg_server_loop *loops;
    size_t loop_count, wanted_loops;
    bool is_started;
    _Atomic bool is_draining;
    _Atomic size_t loops_draining;
    _Atomic size_t connections;       /* of all loops */
    struct tg_guard *guard;
    pthread_t watch;                  /* of the certificates */
    bool watch_runs, watch_stops;
    pthread_mutex_t watch_lock;
    pthread_cond_t watch_wake;
};

/* server_accept.c; on the loop */
void tg_server_listen(struct tg_server_loop *loop);               /* starts accepting */
void tg_server_stop_listening(struct tg_server_loop *loop);       /* what has reached us is accepted still */
void tg_server_resume_listening(struct tg_server_loop *loop);     /* after a pause for want of descriptors */
void tg_connection_speak(struct tg_connection *connection, enum tg_protocol protocol); /* hands the socket to HTTP */
void tg_connection_begin(struct tg_connection *connection);       /* TLS, or plain HTTP */
const struct tg_connection_limits *tg_limits_of(const struct tg_server *server, const struct tg_listener *listener);
static inline struct tg_connection *tg_connection_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

/* server_guard.c; any thread */
struct tg_guard *tg_guard_new(void);
void tg_guard_free(struct tg_guard *guard);
bool tg_guard_enter(struct tg_guard *guard, const struct sockaddr_storage *address, int64_t limit); /* false: it has too many connections */
void tg_guard_leave(struct tg_guard *guard, const struct sockaddr_storage *address);
/* On the loop: counts, and writes one line for each address and minute. */
void tg_guard_report(struct tg_server_loop *loop, const struct sockaddr_storage *address, enum tg_attack attack);
void tg_guard_report_visit(const struct tg_visit *visit, enum tg_attack attack); /* of its client */
void tg_guard_on_http2_error(h2o_conn_t *conn, int errnum, const char *why);
void tg_address_text(const struct sockaddr_storage *address, char out[TG_ADDRESS_TEXT]); /* server_accept.c */

/* server_proxy.c; on the loop */
bool tg_listener_trusts(const struct tg_listener *listener, const struct sockaddr_storage *peer);
void tg_connection_start_proxied(struct tg_connection *connection); /* reads the header of the PROXY protocol, then begins */
void tg_visit_find_client(struct tg_visit *visit);                  /* by X-Forwarded-For, where the peer is trusted */

/* server_tls.c; on the loop */
void tg_connection_start_tls(struct tg_connection *connection);
void tg_connection_start_handshake(struct tg_connection *connection); /* its clock; once */
void tg_connection_end_handshake(struct tg_connection *connection);
void tg_connection_time_out(struct tg_connection *connection);      /* no handshake in time: closes */

/* server_hoard.c; on the loop */
void tg_connection_note_progress(struct tg_connection *connection, uint64_t now_ms);
void tg_connection_cut(struct tg_connection *connection, enum tg_attack attack);
void tg_visit_hold_nothing(struct tg_visit *visit);               /* at its end */
void tg_server_set_reading(struct tg_server_loop *loop);          /* how much at a time; once, at the start */

/* server_crowd.c; on the loop */
void tg_connection_weigh(struct tg_connection *connection);       /* whenever what it takes has changed */
void tg_connection_weigh_handshake(struct tg_connection *connection); /* that is to begin */
void tg_connection_weigh_nothing(struct tg_connection *connection);
void tg_server_thin_out(struct tg_server_loop *loop);             /* when there are too many connections, or they take too much */
void tg_server_make_room(struct tg_server_loop *loop);            /* the same, before another one is let in */

/* server_pace.c; on the loop */
void tg_server_pace(struct tg_server_loop *loop);                 /* every TG_WATCH_MS */
bool tg_connection_was_slow(const struct tg_connection *connection); /* at its end: did its head not come in time? */

/* Of HTTP/1: whether the request that has just come shall be its last. */
static inline bool tg_connection_is_last(const struct tg_connection *connection)
{
    return connection->leaving_since_ms != 0 || connection->requests == (uint64_t)connection->limits->max_requests;
}

/* server_watch.c; on the loop */
void tg_server_arm_tick(struct tg_server_loop *loop);
void tg_server_cut(struct tg_server_loop *loop);                  /* ends every connection */
void tg_server_start_drain(struct tg_server_loop *loop);

/* visit.c */
uint64_t tg_monotonic_us(void);
void tg_visit_add_handler(h2o_pathconf_t *path);

/* access_log.c; on the loop, when the request is disposed of */
void tg_visit_log(struct tg_visit *visit, uint64_t duration_us);

/* redirect.c: the steps of plain HTTP listeners */
extern const struct tg_step tg_plain_steps[];

#endif
