/*
 * upstream.h - the proxy: connections to a Gitea, and one exchange for each request that goes there
 *
 * Written on libh2o's sockets. A wire is one connection; between exchanges it stays registered and reading, so that a Gitea that closes is
 * seen at once and no system call is spent on taking or returning it. An exchange has three sides that run by themselves: the client's
 * turn, writing upstream, reading upstream; the deadline follows from whose turn it is. Bodies stream both ways and wait for each other.
 *
 *   upstream.c        the step; deadlines; how an exchange ends
 *   upstream_pool.c   wires: connect, keep, limit
 *   upstream_retry.c  stale wires
 *   upstream_send.c   the request to Gitea
 *   upstream_head.c   the answer's head
 *   upstream_body.c   the answer's body to the client
 */
#ifndef TG_FRONT_UPSTREAM_H
#define TG_FRONT_UPSTREAM_H

#include <picohttpparser.h>
#include <sys/socket.h>
#include "front/response_head.h"
#include "gitea/gitea_conf.h"
#include "http/error_page.h"
#include "http/visit.h"

enum {
    TG_UPSTREAM_TICK_MS = 250,
    TG_UPSTREAM_WAITING = 64 * 1024,     /* decoded bytes of an answer that wait for the client before reading stops */
    TG_UPSTREAM_IDLE_MS = 30 * 1000,     /* how long an unused wire is kept */
    TG_UPSTREAM_QUEUE = 1024,            /* exchanges that wait for a wire */
    TG_UPSTREAM_STALL_MS = 1000,         /* how long a client may keep a wire without moving while others wait for one */
};

struct tg_exchange;
struct tg_front_loop;
struct tg_sign_in;

struct tg_wire {
    h2o_socket_t *sock;
    struct tg_upstream *upstream;
    struct tg_exchange *exchange;        /* NULL: idle */
    struct tg_wire *next, **slot;        /* among the idle ones */
    uint64_t idle_ms;                    /* since when */
    bool connected, uncounted;
    size_t *tally;                       /* wires of the exchange's connection */
};

/* One Gitea, as one loop reaches it. */
struct tg_upstream {
    const struct tg_gitea_conf *conf;
    struct tg_front_loop *part;
    struct sockaddr_storage address;
    socklen_t address_len;
    struct tg_wire *idle;                /* the last used first: few and warm ones */
    size_t open, busy;                   /* wires that count against the limit, and those of them that are in use */
    struct tg_exchange *waiting, **waiting_end;
    size_t waiting_count;
    h2o_timeout_entry_t serve;           /* hands out freed wires in the loop's next turn */
};

struct tg_exchange {
    h2o_generator_t super;               /* first */
    struct tg_visit *visit;
    struct tg_upstream *upstream;
    struct tg_wire *wire;
    struct tg_exchange *next, **slot;    /* among the loop's */
    struct tg_exchange *waiting_next;    /* for a wire */
    uint64_t began_ms, deadline_ms;      /* by the loop's clock; deadline 0: it is the client's turn, whom the server times */
    int64_t began_wall_ms;

    h2o_iovec_t head;                    /* the request's */
    h2o_buffer_t *writing;               /* body bytes in flight */
    char chunk_size[20];

    h2o_buffer_t *head_buffer;           /* what the answer's head was received in: header values point into it */
    h2o_buffer_t *flying;                /* what the client is being sent */
    size_t head_rest;                    /* offset of body bytes in head_buffer; SIZE_MAX: none */
    size_t decoded;                      /* decoded bytes at the start of the wire's input */
    size_t seen;                         /* of the head, by the parser */
    size_t interim;                      /* bytes of interim answers so far */
    uint64_t left;                       /* TG_LEFT_CHUNKED, TG_LEFT_UNTIL_CLOSE or bytes */
    struct phr_chunked_decoder chunks;
    h2o_headers_t *trailers;             /* of the answer; NULL: none */
    struct tg_sign_in *sign_in;          /* a parked head's worker call */
    h2o_iovec_t set_cookie;              /* ours, for the answer; base NULL: none */
    unsigned checked;                    /* the tick that looked at it last */

    bool waiting : 1;                    /* in the queue for a wire */
    bool was_reused : 1, retried : 1;
    bool chunked : 1;                    /* the request's body is sent in chunks */
    bool in_flight : 1;                  /* a write upstream is under way */
    bool head_sent : 1, body_open : 1;
    bool request_done : 1;               /* all of it was handed to the socket */
    bool write_dead : 1;                 /* upstream takes no more; an answer may still come */
    bool head_done : 1, parked : 1, started : 1;
    bool flushed : 1;                    /* the client was sent the head */
    bool answer_done : 1, failed : 1;
    bool sending : 1;                    /* the client has to take something first */
    bool paused : 1;                     /* reading upstream is stopped */
    bool finished : 1;                   /* the final send was done: nothing of the request may be touched */

    struct tg_response_head answer;      /* last: not zeroed */
};

#define TG_LEFT_UNTIL_CLOSE UINT64_MAX
#define TG_LEFT_CHUNKED (UINT64_MAX - 1)

/* upstream_pool.c */
int tg_upstream_init(struct tg_upstream *upstream, const struct tg_gitea_conf *conf, struct tg_front_loop *part);
void tg_upstream_done(struct tg_upstream *upstream);
int tg_upstream_address(const struct tg_address *address, struct sockaddr_storage *out, socklen_t *len);
/* Gives the exchange a wire: at once (tg_exchange_connected is called before it returns), when connected, or when one is free. fresh: never
   one that was used. */
enum { TG_WIRE_FULL = 1, TG_WIRE_UNREACHABLE = 2 };
int tg_wire_take(struct tg_exchange *exchange, bool fresh);
/* Takes the wire from its exchange; keep: its next use may follow. */
void tg_wire_leave(struct tg_exchange *exchange, bool keep);
void tg_wire_read(struct tg_wire *wire); /* starts reading again */
void tg_wire_stop_waiting(struct tg_exchange *exchange);
void tg_upstream_sweep(struct tg_upstream *upstream, uint64_t now_ms);

/* upstream.c */
static inline h2o_req_t *tg_exchange_req(const struct tg_exchange *exchange)
{
    return exchange->visit->req;
}
void tg_exchange_connected(struct tg_exchange *exchange, const char *error);
void tg_exchange_arm(struct tg_exchange *exchange);
/* Ends it: an error in the client's language, or a cut answer when it has begun. */
void tg_exchange_fail(struct tg_exchange *exchange, enum tg_error_kind kind, const char *why);
/* The client has gone, and the server has ended the request. */
void tg_exchange_abandon(struct tg_exchange *exchange);
/* The parked head may go on. */
void tg_exchange_unpark(struct tg_exchange *exchange);
/* An account has changed: its open streams of events end, and the page that opens them anew is judged anew. "": any account. */
void tg_exchanges_news(struct tg_front_loop *part, const char *account);
/* The loop ends: those left behind hold nothing of it any more. */
void tg_exchanges_end(struct tg_front_loop *part);
void tg_exchange_tick(struct tg_front_loop *part, uint64_t now_ms);

/* upstream_retry.c: whether it goes once more on a fresh wire; then nothing else is to be done. */
bool tg_exchange_retry(struct tg_exchange *exchange);

/* upstream_send.c */
void tg_exchange_write_head(struct tg_exchange *exchange);
void tg_exchange_send(struct tg_exchange *exchange);

/* upstream_head.c: 1: complete; 0: not yet; -1: not HTTP. */
int tg_exchange_read_head(struct tg_exchange *exchange);
/* Passes the head on to the client; a parked one is passed on later. */
void tg_exchange_start(struct tg_exchange *exchange);

/* upstream_body.c */
void tg_exchange_readable(struct tg_exchange *exchange, const char *error);
int tg_exchange_decode(struct tg_exchange *exchange, char *bytes, size_t len, size_t *decoded);
int tg_exchange_on_trailer(struct phr_chunked_decoder *chunks, char c);
void tg_exchange_pump(struct tg_exchange *exchange);
void tg_exchange_tell_held(struct tg_exchange *exchange); /* to the server: what waits in memory */
void tg_exchange_on_proceed(h2o_generator_t *self, h2o_req_t *req);
void tg_exchange_on_stop(h2o_generator_t *self, h2o_req_t *req);

#endif
