/* Records of TLS 1.3 through a socket, in pieces and behind a slow reader: it reads what was sealed for it, and its echo can be opened. */
#include <h2o.h>
#include <h2o/tls13.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tls_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The first byte: the size of a piece (0: all at once), and how the client reads and the echo grows. The second: after how many records
 * keys are worn out. Then records: how they are made, the inner type, the length in two bytes, the bytes.
 */
enum { PIECE = 31, SMALL_BUFFERS = 32, LOUD = 64, LATE = 128, RECORD = 4, RAW = 1, FLIPPED = 2, PADDED = 4, PLAIN_MAX = 20000 };
enum { ECHOES = 40, SENT_MAX = 1 << 16, IDLE_MAX = 32, QUIET_TURNS = 3, TURNS = 3000 };

static h2o_loop_t *loop;

static struct {
    h2o_socket_t *sock;      /* NULL: closed */
    struct tg_string got, answer;
    size_t echoed, echoes;   /* of got; how often each byte is said */
} server;

static struct {
    struct tls_client tls;
    int fd;
    struct tg_string sent;   /* what the server has to read */
    struct tg_string wire;   /* what has come, beginning with a record */
    struct tg_string heard;
    size_t idle, updates;
    bool has_asked, has_said_more; /* for new keys; and then sent something that is echoed */
    bool is_broken, is_over, is_told; /* the server has to end it; nothing follows; the server has ended it */
} client;

/* --- the server: says what it hears --- */

static void on_written(h2o_socket_t *sock, const char *err);

static void echo(void)
{
    if (server.sock == NULL || server.echoed == server.got.len || h2o_socket_is_writing(server.sock))
        return;
    server.answer.len = 0;
    for (; server.echoed != server.got.len && server.answer.len < SENT_MAX; ++server.echoed)
        for (size_t i = 0; i < server.echoes; ++i)
            tg_string_add(&server.answer, tg_text_n(server.got.base + server.echoed, 1));
    /* in two pieces, as a head and a body */
    size_t head = server.answer.len / 3;
    h2o_iovec_t pieces[] = {{server.answer.base, head}, {server.answer.base + head, server.answer.len - head}};
    h2o_socket_write(server.sock, pieces, 2, on_written);
}

static void close_server(void)
{
    h2o_socket_t *sock = server.sock;

    server.sock = NULL;
    h2o_socket_close(sock);
}

static void on_written(h2o_socket_t *sock, const char *err)
{
    if (err != NULL)
        close_server();
    else
        echo();
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    tg_string_add(&server.got, tg_text_n(sock->input->bytes, sock->input->size));
    h2o_buffer_consume(&sock->input, sock->input->size);
    if (err != NULL)
        close_server();
    else
        echo();
}

static void on_shaken(h2o_socket_t *sock, const char *err)
{
    tls_must(err == NULL);
    h2o_socket_read_start(sock, on_read);
    on_read(sock, NULL);
}

/* --- the client --- */

static void hear_record(uint8_t *record, size_t size)
{
    static const char update[] = {24, 0, 0, 1, 0};
    uint8_t type;
    struct tg_text plain = tls_open(&client.tls.in, record, size, &type);

    tls_must(!client.is_told);
    if (type == TLS_DATA) {
        tls_must(plain.len != 0);
        tg_string_add(&client.heard, plain);
    } else if (type == TLS_HANDSHAKE) {
        tls_must(tg_text_same(plain, tg_text_n(update, sizeof(update))));
        tls_keys_update(&client.tls.in);
        client.updates++;
    } else {
        tls_must(type == TLS_ALERT && plain.len == 2 && (client.is_broken || plain.base[1] == SSL3_AD_CLOSE_NOTIFY));
        client.is_told = true;
    }
}

/* Whether anything has come. */
static bool hear(void)
{
    static uint8_t bytes[65536];
    ssize_t n = read(client.fd, bytes, sizeof(bytes));

    if (n <= 0)
        return false;
    tg_string_add(&client.wire, tg_text_n((const char *)bytes, (size_t)n));
    for (;;) {
        uint8_t *record = (uint8_t *)client.wire.base;
        size_t size = client.wire.len < TLS_HEADER ? SIZE_MAX : TLS_HEADER + ((size_t)record[3] << 8 | record[4]);

        if (size > client.wire.len)
            return true;
        tls_must(record[0] == TLS_DATA && size <= H2O_TLS13_MAX_RECORD && size >= H2O_TLS13_OVERHEAD);
        hear_record(record, size);
        memmove(record, record + size, client.wire.len - size);
        client.wire.len -= size;
    }
}

static void settle(bool hears)
{
    size_t quiet = 0;

    for (size_t i = 0; quiet < QUIET_TURNS && i < TURNS; ++i) {
        size_t got = server.got.len, echoed = server.echoed;

        h2o_evloop_run(loop, 0);
        bool moved = (hears && hear()) || got != server.got.len || echoed != server.echoed;
        quiet = moved ? 0 : quiet + 1;
    }
}

static void say(const uint8_t *bytes, size_t size, size_t piece, bool hears)
{
    while (size != 0) {
        size_t len = piece != 0 && piece < size ? piece : size;
        ssize_t n = write(client.fd, bytes, len);

        if (n < 0)
            return; /* the server has closed it */
        bytes += n;
        size -= (size_t)n;
        if (piece != 0)
            settle(hears);
    }
}

/* What a server that keeps to the letter makes of a record. */
static void expect(uint8_t type, struct tg_text plain)
{
    struct tg_text meant = tls_meant(&type, plain);
    bool is_update = meant.len == 5 && memcmp(meant.base, "\x18\0\0\1", 4) == 0 && (uint8_t)meant.base[4] <= 1;

    if (type == TLS_DATA && meant.len != 0 && meant.len <= H2O_TLS13_MAX_PLAIN) {
        client.idle = 0;
        client.has_said_more |= client.has_asked;
        tg_string_add(&client.sent, meant);
        return;
    }
    client.idle++;
    if (client.idle > IDLE_MAX || meant.len > H2O_TLS13_MAX_PLAIN) {
        client.is_broken = true;
    } else if (type == TLS_HANDSHAKE && is_update) {
        tls_keys_update(&client.tls.out);
        client.has_asked |= meant.base[4] == 1;
    } else if (type == TLS_ALERT && meant.len == 2) {
        client.is_over = meant.base[1] == SSL3_AD_CLOSE_NOTIFY;
        client.is_broken = !client.is_over && meant.base[1] != SSL_AD_USER_CANCELLED;
    } else {
        client.is_broken = type != TLS_DATA;
    }
}

static void say_record(uint8_t how, uint8_t type, struct tg_text bytes, size_t piece, bool hears)
{
    static uint8_t wire[TLS_HEADER + PLAIN_MAX + 1 + TLS_PADDING_MAX + TLS_TAG];
    size_t size = bytes.len;
    bool is_alive = !client.is_broken && !client.is_over;

    if ((how & RAW) != 0)
        memcpy(wire, bytes.base, size);
    else
        size = tls_seal(&client.tls.out, type, bytes, (how & PADDED) != 0 ? how : 0, wire);
    if ((how & FLIPPED) != 0 && size > TLS_HEADER)
        wire[TLS_HEADER + (type | how << 8) % (size - TLS_HEADER)] ^= 1;
    if (is_alive && ((how & (RAW | FLIPPED)) != 0 || size > H2O_TLS13_MAX_RECORD))
        client.is_broken = size != 0;
    else if (is_alive)
        expect(type, bytes);
    say(wire, size, piece, hears);
}

/* --- the run --- */

static void begin(bool has_small_buffers)
{
    int ends[2], bytes = 4608;

    tls_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    if (has_small_buffers)
        tls_must(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) == 0);
    tls_client_init(&client.tls);
    client.fd = ends[1];
    SSL_set_fd(client.tls.ssl, client.fd);
    server.sock = h2o_evloop_socket_create(loop, ends[0], H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    h2o_socket_ssl_handshake(server.sock, tls_server_context(), NULL, on_shaken);
    while (SSL_do_handshake(client.tls.ssl) != 1)
        h2o_evloop_run(loop, 0);
    for (int i = 0; i < QUIET_TURNS; ++i)
        h2o_evloop_run(loop, 0);
    tls_keys_begin(&client.tls.out);
    tls_keys_begin(&client.tls.in);
}

static void check(void)
{
    struct tg_text got = tg_string_text(&server.got), sent = tg_string_text(&client.sent), heard = tg_string_text(&client.heard);
    bool is_whole = !client.is_broken;

    tls_must(got.len <= sent.len && (!is_whole || got.len == sent.len) && memcmp(got.base, sent.base, got.len) == 0);
    tls_must(heard.len <= got.len * server.echoes && (!is_whole || heard.len == got.len * server.echoes));
    for (size_t i = 0; i < heard.len; ++i)
        tls_must(heard.base[i] == got.base[i / server.echoes]);
    tls_must(!is_whole || (!client.is_told && (!client.has_said_more || client.updates != 0)));
}

static void end(void)
{
    close(client.fd);
    for (size_t i = 0; server.sock != NULL; ++i) {
        tls_must(i < TURNS);
        h2o_evloop_run(loop, 0);
    }
    h2o_evloop_run(loop, 0);
    tls_client_done(&client.tls);
    tg_string_done(&server.got);
    tg_string_done(&server.answer);
    tg_string_done(&client.sent);
    tg_string_done(&client.wire);
    tg_string_done(&client.heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 + RECORD)
        return 0;
    if (loop == NULL) {
        signal(SIGPIPE, SIG_IGN);
        loop = h2o_evloop_create();
    }
    memset(&client, 0, sizeof(client));
    memset(&server, 0, sizeof(server));
    server.echoes = (data[0] & LOUD) != 0 ? ECHOES : 1;
    h2o_tls13_max_key_records = data[1] != 0 ? data[1] : UINT64_MAX;
    begin((data[0] & SMALL_BUFFERS) != 0);
    size_t piece = (size_t)(data[0] & PIECE) * 23;
    bool hears = (data[0] & LATE) == 0;

    for (data += 2, size -= 2; size >= RECORD && client.sent.len < SENT_MAX;) {
        size_t len = (size_t)data[2] << 8 | data[3], left = size - RECORD;

        len = len < left ? len : left;
        len = len < PLAIN_MAX ? len : PLAIN_MAX;
        say_record(data[0], data[1], tg_text_n((const char *)data + RECORD, len), piece, hears);
        settle(hears);
        data += RECORD + len;
        size -= RECORD + len;
    }
    settle(true);
    check();
    end();
    return 0;
}
