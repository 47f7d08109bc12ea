/*
 * redis.c - see redis.h
 *
 * hiredis writes and reads the protocol; the sockets are ours: its own give each system call a time, not the whole call, pass to
 * children, and die of SIGPIPE where nobody ignores it.
 */
#include "io/redis.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/clock.h"
#include "base/result.h"

enum { CHUNK = 16384, REPLY_MAX = 1 << 18, PORT = 6379 };

struct tg_redis {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address;
    socklen_t address_len;
    char *password; /* NULL: none */
    int64_t call_ms;
    struct tg_breaker breaker;
};

struct tg_redis_link {
    struct tg_redis *redis;
    int fd;              /* -1: not connected */
    redisReader *reader;
    redisReply *reply;   /* what the caller still looks at */
};

/* ---- the server */

static int set_address(struct tg_redis *redis, const struct tg_redis_options *options)
{
    uint16_t port = htons(options->port != 0 ? options->port : PORT);

    if (options->path != NULL) {
        if (strlen(options->path) >= sizeof(redis->address.un.sun_path))
            return tg_fail("%s is too long for the path of a socket", options->path);
        redis->address.un.sun_family = AF_UNIX;
        memcpy(redis->address.un.sun_path, options->path, strlen(options->path));
        redis->address_len = sizeof(redis->address.un);
    } else if (options->host != NULL && inet_pton(AF_INET, options->host, &redis->address.in.sin_addr) == 1) {
        redis->address.in.sin_family = AF_INET;
        redis->address.in.sin_port = port;
        redis->address_len = sizeof(redis->address.in);
    } else if (options->host != NULL && inet_pton(AF_INET6, options->host, &redis->address.in6.sin6_addr) == 1) {
        redis->address.in6.sin6_family = AF_INET6;
        redis->address.in6.sin6_port = port;
        redis->address_len = sizeof(redis->address.in6);
    } else {
        return tg_fail("\"%s\" is no address of a Redis", options->host != NULL ? options->host : "");
    }
    return 0;
}

int tg_redis_new(const struct tg_redis_options *options, struct tg_redis **out)
{
    struct tg_redis *redis = tg_alloc(sizeof(*redis));
    int result = set_address(redis, options);

    if (result < 0) {
        free(redis);
        return result;
    }
    redis->call_ms = TG_REDIS_CALL_MS;
    redis->password = options->password != NULL ? tg_strdup(options->password) : NULL;
    tg_breaker_init(&redis->breaker);
    *out = redis;
    return 0;
}

void tg_redis_free(struct tg_redis *redis)
{
    if (redis == NULL)
        return;
    if (redis->password != NULL)
        explicit_bzero(redis->password, strlen(redis->password));
    free(redis->password);
    tg_breaker_done(&redis->breaker);
    free(redis);
}

void tg_redis_stats(struct tg_redis *redis, struct tg_breaker_stats *out)
{
    tg_breaker_stats(&redis->breaker, out);
}

void tg_redis_set_patience(struct tg_redis *redis, int64_t call_ms)
{
    redis->call_ms = call_ms;
}

/* ---- a connection */

struct tg_redis_link *tg_redis_link_new(struct tg_redis *redis)
{
    struct tg_redis_link *link = tg_alloc(sizeof(*link));

    link->redis = redis;
    link->fd = -1;
    return link;
}

static void forget_reply(struct tg_redis_link *link)
{
    if (link->reply != NULL)
        freeReplyObject(link->reply);
    link->reply = NULL;
}

static void hang_up(struct tg_redis_link *link)
{
    forget_reply(link);
    if (link->fd >= 0)
        close(link->fd);
    if (link->reader != NULL)
        redisReaderFree(link->reader);
    link->fd = -1;
    link->reader = NULL;
}

void tg_redis_link_free(struct tg_redis_link *link)
{
    if (link == NULL)
        return;
    hang_up(link);
    free(link);
}

int tg_redis_descriptor(const struct tg_redis_link *link)
{
    return link->fd;
}

static int wait_for(struct tg_redis_link *link, short events, int64_t deadline_ms)
{
    struct pollfd fd = {.fd = link->fd, .events = events};
    int64_t left_ms;

    while ((left_ms = deadline_ms - tg_monotonic_ms()) > 0) {
        int ready = poll(&fd, 1, (int)left_ms);

        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return tg_fail_errno("waiting for Redis");
    }
    return tg_fail("no answer within %" PRId64 " ms", link->redis->call_ms);
}

static int open_socket(struct tg_redis_link *link, int64_t deadline_ms)
{
    const struct tg_redis *redis = link->redis;
    int error = 0, on = 1;
    socklen_t len = sizeof(error);

    link->fd = socket(redis->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->fd < 0)
        return tg_fail_errno("no socket for Redis");
    if (redis->address.any.sa_family != AF_UNIX)
        setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(link->fd, &redis->address.any, redis->address_len) == 0)
        return 0;
    if (errno != EINPROGRESS) /* on a unix socket EAGAIN: its backlog is full, nobody accepts */
        return tg_fail_errno("no connection");
    tg_try(wait_for(link, POLLOUT, deadline_ms));
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        errno = error;
        return tg_fail_errno("no connection");
    }
    return 0;
}

static int write_all(struct tg_redis_link *link, const char *bytes, size_t len, int64_t deadline_ms)
{
    while (len != 0) {
        ssize_t sent = send(link->fd, bytes, len, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return tg_fail_errno("sending");
        if (sent < 0)
            tg_try(wait_for(link, POLLOUT, deadline_ms));
        else
            bytes += sent, len -= (size_t)sent;
    }
    return 0;
}

static int send_words(struct tg_redis_link *link, const struct tg_text *words, size_t count, int64_t deadline_ms)
{
    const char *bases[TG_REDIS_WORDS];
    size_t lens[TG_REDIS_WORDS];
    char *command = NULL;

    if (count > TG_REDIS_WORDS)
        return tg_fail("a command of %zu words", count);
    for (size_t i = 0; i < count; i++) {
        bases[i] = words[i].base;
        lens[i] = words[i].len;
    }
    int len = redisFormatCommandArgv(&command, (int)count, bases, lens);
    if (len < 0)
        abort(); /* no memory */
    int result = write_all(link, command, (size_t)len, deadline_ms);
    redisFreeCommand(command);
    return result;
}

/* Whatever has arrived goes to the reader; not to wait. */
static int feed(struct tg_redis_link *link)
{
    char chunk[CHUNK];
    ssize_t got = recv(link->fd, chunk, sizeof(chunk), 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got < 0)
        return tg_fail_errno("receiving");
    if (got == 0)
        return tg_fail("Redis has closed the connection");
    if (link->reader->len - link->reader->pos + (size_t)got > REPLY_MAX)
        return tg_fail("an answer of more than %d bytes", REPLY_MAX);
    if (redisReaderFeed(link->reader, chunk, (size_t)got) != REDIS_OK)
        return tg_fail("an answer that is not Redis': %s", link->reader->errstr);
    return 0;
}

/* link->reply, NULL while it is not complete. */
static int parse(struct tg_redis_link *link)
{
    void *reply = NULL;

    forget_reply(link);
    if (redisReaderGetReply(link->reader, &reply) != REDIS_OK)
        return tg_fail("an answer that is not Redis': %s", link->reader->errstr);
    link->reply = reply;
    return 0;
}

static int receive(struct tg_redis_link *link, int64_t deadline_ms)
{
    for (;;) {
        tg_try(parse(link));
        if (link->reply != NULL)
            return 0;
        tg_try(wait_for(link, POLLIN, deadline_ms));
        tg_try(feed(link));
    }
}

static int exchange(struct tg_redis_link *link, const struct tg_text *words, size_t count, int64_t deadline_ms)
{
    tg_try(send_words(link, words, count, deadline_ms));
    return receive(link, deadline_ms);
}

static int connect_link(struct tg_redis_link *link, int64_t deadline_ms)
{
    const char *password = link->redis->password;

    if (link->fd >= 0)
        return 0;
    if ((link->reader = redisReaderCreate()) == NULL)
        abort();
    tg_try(open_socket(link, deadline_ms));
    if (password == NULL)
        return 0;
    tg_try(exchange(link, TG_REDIS_COMMAND(TG_TEXT("AUTH"), tg_text(password)), deadline_ms));
    return link->reply->type == REDIS_REPLY_ERROR ? tg_fail("Redis refuses the password: %s", link->reply->str) : 0;
}

/* ---- calls */

static bool is_unknown_script(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

static void read_reply(const redisReply *reply, struct tg_redis_reply *out)
{
    *out = (struct tg_redis_reply){.kind = TG_REDIS_NIL};
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        out->kind = TG_REDIS_INTEGER;
        out->integer = reply->integer;
        break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        out->kind = TG_REDIS_TEXT;
        out->text = tg_text_n(reply->str, reply->len);
        break;
    case REDIS_REPLY_ARRAY:
        out->kind = TG_REDIS_LIST;
        if (reply->elements > 0 && reply->element[0]->type == REDIS_REPLY_STRING)
            out->text = tg_text_n(reply->element[0]->str, reply->element[0]->len);
        break;
    default:
        break;
    }
}

void tg_redis_give_up(struct tg_redis_link *link, const char *why)
{
    tg_breaker_report(&link->redis->breaker, why);
    hang_up(link);
}

/* One call and its report. An error that came as an answer leaves the connection as it is. */
static int call(struct tg_redis_link *link, const struct tg_text *words, size_t count)
{
    int64_t deadline_ms = tg_monotonic_ms() + link->redis->call_ms;

    if (!tg_breaker_admits(&link->redis->breaker)) {
        hang_up(link);
        return TG_REDIS_AWAY;
    }
    if (connect_link(link, deadline_ms) < 0 || exchange(link, words, count, deadline_ms) < 0) {
        tg_redis_give_up(link, tg_failure());
        return TG_REDIS_AWAY;
    }
    if (link->reply->type == REDIS_REPLY_ERROR && !is_unknown_script(link->reply)) {
        tg_breaker_report(&link->redis->breaker, link->reply->str);
        return TG_REDIS_AWAY;
    }
    tg_breaker_report(&link->redis->breaker, NULL);
    return 0;
}

int tg_redis_call(struct tg_redis_link *link, const struct tg_text *words, size_t count, struct tg_redis_reply *reply)
{
    if (call(link, words, count) != 0)
        return TG_REDIS_AWAY;
    read_reply(link->reply, reply);
    return 0;
}

void tg_redis_script_init(struct tg_redis_script *script, const char *text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len;

    script->text = tg_text(text);
    if (EVP_Digest(text, script->text.len, digest, &len, EVP_sha1(), NULL) != 1)
        abort(); /* no memory: the algorithm is there */
    for (size_t i = 0; i < 20; i++)
        snprintf(script->digest + 2 * i, 3, "%02x", digest[i]);
}

int tg_redis_run(struct tg_redis_link *link, const struct tg_redis_script *script, const struct tg_text *words, size_t count,
                 struct tg_redis_reply *reply)
{
    struct tg_text all[TG_REDIS_WORDS] = {TG_TEXT("EVALSHA"), tg_text(script->digest)};

    if (count + 2 > TG_REDIS_WORDS)
        abort(); /* a constant of the caller */
    memcpy(all + 2, words, count * sizeof(*words));
    if (call(link, all, count + 2) != 0)
        return TG_REDIS_AWAY;
    if (is_unknown_script(link->reply)) { /* it was started anew */
        all[0] = TG_TEXT("EVAL");
        all[1] = script->text;
        if (call(link, all, count + 2) != 0)
            return TG_REDIS_AWAY;
    }
    read_reply(link->reply, reply);
    return 0;
}

/* ---- subscriptions */

int tg_redis_send(struct tg_redis_link *link, const struct tg_text *words, size_t count)
{
    if (link->fd < 0)
        return TG_REDIS_AWAY;
    if (send_words(link, words, count, tg_monotonic_ms() + link->redis->call_ms) == 0)
        return 0;
    tg_redis_give_up(link, tg_failure());
    return TG_REDIS_AWAY;
}

int tg_redis_take(struct tg_redis_link *link, struct tg_redis_reply *reply)
{
    if (link->fd < 0)
        return TG_REDIS_AWAY;
    int result = parse(link);
    if (result == 0 && link->reply == NULL && (result = feed(link)) == 0)
        result = parse(link);
    if (result < 0) {
        tg_redis_give_up(link, tg_failure());
        return TG_REDIS_AWAY;
    }
    if (link->reply == NULL)
        return TG_REDIS_NOTHING;
    read_reply(link->reply, reply);
    return 0;
}
