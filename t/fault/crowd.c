/*
 * crowd.c - thousands of clients at a time that do nothing, on loopback
 *
 *   fault-crowd HOW PORT COUNT SECONDS NET ADDRESSES HOST PATH
 *
 * They come as fast as they are let in, from ADDRESSES addresses beginning with NET, and stay for SECONDS. HOW is what each does before it
 * falls silent: "connected" nothing at all, "greeted" the first message of TLS, "shaken" its handshake (by TLS 1.2: "shaken-old"), "asked" a
 * request over HTTP/2 with its whole answer (over HTTP/1.1: "asked-old"). Says "cut" or "open" for each, whether its connection was ended
 * before the time was over; before that, how many were silent at the same time at the most.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE = 128, EVENTS = 256, FRAME_HEAD = 9, ASK = 512, SHORT = 255, SPARE_FILES = 32 };
enum { FRAME_DATA = 0, FRAME_HEADERS = 1, FRAME_RESET = 3, FRAME_SETTINGS = 4, FLAG_END_STREAM = 1, FLAG_ACK = 1, FLAG_END_HEADERS = 4 };

enum depth { CONNECTED, GREETED, SHAKEN, ASKED };
enum step { CONNECTING, SHAKING, ASKING, SILENT, CUT };

struct client {
    int fd;
    enum step step;
    SSL *ssl;
    uint8_t head[FRAME_HEAD]; /* of the frame that is being read */
    size_t head_len, payload_left;
};

static const struct how {
    const char *name;
    enum depth depth;
    int newest_tls;
    bool is_http1;
} hows[] = {
    {"connected", CONNECTED}, {"greeted", GREETED}, {"shaken", SHAKEN}, {"shaken-old", SHAKEN, TLS1_2_VERSION},
    {"asked", ASKED}, {"asked-old", ASKED, 0, true},
};
static const struct how *how;
static uint16_t port;
static const char *host;
static in_addr_t net;
static size_t count, addresses, begun, under_way, silent, most_silent;
static struct client *clients;
static uint8_t ask[ASK];
static size_t ask_len;
static SSL_CTX *tls;
static int poller;

static void must(bool is_well, const char *what)
{
    if (is_well)
        return;
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what is asked */

static size_t put_frame(uint8_t *out, size_t len, uint8_t type, uint8_t flags, uint8_t stream)
{
    const uint8_t head[FRAME_HEAD] = {0, (uint8_t)(len >> 8), (uint8_t)len, type, flags, 0, 0, 0, stream};

    memcpy(out, head, sizeof(head));
    return sizeof(head);
}

/* A field of the static table with a value of its own, which no table keeps. */
static size_t put_field(uint8_t *out, uint8_t name, const char *value)
{
    size_t len = strlen(value);

    must(len < 127, "too long a host or path");
    out[0] = name;
    out[1] = (uint8_t)len;
    memcpy(out + 2, value, len);
    return len + 2;
}

static void prepare_http1(const char *path)
{
    int len = snprintf((char *)ask, sizeof(ask), "HEAD %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host);

    must(len < (int)sizeof(ask), "too long a host or path");
    ask_len = (size_t)len;
}

static void prepare_http2(const char *path)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    uint8_t block[SHORT] = {0x82, 0x87}; /* GET, https */
    size_t block_len = 2;

    block_len += put_field(block + block_len, 4, path);
    must(block_len + strlen(host) + 2 < sizeof(block), "too long a host or path");
    block_len += put_field(block + block_len, 1, host);
    memcpy(ask, preface, sizeof(preface) - 1);
    ask_len = sizeof(preface) - 1;
    ask_len += put_frame(ask + ask_len, 0, FRAME_SETTINGS, 0, 0);
    ask_len += put_frame(ask + ask_len, block_len, FRAME_HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, 1);
    memcpy(ask + ask_len, block, block_len);
    ask_len += block_len;
}

/* ---- a client */

static void fall_silent(struct client *client)
{
    client->step = SILENT;
    under_way--;
    if (++silent > most_silent)
        most_silent = silent;
}

static void end(struct client *client)
{
    if (client->step == SILENT)
        silent--;
    else
        under_way--;
    client->step = CUT;
    SSL_free(client->ssl);
    client->ssl = NULL;
    close(client->fd);
}

static void on_frame(struct client *client)
{
    const uint8_t *head = client->head;
    uint8_t type = head[3], flags = head[4], ack[FRAME_HEAD];
    bool is_end = (type == FRAME_DATA || type == FRAME_HEADERS) && (flags & FLAG_END_STREAM) != 0;

    if (type == FRAME_SETTINGS && (flags & FLAG_ACK) == 0) {
        put_frame(ack, 0, FRAME_SETTINGS, FLAG_ACK, 0);
        SSL_write(client->ssl, ack, sizeof(ack));
    }
    if (client->step == ASKING && (is_end || type == FRAME_RESET))
        fall_silent(client);
}

/* A frame counts when all of it has come. */
static void take_frames(struct client *client, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        if (client->head_len < FRAME_HEAD) {
            client->head[client->head_len++] = *bytes++;
            len--;
            client->payload_left = (size_t)client->head[0] << 16 | (size_t)client->head[1] << 8 | client->head[2];
        } else {
            size_t part = client->payload_left < len ? client->payload_left : len;

            bytes += part;
            len -= part;
            client->payload_left -= part;
        }
        if (client->head_len == FRAME_HEAD && client->payload_left == 0) {
            client->head_len = 0;
            on_frame(client);
        }
    }
}

/* An answer to HEAD is over with its head, which comes in one piece. */
static void take_answer(struct client *client, const uint8_t *bytes, size_t len)
{
    if (client->step == ASKING && len >= 4 && memcmp(bytes + len - 4, "\r\n\r\n", 4) == 0)
        fall_silent(client);
}

static void read_tls(struct client *client)
{
    uint8_t bytes[16384];
    int got;

    while ((got = SSL_read(client->ssl, bytes, sizeof(bytes))) > 0) {
        if (how->is_http1)
            take_answer(client, bytes, (size_t)got);
        else
            take_frames(client, bytes, (size_t)got);
    }
    if (SSL_get_error(client->ssl, got) != SSL_ERROR_WANT_READ)
        end(client);
}

/* What comes is not looked at. */
static void drop_input(struct client *client)
{
    uint8_t bytes[16384];
    ssize_t got = recv(client->fd, bytes, sizeof(bytes), 0);

    if (got == 0 || (got < 0 && errno != EAGAIN))
        end(client);
}

static void want(const struct client *client, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)(client - clients)};

    epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event);
}

static void begin_tls(struct client *client)
{
    client->step = SHAKING;
    client->ssl = SSL_new(tls);
    must(client->ssl != NULL && SSL_set_fd(client->ssl, client->fd) == 1 && SSL_set_tlsext_host_name(client->ssl, "localhost") == 1,
         "cannot begin TLS");
}

static void shake(struct client *client)
{
    int done = SSL_connect(client->ssl);

    if (done == 1 && how->depth == SHAKEN) {
        fall_silent(client);
    } else if (done == 1 && SSL_write(client->ssl, ask, (int)ask_len) == (int)ask_len) {
        client->step = ASKING;
        read_tls(client);
    } else if (done == 1 || SSL_get_error(client->ssl, done) != SSL_ERROR_WANT_READ) {
        end(client);
    } else if (how->depth == GREETED) {
        fall_silent(client);
    }
}

static void on_connected(struct client *client)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        end(client);
        return;
    }
    want(client, EPOLLIN);
    if (how->depth == CONNECTED) {
        fall_silent(client);
        return;
    }
    begin_tls(client);
    shake(client);
}

static void on_event(struct client *client)
{
    switch (client->step) {
    case CONNECTING:
        on_connected(client);
        break;
    case SHAKING:
        shake(client);
        break;
    case ASKING:
    case SILENT:
        if (how->depth >= SHAKEN)
            read_tls(client);
        else
            drop_input(client);
        break;
    case CUT:
        break;
    }
}

/* ---- all of them */

static void begin_next(void)
{
    struct client *client = &clients[begun];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ntohl(net) + (uint32_t)(begun % addresses))};
    struct epoll_event event = {.events = EPOLLOUT, .data.u64 = begun};
    int yes = 1;

    client->step = CONNECTING;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(client->fd >= 0, "socket");
    setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)); /* a port of each address may be used again */
    must(bind(client->fd, (struct sockaddr *)&from, sizeof(from)) == 0, "bind");
    must(connect(client->fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS, "connect");
    must(epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event) == 0, "epoll_ctl");
    begun++;
    under_way++;
}

static void run(int64_t until_ms)
{
    struct epoll_event events[EVENTS];
    int64_t left_ms;

    while ((left_ms = until_ms - now_ms()) > 0) {
        while (begun < count && under_way < AT_ONCE)
            begin_next();
        int ready = epoll_wait(poller, events, EVENTS, (int)left_ms);
        for (int i = 0; i < ready; i++)
            on_event(&clients[events[i].data.u64]);
    }
}

/* Half-way is neither: it has not been let in, and not been sent away. */
static void report(void)
{
    printf("silent at a time, at the most: %zu\n", most_silent);
    for (size_t i = 0; i < begun; i++)
        printf("%s\n", clients[i].step == CUT ? "cut" : "open");
}

static void prepare_tls(void)
{
    static const unsigned char http2[] = "\x02h2", http1[] = "\x08http/1.1";

    tls = SSL_CTX_new(TLS_client_method());
    must(tls != NULL, "no TLS");
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_proto_version(tls, how->newest_tls);
    if (how->is_http1)
        SSL_CTX_set_alpn_protos(tls, http1, sizeof(http1) - 1);
    else
        SSL_CTX_set_alpn_protos(tls, http2, sizeof(http2) - 1);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
}

static void need_files(void)
{
    struct rlimit files;

    must(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur >= count + SPARE_FILES)
        return;
    fprintf(stderr, "crowd: %zu clients need as many open files; the limit is %ju\n", count, (uintmax_t)files.rlim_max);
    exit(EXIT_FAILURE);
}

static const struct how *how_of(const char *name)
{
    for (size_t i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
        if (strcmp(hows[i].name, name) == 0)
            return &hows[i];
    }
    fprintf(stderr, "crowd: no such way to be silent: %s\n", name);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    if (argc != 9) {
        fprintf(stderr, "usage: fault-crowd HOW PORT COUNT SECONDS NET ADDRESSES HOST PATH\n");
        return EXIT_FAILURE;
    }
    int64_t until_ms = now_ms() + atoll(argv[4]) * 1000;
    how = how_of(argv[1]);
    port = (uint16_t)atoi(argv[2]);
    count = (size_t)atoll(argv[3]);
    net = inet_addr(argv[5]);
    addresses = (size_t)atoll(argv[6]);
    host = argv[7];
    must(net != INADDR_NONE && (ntohl(net) >> 24) == 127 && addresses > 0, "NET and ADDRESSES are to be on loopback");
    need_files();
    prepare_tls();
    if (how->is_http1)
        prepare_http1(argv[8]);
    else
        prepare_http2(argv[8]);
    signal(SIGPIPE, SIG_IGN);
    clients = calloc(count, sizeof(*clients));
    poller = epoll_create1(EPOLL_CLOEXEC);
    must(clients != NULL && poller >= 0, "cannot begin");
    run(until_ms);
    report();
    return EXIT_SUCCESS;
}
