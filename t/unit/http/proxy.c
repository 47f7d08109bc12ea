/* Who the client is behind proxies: the header of the PROXY protocol, X-Forwarded-For. */
#include "../base/test.h"
#include "base/result.h"
#include "http/forwarded.h"
#include "http/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define HEADER(rest) TG_TEXT(SIGNATURE rest)
#define IP4 "\300\0\2\7\12\0\0\1\1\2\3\4"
#define IP6 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\2\3\4"

static void the_client_is_told(void **state)
{
    static const struct {
        struct tg_text bytes;
        size_t len;
        const char *client; /* NULL: none is told */
    } cases[] = {
        {HEADER("\x21\x11\0\14" IP4), 28, "192.0.2.7"},
        {HEADER("\x21\x11\0\14" IP4 "\x16\3\1"), 28, "192.0.2.7"},           /* and the first bytes of TLS */
        {HEADER("\x21\x11\0\22" IP4 "\3\0\3abc"), 34, "192.0.2.7"},          /* with a TLV */
        {HEADER("\x21\x11\0\16" IP4 "\3\xff"), 30, "192.0.2.7"},             /* one that makes no sense is none of our business */
        {HEADER("\x21\x21\0\44" IP6), 52, "2001:db8::7"},
        {HEADER("\x21\0\0\0"), 16, NULL},                                    /* UNSPEC */
        {HEADER("\x21\0\0\5abcde"), 21, NULL},
        {HEADER("\x20\0\0\0"), 16, NULL},                                    /* LOCAL */
        {HEADER("\x20\x11\0\14" IP4), 28, NULL},
        {HEADER("\x20\xff\0\0"), 0, NULL},
    };

    for (size_t i = 0; i < tg_count(cases); i++) {
        struct tg_proxy_header header;
        char client[TG_IP_TEXT];
        int answer = tg_proxy_header_read(cases[i].bytes, &header);

        if (cases[i].len == 0) {
            assert_int_equal(answer, TG_PROXY_MALFORMED);
            continue;
        }
        assert_int_equal(answer, 0);
        assert_int_equal(header.len, cases[i].len);
        assert_int_equal(header.is_known, cases[i].client != NULL);
        if (!header.is_known)
            continue;
        tg_ip_text(&header.client, client);
        assert_string_equal(client, cases[i].client);
    }
}

static void a_unix_socket_has_no_address(void **state)
{
    char bytes[16 + 216] = SIGNATURE "\x21\x31\0\330";
    struct tg_proxy_header header;

    assert_int_equal(tg_proxy_header_read(tg_text_n(bytes, sizeof(bytes) - 1), &header), TG_PROXY_INCOMPLETE);
    assert_int_equal(tg_proxy_header_read(tg_text_n(bytes, sizeof(bytes)), &header), 0);
    assert_false(header.is_known);
}

static void each_part_of_a_header_is_waited_for(void **state)
{
    static const struct tg_text whole = HEADER("\x21\x21\0\51" IP6 "\4\0\2ab");
    struct tg_proxy_header header;

    for (size_t n = 0; n < whole.len; n++)
        assert_int_equal(tg_proxy_header_read(tg_text_n(whole.base, n), &header), TG_PROXY_INCOMPLETE);
    assert_int_equal(tg_proxy_header_read(whole, &header), 0);
}

static void what_is_no_header_is_refused_as_soon_as_it_shows(void **state)
{
    static const struct tg_text bad[] = {
        TG_TEXT("G"), TG_TEXT("\x16\3\1"), TG_TEXT("PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n"), TG_TEXT("\r\n\r\n\0\r\nQUIX"),
        HEADER("\x11\x11\0\14" IP4), HEADER("\x31\x11\0\14" IP4),    /* versions */
        HEADER("\x22\x11\0\14" IP4), HEADER("\x2f\x11\0\14" IP4),    /* commands */
        HEADER("\x21\x12\0\14" IP4), HEADER("\x21\x10\0\14" IP4), HEADER("\x21\x13\0\14" IP4), HEADER("\x21\x01\0\0"), /* transports */
        HEADER("\x21\x41\0\14" IP4),                                  /* families */
        HEADER("\x21\x11\0\13" IP4), HEADER("\x21\x21\0\14" IP4), HEADER("\x21\x11\0\0"), HEADER("\x21\x31\0\14" IP4), /* too short */
        HEADER("\x21\x11\x0f\xf1" IP4), HEADER("\x21\x11\xff\xff" IP4), HEADER("\x20\0\xff\xff"),                      /* too long */
    };
    struct tg_proxy_header header;

    for (size_t i = 0; i < tg_count(bad); i++) {
        if (tg_proxy_header_read(bad[i], &header) != TG_PROXY_MALFORMED)
            fail_msg("%zu is taken", i);
    }
    assert_int_equal(tg_proxy_header_read(HEADER("\x21\x11\x0f\xf0" IP4), &header), TG_PROXY_INCOMPLETE); /* the longest */
}

static void the_client_is_the_last_hop_that_is_not_trusted(void **state)
{
    static const struct {
        const char *values[3];
        const char *client; /* NULL: the peer is all that is known */
    } cases[] = {
        {{"192.0.2.7"}, "192.0.2.7"},
        {{"192.0.2.7:5312"}, "192.0.2.7"},
        {{"2001:db8::7"}, "2001:db8::7"},
        {{"[2001:db8::7]"}, "2001:db8::7"},
        {{"[2001:db8::7]:443"}, "2001:db8::7"},
        {{"1.1.1.1, 192.0.2.7"}, "192.0.2.7"},
        {{"1.1.1.1,\t192.0.2.7 ,10.1.1.1"}, "192.0.2.7"},
        {{"1.1.1.1, 192.0.2.7, 10.1.1.1", "10.2.2.2"}, "192.0.2.7"},
        {{"1.1.1.1", "192.0.2.7"}, "192.0.2.7"},
        {{"1.1.1.1", "10.1.1.1", ""}, "1.1.1.1"},
        {{"10.1.1.1, 10.2.2.2"}, "10.1.1.1"},            /* all trusted: the first one asked */
        {{"192.0.2.7, unknown, 10.1.1.1"}, "10.1.1.1"},  /* beyond what cannot be read everything is invented */
        {{"192.0.2.7, 10.1.1.1,"}, NULL},
        {{"unknown"}, NULL},
        {{"192.0.2.7 x"}, NULL},
        {{"_hidden, 192.0.2.7, "}, NULL},
        {{"[192.0.2.7"}, NULL},
        {{"2001:db8::7:"}, NULL},
        {{""}, NULL},
        {{NULL}, NULL},
    };
    struct tg_network trusted[2];
    struct tg_conf_list networks = {trusted, 2};

    assert_int_equal(tg_network_read(TG_TEXT("10.0.0.0/8"), &trusted[0]), 0);
    assert_int_equal(tg_network_read(TG_TEXT("fd00::/8"), &trusted[1]), 0);
    for (size_t i = 0; i < tg_count(cases); i++) {
        struct tg_text values[3];
        struct tg_ip client;
        char text[TG_IP_TEXT];
        size_t count = 0;

        for (; count < 3 && cases[i].values[count] != NULL; count++)
            values[count] = tg_text(cases[i].values[count]);
        bool found = tg_forwarded_for(values, count, &networks, &client);
        if (found != (cases[i].client != NULL))
            fail_msg("case %zu: %s", i, found ? "found" : "not found");
        if (!found)
            continue;
        tg_ip_text(&client, text);
        assert_string_equal(text, cases[i].client);
    }
}

static void a_chain_has_an_end(void **state)
{
    TG_STRING long_one = {NULL, 0, 0};
    struct tg_network trusted;
    struct tg_conf_list networks = {&trusted, 1};
    struct tg_ip client;
    char text[TG_IP_TEXT];

    assert_int_equal(tg_network_read(TG_TEXT("10.0.0.0/8"), &trusted), 0);
    tg_string_add(&long_one, TG_TEXT("192.0.2.7"));
    for (int i = 0; i < 100; i++)
        tg_string_addf(&long_one, ", 10.0.0.%d", i);
    struct tg_text value = tg_string_text(&long_one);
    assert_true(tg_forwarded_for(&value, 1, &networks, &client));
    tg_ip_text(&client, text);
    assert_string_equal(text, "10.0.0.68");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_is_told),
        cmocka_unit_test(a_unix_socket_has_no_address),
        cmocka_unit_test(each_part_of_a_header_is_waited_for),
        cmocka_unit_test(what_is_no_header_is_refused_as_soon_as_it_shows),
        cmocka_unit_test(the_client_is_the_last_hop_that_is_not_trusted),
        cmocka_unit_test(a_chain_has_an_end),
    };

    return RUN_TESTS(tests);
}
