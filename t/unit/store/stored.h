/*
 * stored.h - what the tests of store/ share: a fresh store in a directory of its own, and an account in it
 */
#ifndef TG_TEST_STORED_H
#define TG_TEST_STORED_H

#include "../io/scratch.h"
#include <string.h>
#include "store/account.h"

struct stored {
    char directory[64];
    struct tg_store store;
};

static inline int stored_make(void **state)
{
    struct scratch *scratch;
    struct stored *stored = tg_alloc(sizeof(*stored));

    if (tg_secret_init() != 0 || scratch_make((void **)&scratch) != 0)
        return -1;
    memcpy(stored->directory, scratch->directory, sizeof(stored->directory));
    free(scratch);
    *state = stored;
    if (tg_store_migrate(stored->directory) == 0 && tg_store_open(stored->directory, &stored->store) == 0)
        return 0;
    print_error("%s\n", tg_failure());
    return -1;
}

static inline int stored_remove(void **state)
{
    struct stored *stored = *state;
    int result;

    tg_store_close(&stored->store);
    result = nftw(stored->directory, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(stored);
    return result;
}

#define stored_test(function) cmocka_unit_test_setup_teardown(function, stored_make, stored_remove)

static inline struct tg_account stored_account(struct tg_store *store, const char *login)
{
    struct tg_account account = {.zone = "Europe/Berlin", .password_hash = "hash"};

    snprintf(account.login, sizeof(account.login), "%s", login);
    snprintf(account.email, sizeof(account.email), "%s@Example.test", login);
    assert_result(0, tg_account_add(store, &account));
    return account;
}

static inline int64_t last_change(struct tg_store *store)
{
    int64_t number;

    assert_result(0, tg_change_last(store, &number));
    return number;
}

/* One change row has come since `before`, and it is this one. */
static inline void assert_one_change(struct tg_store *store, int64_t before, enum tg_change_kind kind, const char *subject)
{
    struct tg_change changes[4];
    size_t count;

    assert_result(0, tg_change_after(store, before, changes, tg_count(changes), &count));
    assert_int_equal(count, 1);
    assert_int_equal(changes[0].kind, kind);
    assert_string_equal(changes[0].subject, subject);
}

#endif
