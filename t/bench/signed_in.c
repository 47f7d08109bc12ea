/*
 * signed_in.c - makes somebody signed in, in the state of a service that a benchmark has started
 *
 *   bench-signed-in STATE AUTHORITY
 *
 * Adds an account with a subscription to the store and prints the cookie that the gateway would have set after its sign-in at the Gitea
 * of that authority: a sign-in by hand needs a Gitea, and what is measured has none behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/result.h"
#include "front/front.h"
#include "front/session_cookie.h"
#include "store/subscription.h"

enum { PLENTY_S = 300 * 86400 };

static int sign_in(const char *state, const char *authority, char value[TG_GATEWAY_COOKIE_VALUE])
{
    struct tg_account account = {.login = "bench", .email = "bench@example.test"};
    struct tg_gateway_cookie cookie = {.state = TG_GATEWAY_SIGNED_IN, .gitea_session = "0123456789abcdef", .issued_s = tg_now_s()};
    struct tg_store store = {NULL};
    struct tg_keyring ring;
    char path[4096];

    snprintf(path, sizeof(path), "%s/secrets/seal.key", state);
    tg_try(tg_keyring_load(&ring, path, false));
    tg_try(tg_store_open(state, &store));
    if (tg_try(tg_account_add(&store, &account)) != 0)
        return tg_fail("there is such an account already");
    tg_try(tg_subscription_set(&store, account.id, tg_now_s() + PLENTY_S));
    memcpy(cookie.account, account.id, sizeof(cookie.account));
    cookie.epoch = account.session_epoch;
    tg_gateway_cookie_seal(&ring, authority, &cookie, value);
    tg_store_close(&store);
    return 0;
}

int main(int argc, char **argv)
{
    char value[TG_GATEWAY_COOKIE_VALUE];

    tg_time_init();
    if (argc != 3 || tg_secret_init() != 0 || sign_in(argv[1], argv[2], value) != 0) {
        fprintf(stderr, "bench-signed-in: %s\n", argc != 3 ? "STATE AUTHORITY" : tg_failure());
        return EXIT_FAILURE;
    }
    printf(TG_FRONT_COOKIE "=%s\n", value);
    return EXIT_SUCCESS;
}
