/*
 * relay.c - a line on which everything arrives later
 *
 *   bench-relay PORT MILLISECONDS      on 127.0.0.1, to PORT there; says "port N"
 *
 * What is received is sent on that much later, in both directions, however much it is: up to 64 MiB are under way on each, so that the line
 * is long but not narrow. For benchmarks and tests on loopback only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINES = 64, BLOCK = 64 * 1024, UNDER_WAY = 64 << 20 };

struct block {
    struct block *next;
    int64_t due_us;
    size_t from, len; /* len 0: the end */
    char bytes[BLOCK];
};

struct direction {
    int in, out;
    struct block *first, **last;
    size_t under_way;
    bool read_all, is_full; /* full: the socket took no more */
};

struct line {
    int ends[2]; /* the client's and the server's; -1: free */
    struct direction ways[2];
};

static struct line lines[LINES];
static int64_t delay_us;
static uint16_t target;

static void must(bool is_well, const char *what)
{
    if (is_well)
        return;
    perror(what);
    exit(EXIT_FAILURE);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* ---- a line */

static void end_line(struct line *line)
{
    for (size_t i = 0; i != 2; ++i) {
        for (struct block *block = line->ways[i].first, *next; block != NULL; block = next) {
            next = block->next;
            free(block);
        }
        close(line->ends[i]);
        line->ends[i] = -1;
    }
}

static void begin_way(struct direction *way, int in, int out)
{
    *way = (struct direction){.in = in, .out = out};
    way->last = &way->first;
}

static void begin_line(int listener)
{
    struct sockaddr_in address = loopback(target);
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), server, yes = 1;
    struct line *line = lines;

    if (client < 0)
        return;
    while (line != lines + LINES && line->ends[0] >= 0)
        ++line;
    must(line != lines + LINES, "too many connections");
    server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(server >= 0 && connect(server, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    line->ends[0] = client;
    line->ends[1] = server;
    begin_way(&line->ways[0], client, server);
    begin_way(&line->ways[1], server, client);
}

static void receive(struct direction *way)
{
    struct block *block = malloc(sizeof(*block));
    ssize_t got;

    must(block != NULL, "memory");
    got = recv(way->in, block->bytes, sizeof(block->bytes), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        free(block);
        return;
    }
    block->next = NULL;
    block->due_us = now_us() + delay_us;
    block->from = 0;
    block->len = got > 0 ? (size_t)got : 0;
    way->read_all = got <= 0;
    way->under_way += block->len;
    *way->last = block;
    way->last = &block->next;
}

/* Sends what is due; false: the line is cut. */
static bool forward(struct direction *way, int64_t now)
{
    while (way->first != NULL && way->first->due_us <= now) {
        struct block *block = way->first;
        ssize_t sent = 0;

        if (block->len == 0)
            shutdown(way->out, SHUT_WR);
        else
            sent = send(way->out, block->bytes + block->from, block->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        way->is_full = sent < 0 && errno == EAGAIN;
        if (sent < 0)
            return way->is_full;
        block->from += (size_t)sent;
        block->len -= (size_t)sent;
        way->under_way -= (size_t)sent;
        if (block->len != 0)
            continue;
        if ((way->first = block->next) == NULL)
            way->last = &way->first;
        free(block);
    }
    return true;
}

/* ---- all of them */

static size_t gather(struct pollfd *polls, int listener, int *wait_ms)
{
    size_t count = 0;
    int64_t now = now_us(), next = now + 1000000;

    polls[count++] = (struct pollfd){listener, POLLIN, 0};
    for (struct line *line = lines; line != lines + LINES; ++line) {
        for (size_t i = 0; line->ends[0] >= 0 && i != 2; ++i) {
            const struct direction *way = &line->ways[i];

            polls[count++] = (struct pollfd){!way->read_all && way->under_way < UNDER_WAY ? way->in : -1, POLLIN, 0};
            polls[count++] = (struct pollfd){way->is_full ? way->out : -1, POLLOUT, 0};
            if (way->first != NULL && !way->is_full && way->first->due_us < next)
                next = way->first->due_us;
        }
    }
    *wait_ms = next <= now ? 0 : (int)((next - now + 999) / 1000);
    return count;
}

static void turn(const struct pollfd *polls)
{
    int64_t now = now_us();

    for (struct line *line = lines; line != lines + LINES; ++line) {
        bool is_well = true, is_over = true;

        if (line->ends[0] < 0)
            continue;
        for (size_t i = 0; i != 2; ++i, polls += 2) {
            struct direction *way = &line->ways[i];

            if (polls[0].revents != 0)
                receive(way);
            is_well = is_well && forward(way, now);
            is_over = is_over && way->read_all && way->first == NULL;
        }
        if (!is_well || is_over)
            end_line(line);
    }
}

int main(int argc, char **argv)
{
    static struct pollfd polls[1 + LINES * 4];
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (argc != 3) {
        fprintf(stderr, "bench-relay: PORT MILLISECONDS\n");
        return EXIT_FAILURE;
    }
    target = (uint16_t)atoi(argv[1]);
    delay_us = atoll(argv[2]) * 1000;
    for (size_t i = 0; i != LINES; ++i)
        lines[i].ends[0] = -1;
    must(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 64) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (true) {
        int wait_ms;
        size_t count = gather(polls, listener, &wait_ms);

        must(poll(polls, count, wait_ms) >= 0 || errno == EINTR, "poll");
        turn(polls + 1);
        if (polls[0].revents != 0)
            begin_line(listener);
    }
}
