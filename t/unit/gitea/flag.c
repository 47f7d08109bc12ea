#include "../base/test.h"
#include <string.h>
#include "gitea/flag.h"

enum { NOW = 1000000 };

/* Rows: what was known, what Gitea says; what is done, and what is known then. */
struct decision {
    const char *name;
    bool desired, is_admin, prohibited;
    enum tg_flag_origin origin;
    int64_t doubt_s;
    enum tg_flag_step step;
    enum tg_flag_origin then;
    bool observed, due, error;
};

static const struct decision decisions[] = {
    /* name                                     desired admin  prohib origin           doubt     step            then             observ due    error */
    {"open, and so it should be",               false,  false, false, TG_FLAG_NOBODY,  0,        TG_FLAG_SETTLE, TG_FLAG_NOBODY,  false, false, false},
    {"open, and should not be",                 true,   false, false, TG_FLAG_NOBODY,  0,        TG_FLAG_SET,    TG_FLAG_OURS,    false, true,  false},
    {"closed by us, and so it should be",       true,   false, true,  TG_FLAG_OURS,    0,        TG_FLAG_SETTLE, TG_FLAG_OURS,    true,  false, false},
    {"closed by us, and paid",                  false,  false, true,  TG_FLAG_OURS,    0,        TG_FLAG_LIFT,   TG_FLAG_OURS,    true,  true,  false},
    {"closed by others, open with us",          false,  false, true,  TG_FLAG_NOBODY,  0,        TG_FLAG_SETTLE, TG_FLAG_FOREIGN, true,  false, false},
    {"closed by others, expired with us",       true,   false, true,  TG_FLAG_NOBODY,  0,        TG_FLAG_SETTLE, TG_FLAG_FOREIGN, true,  false, false},
    {"known to be closed by others, and paid",  false,  false, true,  TG_FLAG_FOREIGN, 0,        TG_FLAG_SETTLE, TG_FLAG_FOREIGN, true,  false, false},
    {"no longer closed by others",              true,   false, false, TG_FLAG_FOREIGN, 0,        TG_FLAG_SETTLE, TG_FLAG_NOBODY,  false, false, false},
    {"ours was taken away by hand",             true,   false, false, TG_FLAG_OURS,    0,        TG_FLAG_SET,    TG_FLAG_OURS,    false, true,  false},
    {"ours has gone, as it should",             false,  false, false, TG_FLAG_OURS,    0,        TG_FLAG_SETTLE, TG_FLAG_NOBODY,  false, false, false},
    {"ours may still come",                     false,  false, false, TG_FLAG_OURS,    NOW + 30, TG_FLAG_SETTLE, TG_FLAG_OURS,    false, true,  false},
    {"ours has come late",                      false,  false, true,  TG_FLAG_OURS,    NOW + 30, TG_FLAG_LIFT,   TG_FLAG_OURS,    true,  true,  false},
    {"ours cannot come any more",               false,  false, false, TG_FLAG_OURS,    NOW,      TG_FLAG_SETTLE, TG_FLAG_NOBODY,  false, false, false},
    {"the clock was set back by a day",         false,  false, false, TG_FLAG_OURS,    NOW + 86400, TG_FLAG_SETTLE, TG_FLAG_NOBODY, false, false, false},
    {"an administrator is not prohibited",      true,   true,  false, TG_FLAG_NOBODY,  0,        TG_FLAG_SETTLE, TG_FLAG_NOBODY,  false, false, true},
    {"who became one is let in again",          true,   true,  true,  TG_FLAG_OURS,    0,        TG_FLAG_LIFT,   TG_FLAG_OURS,    true,  true,  true},
};

static void each_state_has_its_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
        const struct decision *d = &decisions[i];
        struct tg_flag flag = {.desired = d->desired, .origin = d->origin, .doubt_s = d->doubt_s, .due_ms = 7, .tries = 3};
        struct tg_gitea_user user = {.login = "ada", .is_admin = d->is_admin, .prohibit_login = d->prohibited};

        print_message("# %s\n", d->name);
        assert_int_equal(tg_flag_decide(&flag, &user, NOW), d->step);
        assert_int_equal(flag.origin, d->then);
        assert_int_equal(flag.observed, d->observed);
        assert_int_equal(flag.due_ms != 0, d->due);
        assert_int_equal(flag.error[0] != '\0', d->error);
    }
}

/* Whatever is decided: no step but LIFT ever takes a flag away, and LIFT only takes ours. */
static void only_our_own_flags_are_lifted(void **state)
{
    (void)state;
    for (int bits = 0; bits < 8 * 3; bits++) {
        struct tg_flag flag = {.desired = bits & 1, .origin = (enum tg_flag_origin)(bits / 8), .due_ms = 7};
        struct tg_gitea_user user = {.is_admin = bits & 2, .prohibit_login = bits & 4};
        enum tg_flag_origin origin = flag.origin;
        bool desired = flag.desired;

        enum tg_flag_step step = tg_flag_decide(&flag, &user, NOW);
        if (step == TG_FLAG_LIFT)
            assert_true(origin == TG_FLAG_OURS && user.prohibit_login);
        if (step == TG_FLAG_SET)
            assert_true(desired && !user.is_admin && flag.origin == TG_FLAG_OURS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_step),
        cmocka_unit_test(only_our_own_flags_are_lifted),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
