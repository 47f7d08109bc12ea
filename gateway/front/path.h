/*
 * path.h - a request target, split and checked (architecture, "Paths")
 *
 * What is classified is what is sent upstream, byte for byte, so everything that two readers might understand differently is refused here.
 * Pure; any thread.
 */
#ifndef TG_FRONT_PATH_H
#define TG_FRONT_PATH_H

#include "http/visit.h"

/*
 * Splits at "/" without the empty segments; they point into target, undecoded. MALFORMED: no "/" at the start, a segment that decodes to
 * "." or ".." (also between encoded slashes), control bytes, spaces, backslashes or a bad percent-escape in the path, control bytes
 * in the query. Segments behind the first TG_PATH_SEGMENTS are checked, but not kept.
 */
enum { TG_PATH_MALFORMED = 1 };
int tg_path_split(struct tg_text target, struct tg_path *out);

/* The value of a query parameter by its decoded name, as it was sent. count: how often the name occurs. */
struct tg_text tg_query_value(struct tg_text query, const char *name, size_t *count);

#endif
