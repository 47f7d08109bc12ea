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
/* "*", or "/" and no byte that is a space, a control or DEL; the other forms of a target are refused */
int h2o_strict_is_path(const char *s, size_t len);
/* host[:port] without userinfo; a name of letters, digits and -._~, an IPv4 address or an IPv6 address in brackets */
int h2o_strict_is_authority(const char *s, size_t len);

#endif
