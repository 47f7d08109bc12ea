/*
 * visit.h - one request on its way through the steps
 *
 * A visit lives in its request's pool and on its loop's thread. The list of steps is written down in one place (site.c) and run by the
 * server. Each step fills its own part, reads those before it, and answers, passes on, or waits. Nothing calls back.
 */
#ifndef TG_HTTP_VISIT_H
#define TG_HTTP_VISIT_H

#include <h2o.h>
#include "base/text.h"

struct tg_server_loop;
struct tg_connection;
struct tg_host;
struct tg_facts;

enum tg_step_answer {
    TG_STEP_NEXT, /* go on with the next step */
    TG_STEP_DONE, /* this step has answered, or will (a handler): no further step runs */
    TG_STEP_WAIT, /* tg_visit_resume will be called, on this loop and after this answer, once this step's part is filled */
};

struct tg_visit;

struct tg_step {
    const char *name; /* in the log when it fails */
    enum tg_step_answer (*run)(struct tg_visit *visit);
};

/* What a host name stands for. Several names may share one host. */
enum tg_host_kind { TG_HOST_GITEA, TG_HOST_AUTH, TG_HOST_BACKCHANNEL, TG_HOST_ADMIN };

struct tg_host {
    enum tg_host_kind kind;
    const char *authority;  /* as configured, lower case, with a port only if it is not the scheme's: what is sent upstream as Host */
    const char *origin;     /* "https://" authority */
    const void *feature;    /* the feature's own data of this host (front: struct tg_front_host) */
};

/* guard: the path, split. Segments point into the raw path and are undecoded; empty ones do not count. */
enum { TG_PATH_SEGMENTS = 64 };
struct tg_path {
    struct tg_text raw;     /* without query; exactly what is sent upstream */
    struct tg_text query;   /* behind "?"; base NULL when there is none */
    size_t count;
    struct tg_text segments[TG_PATH_SEGMENTS]; /* those behind count hold anything */
};

/* identify: whose request is it? */
enum tg_identity_kind {
    TG_IDENTITY_ANONYMOUS,
    TG_IDENTITY_ACCOUNT,
    TG_IDENTITY_INVALID,      /* a credential that Gitea refuses */
    TG_IDENTITY_PROHIBITED,   /* valid, but Gitea's flag is set; may be nameless */
    TG_IDENTITY_UNMANAGED,    /* valid, of a user that is not one of our accounts */
    TG_IDENTITY_UNAVAILABLE,  /* cannot be told now: 503 in the door's dialect */
};

struct tg_identity {
    enum tg_identity_kind kind;
    bool is_listed;                  /* unmanaged, but let through by its name */
    bool is_unproved;                /* the account is only named, and whoever asks is told nothing about it */
    const struct tg_facts *facts;    /* of the account; a copy in the request's pool */
    const char *login;               /* of the account, for the log; NULL: nobody is known */
    struct tg_text gitea_session;    /* Gitea's session id out of our cookie; base NULL: none goes upstream */
};

/* policy: what was decided; names for log and metrics. */
struct tg_verdict {
    const char *name;       /* "allow", "notice", "refuse-expired", "closed", ... ; NULL: not judged */
};

/* How a client does whom a request waits for: http/server_pace.c. */
struct tg_pace {
    uint64_t bytes;                     /* at the last look */
    uint64_t left_ms;                   /* before it is too slow */
    bool is_running;                    /* it was waited for then */
};

struct tg_visit {
    h2o_req_t *req;
    struct tg_server_loop *loop;
    const struct tg_step *step;         /* the one that runs or waits */
    char id[21];                        /* request id: 20 characters, also X-Request-ID upstream */
    uint64_t started_us;                /* monotonic */
    char address[48];                   /* the client's, as text; "unix" for a unix socket */

    const struct tg_host *host;         /* route */
    int door;                           /* front: enum tg_door; -1 before */
    struct tg_identity identity;        /* identify */
    struct tg_verdict verdict;          /* policy */
    const char *refusal;                /* why something was refused: a short word for the log; NULL */
    const char *upstream_state;         /* "reused", "fresh", "retried", "timeout", "refused", ... for the log; NULL */
    uint64_t upstream_first_us;         /* from start to the upstream's head; 0: none */

    struct tg_connection *connection;   /* the server's; down to here */
    h2o_linklist_t watched;             /* HTTP/1: a client that leaves while nothing is read or written is noticed within a second */
    struct tg_pace upload, download;    /* its body; HTTP/2: the window of its stream */
    bool is_gone;                       /* the client left before its answer was complete */
    bool is_endless;                    /* front: the answer has no end, so a client that closes its side wants no more of it */
    uint64_t half_closed_ms;            /* HTTP/1: when it was seen that the client had closed its side, and asked whether it has left */
    size_t held, head_bytes;            /* by tg_visit_hold, tg_visit_tell_head */

    struct tg_path path;                /* guard; raw and query are there before it, unchecked */
};

/* Goes on with the step behind the one that waited. On the loop's thread, never inside the step itself. The visit may be gone
   afterwards. When no step answers, the server answers 404. */
void tg_visit_resume(struct tg_visit *visit);

/* Calls on_gone(data) on the loop when the request is disposed of, however that comes (also after a normal end): whoever waits for
   something on behalf of a visit forgets it there. Hooks run in the reverse order of their registration, before what was allocated in
   the request's pool earlier is gone. A client that leaves is noticed within a second, also while nobody reads or writes. */
void tg_visit_on_gone(struct tg_visit *visit, void (*on_gone)(void *data), void *data);

/* Tells how many bytes are held now on behalf of the visit, besides those of every visit: the answer that the client has not taken, what
   belongs to its request. When all of them hold too much, clients that hold much and move little are cut off. */
void tg_visit_hold(struct tg_visit *visit, size_t bytes);
/* How large the head is that goes upstream, once: a connection has room for those of a hundred ordinary requests, not for a hundred of
   the largest. */
void tg_visit_tell_head(struct tg_visit *visit, size_t bytes);
/* Nearly as much is held as may be: nobody should read more than it can pass on at once. */
bool tg_visit_is_tight(const struct tg_visit *visit);
/* For how long next to nothing has come from the client or was taken by it. */
uint64_t tg_visit_stalled_ms(struct tg_visit *visit);
/* The client uses up what others wait for: its connection is ended, in one of the loop's next turns. */
void tg_visit_cut_hoarder(struct tg_visit *visit);
/* A number of the visit's connection, for whoever counts what the connection uses. */
size_t *tg_visit_tally(struct tg_visit *visit);

/* Request headers by lower-case name, first one; base NULL when absent. count: how many fields there are. */
struct tg_text tg_visit_header(const struct tg_visit *visit, const char *name);
size_t tg_visit_header_count(const struct tg_visit *visit, const char *name);

static inline struct tg_text tg_text_of(h2o_iovec_t v)
{
    return (struct tg_text){v.base, v.len};
}

#endif
