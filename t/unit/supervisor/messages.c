/* What the supervisor and its children say to each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/secret.h"
#include "supervisor/control.h"
#include "supervisor/plan.h"
#include "supervisor/snapshot.h"
#include "supervisor/tickets.h"

static void a_message_arrives_as_it_was_sent(void **state)
{
    struct tg_string buffer = {NULL, 0, 0};
    struct tg_control_message message;
    int ends[2];

    (void)state;
    assert_int_equal(tg_control_pair(ends), 0);
    assert_int_equal(tg_control_receive(ends[0], &buffer, &message), TG_CONTROL_NONE);
    assert_int_equal(tg_control_send(ends[1], "ready", tg_text(NULL)), 0);
    assert_int_equal(tg_control_send(ends[1], "failed", tg_text("no store: a b")), 0);
    assert_int_equal(tg_control_receive(ends[0], &buffer, &message), 0);
    assert_true(tg_text_is(message.verb, "ready"));
    assert_null(message.rest.base);
    assert_int_equal(tg_control_receive(ends[0], &buffer, &message), 0);
    assert_true(tg_text_is(message.verb, "failed"));
    assert_true(tg_text_is(message.rest, "no store: a b"));
    close(ends[1]);
    assert_int_equal(tg_control_receive(ends[0], &buffer, &message), TG_CONTROL_CLOSED);
    close(ends[0]);
    tg_string_done(&buffer);
}

static void a_long_message_is_cut_and_a_reader_that_sleeps_does_not_block(void **state)
{
    struct tg_string buffer = {NULL, 0, 0};
    struct tg_control_message message;
    int ends[2];
    char *text = calloc(1, 100001);

    (void)state;
    memset(text, 'x', 100000);
    assert_int_equal(tg_control_pair(ends), 0);
    assert_int_equal(tg_control_send(ends[0], "status", tg_text(text)), 0);
    assert_int_equal(tg_control_receive(ends[1], &buffer, &message), 0);
    assert_int_equal(message.rest.len, TG_CONTROL_MESSAGE - strlen("status "));
    int result = 0;
    for (int i = 0; i < 100 && result == 0; i++)
        result = tg_control_send(ends[0], "status", tg_text(text));
    assert_true(result < 0);
    close(ends[0]);
    close(ends[1]);
    tg_string_done(&buffer);
    free(text);
}

static int take(struct tg_plan *plan, const char *packet)
{
    struct tg_control_message message;

    tg_control_read(tg_text(packet), &message);
    return tg_plan_take(plan, &message);
}

static void a_plan_is_taken_line_by_line(void **state)
{
    struct tg_string name = {NULL, 0, 0};
    struct tg_plan plan;

    (void)state;
    tg_plan_init(&plan);
    assert_int_equal(take(&plan, "run /run/teagate"), 0);
    assert_int_equal(take(&plan, "user teagate"), 0);
    assert_int_equal(take(&plan, "drain 17"), 0);
    assert_int_equal(take(&plan, "listen https * 443"), 0);
    assert_int_equal(take(&plan, "listen https ::1 8443"), 0);
    assert_int_equal(take(&plan, "listen admin unix /run/a b/admin.sock"), 0);
    assert_string_equal(plan.run, "/run/teagate");
    assert_string_equal(plan.user, "teagate");
    assert_int_equal(plan.drain_s, 17);
    assert_int_equal(plan.bind_count, 3);
    assert_int_equal(plan.binds[0].port, 443);
    assert_string_equal(plan.binds[2].path, "/run/a b/admin.sock");
    for (size_t i = 0; i < 3; i++) {
        tg_bind_name(&plan.binds[i], &name);
        tg_string_add(&name, TG_TEXT(" "));
    }
    assert_string_equal(name.base, ":443 [::1]:8443 unix:/run/a b/admin.sock ");
    tg_string_done(&name);
}

static void a_plan_refuses_what_does_not_fit_and_passes_over_what_it_does_not_know(void **state)
{
    struct tg_plan plan;

    (void)state;
    tg_plan_init(&plan);
    assert_int_equal(take(&plan, "weather fine"), TG_PLAN_UNKNOWN);
    assert_true(take(&plan, "listen https * 0") < 0);
    assert_true(take(&plan, "listen https * 65536") < 0);
    assert_true(take(&plan, "listen https *") < 0);
    assert_true(take(&plan, "listen") < 0);
    assert_true(take(&plan, "listen a-kind-that-is-too-long * 443") < 0);
    assert_true(take(&plan, "user a-name-that-no-machine-would-ever-accept") < 0);
    assert_true(take(&plan, "run") < 0);
    assert_true(take(&plan, "drain soon") < 0);
    assert_int_equal(plan.bind_count, 0);
    for (int i = 0; i < TG_BINDS; i++)
        assert_int_equal(take(&plan, "listen https * 443"), 0);
    assert_true(take(&plan, "listen https * 443") < 0);
}

static void ticket_keys_turn_and_survive_the_way(void **state)
{
    struct tg_tickets tickets = {.count = 0}, read;
    struct tg_string text = {NULL, 0, 0};
    uint8_t first[TG_TICKET];

    (void)state;
    tg_tickets_turn(&tickets, 1);
    memcpy(first, tickets.keys[0], TG_TICKET);
    for (int i = 0; i < TG_TICKETS - 1; i++)
        tg_tickets_turn(&tickets, 2);
    assert_int_equal(tickets.count, TG_TICKETS);
    assert_memory_equal(tickets.keys[TG_TICKETS - 1], first, TG_TICKET);
    tg_tickets_write(&tickets, &text);
    assert_int_equal(tg_tickets_read(tg_string_text(&text), &read), 0);
    assert_int_equal(read.count, TG_TICKETS);
    assert_memory_equal(read.keys, tickets.keys, sizeof(read.keys));
    tg_tickets_turn(&tickets, 3);
    assert_memory_not_equal(tickets.keys[TG_TICKETS - 1], first, TG_TICKET);
    assert_int_equal(tg_tickets_read(tg_text("00ff"), &read), TG_TICKETS_MALFORMED);
    text.base[3] = 'z';
    assert_int_equal(tg_tickets_read(tg_string_text(&text), &read), TG_TICKETS_MALFORMED);
    tg_string_done(&text);
}

static void a_snapshot_is_what_the_file_was_and_cannot_be_written(void **state)
{
    char path[] = "/tmp/teagate-unit-XXXXXX";
    struct tg_string text = {NULL, 0, 0};
    int file = mkstemp(path), fd;

    (void)state;
    assert_int_equal(write(file, "state: /x\n", 10), 10);
    assert_int_equal(tg_snapshot_take(path, &fd), 0);
    assert_int_equal(ftruncate(file, 0), 0);
    assert_int_equal(tg_snapshot_read(fd, &text), 0);
    assert_string_equal(text.base, "state: /x\n");
    assert_true(pwrite(fd, "x", 1, 0) < 0);
    assert_true(ftruncate(fd, 0) < 0);
    close(fd);
    close(file);
    unlink(path);
    assert_true(tg_snapshot_take(path, &fd) < 0);
    tg_string_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_as_it_was_sent),
        cmocka_unit_test(a_long_message_is_cut_and_a_reader_that_sleeps_does_not_block),
        cmocka_unit_test(a_plan_is_taken_line_by_line),
        cmocka_unit_test(a_plan_refuses_what_does_not_fit_and_passes_over_what_it_does_not_know),
        cmocka_unit_test(ticket_keys_turn_and_survive_the_way),
        cmocka_unit_test(a_snapshot_is_what_the_file_was_and_cannot_be_written),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return tg_secret_init() == 0 ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
