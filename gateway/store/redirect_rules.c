/*
 * redirect_rules.c - which addresses a client may register, and which of those it is sent back to
 */
#include "store/client.h"

static const char *const loopbacks[] = {"http://127.0.0.1", "http://[::1]", NULL};

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(".-:[]", c) != NULL);
}

static struct tg_text authority_of(struct tg_text uri)
{
    const char *at = memmem(uri.base, uri.len, "://", 3);

    if (at == NULL)
        return tg_text_n(uri.base, 0);
    struct tg_text rest = tg_text_n(at + 3, uri.len - (size_t)(at + 3 - uri.base));
    size_t len = 0;
    while (len < rest.len && rest.base[len] != '/' && rest.base[len] != '?')
        len++;
    return tg_text_n(rest.base, len);
}

/* What is behind the host: "" or from its port, path or query on; base NULL when the host is another one. */
static struct tg_text behind(struct tg_text uri, const char *host)
{
    size_t len = strlen(host);

    if (!tg_text_starts(uri, host) || (uri.len > len && strchr(":/?", uri.base[len]) == NULL))
        return (struct tg_text){NULL, 0};
    return tg_text_n(uri.base + len, uri.len - len);
}

const char *tg_redirect_unfit(struct tg_text uri)
{
    bool is_http = tg_text_starts(uri, "http://");
    struct tg_text authority = authority_of(uri);

    if (uri.len >= TG_REDIRECT_URI)
        return "an address may have 512 bytes at the most";
    for (size_t i = 0; i < uri.len; i++) {
        if (uri.base[i] <= ' ' || uri.base[i] > '~' || strchr("\"<>\\^`{|}", uri.base[i]) != NULL)
            return "an address holds no spaces, quotes, brackets or letters beyond ASCII; write them as %XX";
    }
    if (memchr(uri.base, '#', uri.len) != NULL)
        return "an address has no fragment (#...): browsers would not send it";
    if (!is_http && !tg_text_starts(uri, "https://"))
        return "an address begins with https://";
    for (size_t i = 0; i < authority.len; i++) {
        if (!is_host_char(authority.base[i]))
            return "an address names a host and perhaps a port, nothing else before its path";
    }
    if (authority.len == 0)
        return "an address names a host";
    if (is_http && behind(uri, loopbacks[0]).base == NULL && behind(uri, loopbacks[1]).base == NULL &&
        behind(uri, "http://localhost").base == NULL)
        return "http:// is for programs on the user's own machine: 127.0.0.1, [::1] or localhost; use https://";
    return NULL;
}

bool tg_uri_listed(const char *list, struct tg_text uri)
{
    struct tg_text rest = tg_text(list);

    while (uri.len > 0 && rest.base != NULL) {
        if (tg_text_same(tg_text_cut(&rest, ' '), uri))
            return true;
    }
    return false;
}

/* Cuts ":PORT" off the front; false when what stands there is none. */
static bool skip_port(struct tg_text *rest)
{
    size_t len = 1;
    uint64_t port;

    if (rest->len == 0 || rest->base[0] != ':')
        return true;
    while (len < rest->len && rest->base[len] >= '0' && rest->base[len] <= '9')
        len++;
    if (!tg_text_number(tg_text_n(rest->base + 1, len - 1), &port) || port == 0 || port > 65535)
        return false;
    *rest = tg_text_n(rest->base + len, rest->len - len);
    return true;
}

static bool same_but_port(struct tg_text registered, struct tg_text uri)
{
    for (const char *const *host = loopbacks; *host != NULL; host++) {
        struct tg_text ours = behind(registered, *host), theirs = behind(uri, *host);

        if (ours.base != NULL && theirs.base != NULL)
            return skip_port(&ours) && skip_port(&theirs) && tg_text_same(ours, theirs);
    }
    return false;
}

bool tg_redirect_listed(const char *list, struct tg_text uri)
{
    struct tg_text rest = tg_text(list);

    if (uri.len == 0)
        return false;
    while (rest.base != NULL) {
        struct tg_text registered = tg_text_cut(&rest, ' ');

        if (tg_text_same(registered, uri) || same_but_port(registered, uri))
            return true;
    }
    return false;
}

struct tg_text tg_uri_origin(struct tg_text uri)
{
    struct tg_text authority = authority_of(uri);

    return tg_text_n(uri.base, (size_t)(authority.base + authority.len - uri.base));
}

const char *tg_uri_form_action(struct tg_arena *arena, struct tg_text uri)
{
    struct tg_text origin = tg_uri_origin(uri);

    return memchr(origin.base, '[', origin.len) != NULL ? "http:" : tg_arena_copy(arena, origin);
}
