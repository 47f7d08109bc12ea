/* Records of TLS 1.3 behind a handshake, sealed by a client of any manners: what is opened is what was sealed, in its order, or nothing. */
#include <h2o/tls13.h>
#include <stdlib.h>
#include <string.h>
#include "tls_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record of the input: how it is made, what it says it is (the inner type), its length in two bytes, its bytes. */
enum { RECORD = 4, RAW = 1, FLIPPED = 2, PADDED = 4, PLAIN_MAX = 20000 };

/* All in memory. The server's end is handed over. */
static h2o_tls13_t *shake_hands(SSL **server, struct tls_client *client)
{
    BIO *ours, *theirs;
    h2o_tls13_t *tls;

    tls_client_init(client);
    *server = SSL_new(tls_server_context());
    tls_must(BIO_new_bio_pair(&ours, 0, &theirs, 0) == 1);
    SSL_set_bio(*server, ours, ours);
    SSL_set_bio(client->ssl, theirs, theirs);
    SSL_set_accept_state(*server);
    for (int i = 0; i < 10 && !(SSL_is_init_finished(*server) && SSL_is_init_finished(client->ssl)); ++i) {
        SSL_do_handshake(client->ssl);
        SSL_do_handshake(*server);
    }
    tls_must(SSL_is_init_finished(*server) == 1);
    tls = h2o_tls13_take_over(*server);
    tls_must(tls != NULL);
    tls_keys_begin(&client->out);
    return tls;
}

static void check_opened(long opened, const char *plain, uint8_t type, struct tg_text meant, bool is_sealed)
{
    bool is_data = is_sealed && type == TLS_DATA;

    tls_must(opened <= H2O_TLS13_MAX_PLAIN);
    tls_must(opened <= 0 || (is_data && tg_text_same(tg_text_n(plain, (size_t)opened), meant)));
    tls_must(opened >= 0 || !is_data || meant.len == 0 || meant.len > H2O_TLS13_MAX_PLAIN);
}

/* Whether the connection goes on. */
static bool give_record(h2o_tls13_t *tls, struct tls_keys *keys, uint8_t how, uint8_t type, struct tg_text bytes)
{
    uint8_t wire[TLS_HEADER + PLAIN_MAX + 1 + TLS_PADDING_MAX + TLS_TAG];
    size_t size = bytes.len;
    bool is_sealed = (how & (RAW | FLIPPED)) == 0;
    int is_closed = 0;
    long whole, opened;

    if ((how & RAW) != 0)
        memcpy(wire, bytes.base, size);
    else
        size = tls_seal(keys, type, bytes, (how & PADDED) != 0 ? how : 0, wire);
    if ((how & FLIPPED) != 0 && size > TLS_HEADER)
        wire[TLS_HEADER + (type | how << 8) % (size - TLS_HEADER)] ^= 1;
    tls_must(h2o_tls13_record_size(tls, (char *)wire, size < 4 ? size : 4) == 0);
    whole = h2o_tls13_record_size(tls, (char *)wire, size);
    tls_must(whole <= (long)size);
    if (whole <= 0) {
        tls_must(!is_sealed || size > H2O_TLS13_MAX_RECORD);
        return false;
    }
    uint8_t *exact = malloc((size_t)whole); /* so that a byte too far is seen */
    char *plain = malloc((size_t)whole);
    memcpy(exact, wire, (size_t)whole);
    opened = h2o_tls13_open(tls, (char *)exact, (size_t)whole, plain, &is_closed);
    struct tg_text meant = tls_meant(&type, bytes);
    check_opened(opened, plain, type, meant, is_sealed);
    tls_must(!is_closed || (is_sealed && type == TLS_ALERT));
    if (opened == 0 && is_sealed && type == TLS_HANDSHAKE) /* only an update of keys is taken */
        tls_keys_update(keys);
    free(exact);
    free(plain);
    return opened >= 0 && !is_closed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_client client;
    h2o_tls13_t *tls;
    SSL *server;

    if (size < RECORD)
        return 0;
    tls = shake_hands(&server, &client);
    while (size >= RECORD) {
        size_t len = (size_t)data[2] << 8 | data[3], left = size - RECORD;

        len = len < left ? len : left;
        len = len < PLAIN_MAX ? len : PLAIN_MAX;
        if (!give_record(tls, &client.out, data[0], data[1], tg_text_n((const char *)data + RECORD, len)))
            break;
        data += RECORD + len;
        size -= RECORD + len;
    }
    h2o_tls13_free(tls);
    tls_client_done(&client);
    SSL_free(server);
    return 0;
}
