#include "http/client_hello.h"

enum {
    RECORD_HANDSHAKE = 22,
    RECORD_HEAD = 5,
    RECORD_LIMIT = 16384, /* RFC 8446 5.1 */
    CLIENT_HELLO = 1,
    HANDSHAKE_HEAD = 4,
    EXTENSION_SERVER_NAME = 0,
    NAME_TYPE_HOST = 0,
};

/* A view that is eaten from its front. */
struct view {
    const uint8_t *at;
    size_t left;
};

static bool skip(struct view *view, size_t n)
{
    if (view->left < n)
        return false;
    view->at += n;
    view->left -= n;
    return true;
}

static bool number(struct view *view, size_t bytes, size_t *out)
{
    if (view->left < bytes)
        return false;
    *out = 0;
    for (size_t i = 0; i < bytes; i++)
        *out = *out << 8 | view->at[i];
    return skip(view, bytes);
}

/* A vector whose length stands before it in length_bytes bytes. */
static bool vector(struct view *view, size_t length_bytes, struct view *out)
{
    size_t len;

    if (!number(view, length_bytes, &len) || view->left < len)
        return false;
    *out = (struct view){view->at, len};
    return skip(view, len);
}

/* Gathers the first handshake message, which may be spread over records, into message. */
static int join_records(struct tg_text bytes, uint8_t *message, size_t *len)
{
    struct view in = {(const uint8_t *)bytes.base, bytes.len};
    size_t wanted = HANDSHAKE_HEAD;

    *len = 0;
    while (*len < wanted) {
        size_t type, version, size;

        if (in.left > 0 && in.at[0] != RECORD_HANDSHAKE)
            return *len == 0 ? TG_HELLO_NOT_TLS : TG_HELLO_MALFORMED;
        if (in.left < RECORD_HEAD)
            return TG_HELLO_INCOMPLETE;
        number(&in, 1, &type);
        number(&in, 2, &version);
        number(&in, 2, &size);
        if (version >> 8 != 3 || size == 0 || size > RECORD_LIMIT || *len + size > TG_HELLO_LIMIT)
            return TG_HELLO_MALFORMED;
        size_t there = in.left < size ? in.left : size;
        memcpy(message + *len, in.at, there);
        *len += there;
        skip(&in, there);
        if (*len >= 1 && message[0] != CLIENT_HELLO)
            return TG_HELLO_MALFORMED;
        if (*len >= HANDSHAKE_HEAD)
            wanted = HANDSHAKE_HEAD + ((size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3]);
        if (wanted > TG_HELLO_LIMIT)
            return TG_HELLO_MALFORMED;
        if (there < size)
            return *len < wanted ? TG_HELLO_INCOMPLETE : 0;
    }
    return 0;
}

/* A host name, not an address (RFC 6066 3). */
static bool copy_name(struct view name, char out[TG_HELLO_NAME])
{
    if (name.left > 0 && name.at[name.left - 1] == '.')
        name.left--;
    if (name.left == 0 || name.left >= TG_HELLO_NAME)
        return false;
    for (size_t i = 0; i < name.left; i++) {
        uint8_t c = name.at[i];

        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'))
            return false;
        out[i] = (char)c;
    }
    out[name.left] = '\0';
    return true;
}

static bool read_server_name(struct view extension, struct tg_client_hello *out)
{
    struct view list, name;
    size_t type;

    if (!vector(&extension, 2, &list) || extension.left > 0)
        return false;
    while (list.left > 0) {
        if (!number(&list, 1, &type) || !vector(&list, 2, &name))
            return false;
        if (type != NAME_TYPE_HOST)
            continue;
        if (out->name[0] != '\0' || !copy_name(name, out->name)) /* only one of a type */
            return false;
    }
    return true;
}

static bool read_hello(struct view hello, struct tg_client_hello *out)
{
    struct view ignored, extensions, extension;
    size_t type;

    if (!skip(&hello, 2 + 32)) /* legacy_version, random */
        return false;
    if (!vector(&hello, 1, &ignored) || !vector(&hello, 2, &ignored) || !vector(&hello, 1, &ignored)) /* session, ciphers, compression */
        return false;
    if (hello.left == 0) /* no extensions at all: TLS 1.2 allows it */
        return true;
    if (!vector(&hello, 2, &extensions) || hello.left > 0)
        return false;
    while (extensions.left > 0) {
        if (!number(&extensions, 2, &type) || !vector(&extensions, 2, &extension))
            return false;
        if (type == EXTENSION_SERVER_NAME && !read_server_name(extension, out))
            return false;
    }
    return true;
}

int tg_client_hello_read(struct tg_text bytes, struct tg_client_hello *out)
{
    uint8_t message[TG_HELLO_LIMIT];
    size_t len;

    out->name[0] = '\0';
    int result = join_records(bytes, message, &len);
    if (result == TG_HELLO_INCOMPLETE && bytes.len >= TG_HELLO_LIMIT)
        return TG_HELLO_MALFORMED;
    if (result != 0)
        return result;

    size_t size = (size_t)message[1] << 16 | (size_t)message[2] << 8 | message[3];
    if (!read_hello((struct view){message + HANDSHAKE_HEAD, size}, out)) {
        out->name[0] = '\0';
        return TG_HELLO_MALFORMED;
    }
    return 0;
}
