/*
 * response_head.h - the head of Gitea's answer, parsed and cleared of what must not reach a browser
 *
 * Parsed in the receive buffer, names lower-cased in place; what it points at lives as long as that buffer. Any thread.
 */
#ifndef TG_FRONT_RESPONSE_HEAD_H
#define TG_FRONT_RESPONSE_HEAD_H

#include <picohttpparser.h>
#include "base/text.h"

enum { TG_RESPONSE_FIELDS = 100, TG_RESPONSE_HEAD_MAX = 64 * 1024 };

struct tg_response_head {
    int status;
    const char *reason;              /* terminated */
    size_t size;                     /* of the head, in bytes */
    uint64_t length;                 /* Content-Length; UINT64_MAX: none */
    bool chunked;
    bool keep_alive;
    /* Gitea's own session cookie, taken out: how many Set-Cookie fields named it, the last one's value */
    size_t session_count;
    struct tg_text session;
    struct tg_text location;
    bool names_fields;               /* Connection names fields that end here, too */
    size_t count;                    /* fields that go on */
    struct phr_header fields[TG_RESPONSE_FIELDS];
    uint8_t kinds[TG_RESPONSE_FIELDS]; /* of each field, what its name means to us */
};

/*
 * Reads a final head from bytes[0..len); interim ones (1xx) are skipped: *skipped bytes stand before it. seen: how many bytes an
 * earlier call that answered MORE has looked at. MORE: not complete yet. BROKEN: not HTTP/1, contradictory framing, a switch of protocol,
 * or too large.
 */
enum { TG_RESPONSE_MORE = 1, TG_RESPONSE_BROKEN = 2 };
int tg_response_head_parse(char *bytes, size_t len, size_t seen, size_t *skipped, struct tg_response_head *out);

/* Removes hop-by-hop fields and every Set-Cookie of Gitea's session and remember cookies. */
void tg_response_head_clear(struct tg_response_head *head, const char *session_cookie, const char *remember_cookie);

#endif
