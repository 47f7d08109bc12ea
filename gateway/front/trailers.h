/*
 * trailers.h - the fields behind a body, in both directions: which of them go on
 *
 * Who reads them may put them beside those of the head (RFC 9110 6.5.2), so nothing may stand there that frames, routes, proves, controls
 * or describes a message (6.5.1), nor what this proxy says of a client itself. They are never put into a head here. Trailer, which
 * announces them, goes no further. Any thread.
 */
#ifndef TG_FRONT_TRAILERS_H
#define TG_FRONT_TRAILERS_H

#include "http/visit.h"

enum { TG_TRAILERS_HELD = 2 * H2O_MAX_TRAILER_BYTES }; /* what those of one body take up, about, at the most */

/* Whether one of this name (lower case, or not) may go on. */
bool tg_trailer_goes_on(struct tg_text name);

/* Removes the others, and those that Connection names in the head in front of the body. */
void tg_trailers_clear(h2o_headers_t *trailers, const h2o_headers_t *head);

#endif
