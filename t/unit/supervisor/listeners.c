/* Listening sockets across reloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "supervisor/listeners.h"

/* Below the ports that connections get by themselves, free on all addresses, and by chance: other tests look for theirs at the same time. */
static uint16_t free_port(void)
{
    for (;;) {
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        uint16_t port = (uint16_t)(10000 + random() % 20000);

        assert_true(fd >= 0);
        name.sin_port = htons(port);
        bool is_free = bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0;
        close(fd);
        if (is_free)
            return port;
    }
}

static void add(struct tg_plan *plan, const char *format, int port)
{
    char packet[128];
    struct tg_control_message message;

    snprintf(packet, sizeof(packet), format, port);
    tg_control_read(tg_text(packet), &message);
    assert_int_equal(tg_plan_take(plan, &message), 0);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void what_stays_keeps_its_socket(void **state)
{
    struct tg_listeners listeners = {.count = 0};
    struct tg_string errors = {NULL, 0, 0};
    struct tg_plan first, second;
    int one = free_port(), two = free_port();

    (void)state;
    tg_plan_init(&first);
    add(&first, "listen https 127.0.0.1 %d", one);
    tg_plan_init(&second);
    add(&second, "listen https 127.0.0.1 %d", one);
    add(&second, "listen http * %d", two);
    assert_int_equal(tg_listeners_open(&listeners, &first, &errors), 0);
    assert_int_equal(listeners.count, 1);
    int kept = listeners.items[0].fd;
    assert_true(option(kept, SOL_SOCKET, SO_ACCEPTCONN));
    assert_true(option(kept, IPPROTO_TCP, TCP_NODELAY));
    assert_int_equal(tg_listeners_open(&listeners, &second, &errors), 0);
    assert_true(listeners.count == 3 || access("/proc/net/if_inet6", F_OK) != 0);
    tg_listeners_keep(&listeners, &second);
    assert_int_equal(listeners.items[0].fd, kept);
    tg_listeners_keep(&listeners, &first);
    assert_int_equal(listeners.count, 1);
    assert_int_equal(listeners.items[0].fd, kept);
    tg_listeners_keep(&listeners, NULL);
    assert_int_equal(listeners.count, 0);
    assert_int_equal(errors.len, 0);
}

static void one_that_is_taken_opens_none(void **state)
{
    struct tg_listeners listeners = {.count = 0}, other = {.count = 0};
    struct tg_string errors = {NULL, 0, 0};
    struct tg_plan taken, plan;
    int one = free_port(), two = free_port();

    (void)state;
    tg_plan_init(&taken);
    add(&taken, "listen https 127.0.0.1 %d", one);
    assert_int_equal(tg_listeners_open(&other, &taken, &errors), 0);
    tg_plan_init(&plan);
    add(&plan, "listen https 127.0.0.1 %d", two);
    add(&plan, "listen https 127.0.0.1 %d", one);
    assert_int_equal(tg_listeners_open(&listeners, &plan, &errors), TG_LISTEN_REFUSED);
    assert_int_equal(listeners.count, 0);
    assert_non_null(strstr(errors.base, "Address already in use"));
    tg_listeners_keep(&other, NULL);
    errors.len = 0;
    assert_int_equal(tg_listeners_open(&listeners, &plan, &errors), 0);
    tg_listeners_keep(&listeners, NULL);
    tg_string_done(&errors);
}

static void a_stale_unix_socket_is_replaced_a_live_one_is_not(void **state)
{
    char directory[] = "/tmp/teagate-unit-XXXXXX";
    struct tg_listeners listeners = {.count = 0}, other = {.count = 0};
    struct tg_string errors = {NULL, 0, 0};
    struct tg_control_message message;
    struct tg_plan plan;
    char packet[128];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(packet, sizeof(packet), "listen admin unix %s/admin.sock", directory);
    tg_plan_init(&plan);
    tg_control_read(tg_text(packet), &message);
    assert_int_equal(tg_plan_take(&plan, &message), 0);
    assert_int_equal(tg_listeners_open(&listeners, &plan, &errors), 0);
    assert_int_equal(tg_listeners_open(&other, &plan, &errors), TG_LISTEN_REFUSED);
    close(listeners.items[0].fd); /* as a crash leaves it */
    listeners.count = 0;
    errors.len = 0;
    assert_int_equal(tg_listeners_open(&listeners, &plan, &errors), 0);
    tg_listeners_keep(&listeners, NULL);
    assert_int_not_equal(access(strchr(packet, '/'), F_OK), 0);
    rmdir(directory);
    tg_string_done(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays_keeps_its_socket),
        cmocka_unit_test(one_that_is_taken_opens_none),
        cmocka_unit_test(a_stale_unix_socket_is_replaced_a_live_one_is_not),
    };

    srandom((unsigned)getpid());
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
