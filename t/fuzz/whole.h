/*
 * whole.h - the whole front in one process, without threads and TLS: a client's bytes in, an upstream that judges what it is sent
 *
 * The upstream is stricter than any real one, and ends the process when what reaches it is not exactly one well-formed request of ours
 * after another. A connection that outlives its client ends the process, too, and so does a client who is waited for for ever.
 */
#ifndef FUZZ_WHOLE_H
#define FUZZ_WHOLE_H

#include "base/text.h"

struct whole_case {
    struct tg_text client;  /* what the client sends */
    bool is_http2;
    size_t piece;           /* bytes of it at a time; 0: all at once */
    bool shuts;             /* it closes its side then, and goes on reading */
    struct tg_text answer;  /* what the upstream says to the first request; base NULL: answers of its own */
    bool closes;            /* it ends the connection after that */
    bool passes;            /* time does, between pieces, and at the end until nobody may be waited for any more */
};

struct whole_seen {
    size_t requests;        /* that reached the upstream */
    struct tg_string client; /* what the client was told; the caller's to free */
};

/* Every answer that the upstream makes by itself has this body. */
#define WHOLE_BODY "whole"

void whole_run(const struct whole_case *input, struct whole_seen *seen);

#endif
