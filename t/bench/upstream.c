/*
 * upstream.c - an upstream that costs nearly nothing, so that what stands before it can be measured
 *
 *   bench-upstream PORT | PATH      on 127.0.0.1 (0: any free port), or on a unix socket
 *
 * One thread, HTTP/1.1 with keep-alive. What the path ends with decides the answer: 10k, 1m, and otherwise 1 KiB, with seven header fields.
 * A request body (Content-Length or chunked) is read and thrown away, and answered when it has ended; Expect is answered at once. Says
 * "port N" when it listens. It believes its clients: for benchmarks and tests on loopback only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EVENTS = 256, BUFFER = 256 * 1024, HEAD = 16 * 1024 };

struct answer {
    const char *suffix; /* of the path */
    size_t size;        /* of the body */
    char *bytes;        /* head and body */
    size_t len;
};

/* What chunks are made of; the data itself is skipped by count. */
enum part { PART_HEAD, PART_BODY, PART_SIZE, PART_SIZE_LINE, PART_DATA_END, PART_TRAILER };

struct connection {
    int fd;
    enum part part;
    uint64_t left;  /* of a body, or of a chunk; PART_TRAILER: bytes of this line */
    bool chunked, is_last;
    size_t head_len;
    char head[HEAD];
    const struct answer *answer; /* being sent; NULL: none */
    size_t sent;
    bool waits; /* until it can be written to */
};

static struct answer answers[] = {{"10k", 10 << 10, NULL, 0}, {"1m", 1 << 20, NULL, 0}, {"", 1 << 10, NULL, 0}};
static char buffer[BUFFER];
static int poller;

static void must(bool is_well, const char *what)
{
    if (is_well)
        return;
    perror(what);
    exit(EXIT_FAILURE);
}

static void make_answer(struct answer *answer)
{
    char *bytes = malloc(answer->size + 1024);
    int head;

    must(bytes != NULL, "memory");
    head = sprintf(bytes, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                          "Cache-Control: private, max-age=0\r\nETag: \"5f3759df-%zx\"\r\nLast-Modified: Mon, 02 Mar 2026 10:11:12 GMT\r\n"
                          "X-Frame-Options: SAMEORIGIN\r\nX-Content-Type-Options: nosniff\r\n\r\n", answer->size, answer->size);
    for (size_t i = 0; i != answer->size; ++i)
        bytes[(size_t)head + i] = (char)(i % 64 == 63 ? '\n' : 'a' + i * 7 % 26);
    answer->bytes = bytes;
    answer->len = (size_t)head + answer->size;
}

static const struct answer *choose_answer(const char *head)
{
    const char *end = strstr(head, " HTTP/1.");

    for (struct answer *answer = answers; end != NULL; ++answer) {
        size_t len = strlen(answer->suffix);

        if ((size_t)(end - head) >= len && memcmp(end - len, answer->suffix, len) == 0)
            return answer;
    }
    return NULL;
}

/* ---- a connection */

static void drop(struct connection *connection)
{
    close(connection->fd);
    free(connection);
}

/* Whether all of the answer is gone, or the rest waits for the socket. */
static bool send_answer(struct connection *connection)
{
    const struct answer *answer = connection->answer;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    while (connection->sent != answer->len) {
        ssize_t sent = send(connection->fd, answer->bytes + connection->sent, answer->len - connection->sent, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent < 0)
            break;
        connection->sent += (size_t)sent;
    }
    if ((connection->sent != answer->len) != connection->waits) {
        connection->waits = !connection->waits;
        event.events = connection->waits ? EPOLLOUT : EPOLLIN;
        epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &event);
    }
    if (!connection->waits)
        connection->answer = NULL;
    return true;
}

static bool begin_answer(struct connection *connection)
{
    connection->part = PART_HEAD;
    connection->answer = choose_answer(connection->head);
    connection->head_len = 0;
    connection->sent = 0;
    return connection->answer != NULL && send_answer(connection);
}

static bool begin_body(struct connection *connection)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const char *length = strcasestr(connection->head, "\r\ncontent-length:");

    connection->chunked = strcasestr(connection->head, "\r\ntransfer-encoding:") != NULL;
    connection->left = length != NULL ? strtoull(length + 17, NULL, 10) : 0;
    connection->is_last = false;
    if (!connection->chunked && connection->left == 0)
        return begin_answer(connection);
    connection->part = connection->chunked ? PART_SIZE : PART_BODY;
    if (connection->chunked)
        connection->left = 0;
    if (strcasestr(connection->head, "\r\nexpect:") == NULL)
        return true;
    return send(connection->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) == sizeof(go_on) - 1;
}

/* The head is kept up to its end, whatever the pieces it comes in; how much of them it took. */
static size_t take_head(struct connection *connection, const char *bytes, size_t len)
{
    size_t old = connection->head_len, room = sizeof(connection->head) - 1 - old;
    size_t from = old < 3 ? 0 : old - 3;
    char *end;

    if (len > room)
        len = room;
    memcpy(connection->head + old, bytes, len);
    connection->head_len = old + len;
    connection->head[connection->head_len] = '\0';
    if ((end = memmem(connection->head + from, connection->head_len - from, "\r\n\r\n", 4)) == NULL)
        return room == 0 ? SIZE_MAX : len;
    end[4] = '\0';
    return begin_body(connection) ? (size_t)(end + 4 - connection->head) - old : SIZE_MAX;
}

/* One byte of what stands between the data of chunks. */
static bool take_chunk_byte(struct connection *connection, char byte)
{
    switch (connection->part) {
    case PART_SIZE:
        if (strchr("\r;", byte) == NULL || byte == '\0') {
            connection->left = connection->left * 16 + (uint64_t)((byte & 0xf) + (byte >= 'A' ? 9 : 0));
            return true;
        }
        connection->is_last = connection->left == 0;
        connection->part = PART_SIZE_LINE;
        return true;
    case PART_SIZE_LINE:
        if (byte == '\n')
            connection->part = connection->is_last ? PART_TRAILER : PART_BODY;
        return true;
    case PART_DATA_END:
        if (byte == '\n')
            connection->part = PART_SIZE;
        return true;
    default:
        if (byte != '\n') {
            connection->left += byte != '\r';
            return true;
        }
        if (connection->left == 0)
            return begin_answer(connection);
        connection->left = 0;
        return true;
    }
}

static size_t take_body(struct connection *connection, size_t len)
{
    if (len > connection->left)
        len = connection->left;
    connection->left -= len;
    if (connection->left != 0)
        return len;
    if (connection->chunked)
        connection->part = PART_DATA_END;
    else if (!begin_answer(connection))
        return SIZE_MAX;
    return len;
}

/* SIZE_MAX: the connection is over. */
static size_t take(struct connection *connection, const char *bytes, size_t len)
{
    if (connection->part == PART_HEAD)
        return take_head(connection, bytes, len);
    if (connection->part == PART_BODY)
        return take_body(connection, len);
    return take_chunk_byte(connection, *bytes) ? 1 : SIZE_MAX;
}

static bool on_event(struct connection *connection, uint32_t events)
{
    ssize_t got;

    if (connection->answer != NULL)
        return (events & (EPOLLERR | EPOLLHUP)) == 0 && send_answer(connection);
    if ((got = recv(connection->fd, buffer, sizeof(buffer), 0)) <= 0)
        return got < 0 && errno == EAGAIN;
    for (size_t at = 0, took; at != (size_t)got; at += took)
        if ((took = take(connection, buffer + at, (size_t)got - at)) == SIZE_MAX || connection->answer != NULL)
            return took != SIZE_MAX && at + took == (size_t)got; /* who pipelines behind a large answer is not served */
    return true;
}

/* ---- the loop */

static int listen_on(const char *where)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(where)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    bool is_path = strchr(where, '/') != NULL;
    socklen_t len = sizeof(address);
    int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;

    must(fd >= 0, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (is_path) {
        snprintf(path.sun_path, sizeof(path.sun_path), "%s", where);
        must(bind(fd, (struct sockaddr *)&path, sizeof(path)) == 0, where);
    } else {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, where);
        must(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    }
    must(listen(fd, 1024) == 0, "listen");
    printf("port %d\n", is_path ? 0 : ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct connection *connection;
    struct epoll_event event = {.events = EPOLLIN};

    if (fd < 0)
        return;
    connection = calloc(1, sizeof(*connection));
    must(connection != NULL, "memory");
    connection->fd = fd;
    event.data.ptr = connection;
    must(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS], listening = {.events = EPOLLIN};
    int listener;

    if (argc != 2) {
        fprintf(stderr, "bench-upstream: PORT | PATH\n");
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i != sizeof(answers) / sizeof(*answers); ++i)
        make_answer(&answers[i]);
    poller = epoll_create1(EPOLL_CLOEXEC);
    listener = listen_on(argv[1]);
    must(epoll_ctl(poller, EPOLL_CTL_ADD, listener, &listening) == 0, "epoll_ctl");
    while (true) {
        int count = epoll_wait(poller, events, EVENTS, -1);

        for (int i = 0; i < count; ++i) {
            if (events[i].data.ptr == NULL)
                accept_one(listener);
            else if (!on_event(events[i].data.ptr, events[i].events))
                drop(events[i].data.ptr);
        }
    }
}
