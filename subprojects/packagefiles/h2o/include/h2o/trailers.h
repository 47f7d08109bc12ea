/*
 * trailers.h - the fields that stand behind a body in chunks (RFC 9112 7.1.2)
 *
 * They are kept apart from those of the head, where they might mean something else. Names are in lower case, values without white space
 * around them; what they are named is for whoever passes them on to look at.
 */
#ifndef h2o__trailers_h
#define h2o__trailers_h

#include "h2o.h"

/* takes the next byte of a trailer section as a phr_chunked_decoder tells it; *trailers is NULL before the first one, and all memory is
 * the pool's. -1: there are more than H2O_MAX_HEADERS */
int h2o_trailers_feed(h2o_headers_t **trailers, h2o_mem_pool_t *pool, char c);
/* them as they stand behind the last chunk, the empty line included */
h2o_iovec_t h2o_trailers_flatten(const h2o_headers_t *trailers, h2o_mem_pool_t *pool);

#endif
