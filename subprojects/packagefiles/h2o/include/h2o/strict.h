/*
 * strict.h - what may stand in a request's method, target and authority
 *
 * The values become part of the request line and of the Host field of another request, so they must not be able to
 * end either. Both protocols ask here, so that they agree.
 */
#ifndef h2o__strict_h
#define h2o__strict_h

#include <stddef.h>

/* token (RFC 9110 5.6.2) */
int h2o_strict_is_token(const char *s, size_t len);
/* "*", or "/" and no byte that is a space, a control or DEL; no other form of a target */
int h2o_strict_is_path(const char *s, size_t len);
/* host[:port] without userinfo; a name of letters, digits and -._~, an IPv4 address or an IPv6 address in brackets */
int h2o_strict_is_authority(const char *s, size_t len);
/* the whole address of a resource (RFC 9112 3.2.2), "http://" or "https://" and such an authority: how long they are together, and
 * where the authority begins; what follows may be a path, a query alone, or nothing. 0: it is none */
size_t h2o_strict_split_absolute(const char *s, size_t len, size_t *authority_at);

#endif
