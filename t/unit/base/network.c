#include "test.h"
#include <arpa/inet.h>
#include "base/network.h"
#include "base/result.h"

static void addresses_are_read_in_their_own_forms_only(void **state)
{
    static const char *const good[][2] = {
        {"192.0.2.7", "192.0.2.7"}, {"::ffff:192.0.2.7", "192.0.2.7"}, {"2001:DB8::0:1", "2001:db8::1"}, {"::1", "::1"},
    };
    static const char *const bad[] = {"", "192.0.2", "192.0.2.7 ", "192.0.2.256", "[::1]", "::1%lo", "192.0.2.7:80", "a.b.c.d", "1"};
    struct tg_ip ip;
    char text[TG_IP_TEXT];

    for (size_t i = 0; i < tg_count(good); i++) {
        assert_true(tg_ip_read(tg_text(good[i][0]), &ip));
        tg_ip_text(&ip, text);
        assert_string_equal(text, good[i][1]);
    }
    for (size_t i = 0; i < tg_count(bad); i++)
        assert_false(tg_ip_read(tg_text(bad[i]), &ip));
    assert_false(tg_ip_read(tg_text_n("::1\0", 4), &ip));
}

static void an_address_survives_the_way_through_a_socket_address(void **state)
{
    static const char *const texts[] = {"192.0.2.7", "2001:db8::1"};
    static const int families[] = {AF_INET, AF_INET6};
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    struct tg_ip ip, again;

    for (size_t i = 0; i < tg_count(texts); i++) {
        assert_true(tg_ip_read(tg_text(texts[i]), &ip));
        tg_ip_sockaddr(&ip, &address);
        assert_int_equal(address.ss_family, families[i]);
        assert_true(tg_ip_of((struct sockaddr *)&address, &again));
        assert_memory_equal(&ip, &again, sizeof(ip));
    }
    address.ss_family = AF_UNIX;
    assert_false(tg_ip_of((struct sockaddr *)&address, &again));
}

static void a_network_has_what_its_prefix_says(void **state)
{
    static const struct {
        const char *network, *address;
        bool has;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},       {"10.0.0.0/8", "11.0.0.1", false},         {"10.0.0.0/8", "::ffff:10.0.0.1", true},
        {"192.0.2.128/25", "192.0.2.129", true},  {"192.0.2.128/25", "192.0.2.127", false},  {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},        {"0.0.0.0/0", "203.0.113.9", true},        {"0.0.0.0/0", "2001:db8::1", false},
        {"2001:db8::/33", "2001:db8:7fff::", true}, {"2001:db8::/33", "2001:db8:8000::", false}, {"::/0", "192.0.2.7", true},
        {"::1", "::1", true},                     {"::1", "::2", false},                     {"2001:db8::/32", "10.0.0.1", false},
    };

    for (size_t i = 0; i < tg_count(cases); i++) {
        struct tg_network network;
        struct tg_ip ip;

        assert_int_equal(tg_network_read(tg_text(cases[i].network), &network), 0);
        assert_true(tg_ip_read(tg_text(cases[i].address), &ip));
        if (tg_network_has(&network, &ip) != cases[i].has)
            fail_msg("%s in %s", cases[i].address, cases[i].network);
    }
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const bad[] = {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "/8", "10.0.0.0/ 8", "ten/8", "10/8"};
    static const char *const loose[] = {"10.0.0.1/8", "192.0.2.1/24", "2001:db8::1/64", "128.0.0.0/0"};
    struct tg_network network;

    for (size_t i = 0; i < tg_count(bad); i++)
        assert_int_equal(tg_network_read(tg_text(bad[i]), &network), TG_NETWORK_NONE);
    for (size_t i = 0; i < tg_count(loose); i++)
        assert_int_equal(tg_network_read(tg_text(loose[i]), &network), TG_NETWORK_LOOSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_in_their_own_forms_only),
        cmocka_unit_test(an_address_survives_the_way_through_a_socket_address),
        cmocka_unit_test(a_network_has_what_its_prefix_says),
        cmocka_unit_test(what_is_no_network_is_refused),
    };

    return RUN_TESTS(tests);
}
