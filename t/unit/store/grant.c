#include "stored.h"
#include <pthread.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "store/grant.h"

static const char client[] = "client-one", other[] = "client-two";

struct code {
    char bytes[TG_TOKEN];
    struct tg_text text;
};

static void make_code(struct stored *s, struct code *code, int64_t ttl_s)
{
    struct tg_grant grant = {.client = "client-one", .account = "ada", .session = "session",
                             .redirect_uri = "https://code.example/cb", .scope = "openid", .nonce = "nonce",
                             .challenge = "challenge", .auth_time_s = 17, .expires_s = tg_now_s() + ttl_s};

    tg_random_token(code->bytes);
    code->text = tg_text(code->bytes);
    assert_result(0, tg_grant_add(&s->store, code->text, &grant));
}

static void make_token(struct stored *s, struct code *token, const struct code *code)
{
    struct tg_access access = {.client = "client-one", .account = "ada", .scope = "openid", .expires_s = 2000};

    tg_random_token(token->bytes);
    token->text = tg_text(token->bytes);
    assert_result(0, tg_access_add(&s->store, token->text, code->text, &access));
}

static void a_code_is_taken_once_and_comes_back_as_it_was(void **state)
{
    struct stored *s = *state;
    struct tg_grant grant;
    struct code code;

    make_code(s, &code, 60);
    assert_result(0, tg_grant_look(&s->store, code.text, &grant));
    assert_int_equal(grant.taken_ms, 0);
    int64_t before_ms = tg_now_ms();
    assert_result(0, tg_grant_take(&s->store, code.text, client, &grant));
    assert_string_equal(grant.client, client);
    assert_string_equal(grant.account, "ada");
    assert_string_equal(grant.session, "session");
    assert_string_equal(grant.redirect_uri, "https://code.example/cb");
    assert_string_equal(grant.scope, "openid");
    assert_string_equal(grant.nonce, "nonce");
    assert_string_equal(grant.challenge, "challenge");
    assert_int_equal(grant.auth_time_s, 17);
    assert_in_range(grant.taken_ms, before_ms, tg_now_ms());
    assert_result(0, tg_grant_look(&s->store, code.text, &grant));
    assert_in_range(grant.taken_ms, before_ms, tg_now_ms());
    assert_result(TG_GRANT_REPLAYED, tg_grant_take(&s->store, code.text, client, &grant));
}

static void a_code_is_not_in_the_database(void **state)
{
    struct stored *s = *state;
    TG_FREED char *path = tg_format("%s/transient.db-wal", s->directory);
    struct code code;
    char *at = NULL;

    make_code(s, &code, 60);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *bytes = tg_alloc(1 << 20);
    size_t len = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    assert_non_null(memmem(bytes, len, "https://code.example/cb", 23)); /* the row is there */
    at = memmem(bytes, len, code.bytes, 43);
    free(bytes);
    assert_null(at);
}

static void the_wrong_client_takes_nothing_and_revokes_nothing(void **state)
{
    struct stored *s = *state;
    struct tg_grant grant;
    struct tg_access access;
    struct code code, token;

    make_code(s, &code, 60);
    assert_result(TG_GRANT_FOREIGN, tg_grant_take(&s->store, code.text, other, &grant));
    assert_result(0, tg_grant_take(&s->store, code.text, client, &grant));
    make_token(s, &token, &code);
    assert_result(TG_GRANT_FOREIGN, tg_grant_take(&s->store, code.text, other, &grant));
    assert_result(0, tg_access_find(&s->store, token.text, 1000, &access));
}

static void unknown_and_expired_codes_are_told_apart(void **state)
{
    struct stored *s = *state;
    struct tg_grant grant;
    struct code code;

    assert_result(TG_GRANT_UNKNOWN, tg_grant_take(&s->store, TG_TEXT("none"), client, &grant));
    assert_result(TG_GRANT_UNKNOWN, tg_grant_look(&s->store, TG_TEXT("none"), &grant));
    assert_result(TG_GRANT_UNKNOWN, tg_grant_take(&s->store, TG_TEXT(""), client, &grant));
    make_code(s, &code, 0);
    assert_result(TG_GRANT_EXPIRED, tg_grant_take(&s->store, code.text, client, &grant));
}

static void a_replay_revokes_what_the_first_use_got(void **state)
{
    struct stored *s = *state;
    struct tg_grant grant;
    struct tg_access access;
    struct code code, token, unrelated, unrelated_token, late;

    make_code(s, &code, 60);
    make_code(s, &unrelated, 60);
    assert_result(0, tg_grant_take(&s->store, code.text, client, &grant));
    make_token(s, &token, &code);
    make_token(s, &unrelated_token, &unrelated);
    assert_result(0, tg_access_find(&s->store, token.text, 1000, &access));
    assert_result(TG_GRANT_REPLAYED, tg_grant_take(&s->store, code.text, client, &grant));
    assert_result(TG_ACCESS_UNKNOWN, tg_access_find(&s->store, token.text, 1000, &access));
    assert_result(0, tg_access_find(&s->store, unrelated_token.text, 1000, &access));

    make_token(s, &late, &code); /* the first use was slower than the second */
    assert_result(TG_ACCESS_UNKNOWN, tg_access_find(&s->store, late.text, 1000, &access));
}

static void tokens_are_found_until_they_expire(void **state)
{
    struct stored *s = *state;
    struct tg_access access;
    struct code code, token;

    make_code(s, &code, 60);
    make_token(s, &token, &code);
    assert_result(0, tg_access_find(&s->store, token.text, 1999, &access));
    assert_string_equal(access.client, client);
    assert_string_equal(access.account, "ada");
    assert_string_equal(access.scope, "openid");
    assert_int_equal(access.expires_s, 2000);
    assert_result(TG_ACCESS_EXPIRED, tg_access_find(&s->store, token.text, 2000, &access));
    assert_result(TG_ACCESS_UNKNOWN, tg_access_find(&s->store, code.text, 1000, &access));
}

static void pruning_takes_expired_rows_only(void **state)
{
    struct stored *s = *state;
    struct tg_grant grant;
    struct tg_access access;
    struct code old[3], fresh, token;
    int left = 0;

    for (size_t i = 0; i < tg_count(old); i++)
        make_code(s, &old[i], -10);
    make_code(s, &fresh, 60);
    make_token(s, &token, &fresh);
    assert_result(0, tg_grant_prune(&s->store, tg_now_s(), 2));
    for (size_t i = 0; i < tg_count(old); i++)
        left += tg_grant_look(&s->store, old[i].text, &grant) == 0;
    assert_int_equal(left, 1);
    assert_result(0, tg_grant_look(&s->store, fresh.text, &grant));
    assert_result(TG_ACCESS_UNKNOWN, tg_access_find(&s->store, token.text, 1000, &access));
}

enum { TAKERS = 50 };

struct taker {
    pthread_t thread;
    const char *directory;
    struct tg_text code;
    pthread_barrier_t *barrier;
    int answer;
};

static int take_with_own_store(const char *directory, struct tg_text code, pthread_barrier_t *barrier)
{
    struct tg_store store;
    struct tg_grant grant;

    if (tg_store_open(directory, &store) != 0)
        return -100;
    if (barrier != NULL)
        pthread_barrier_wait(barrier);
    int answer = tg_grant_take(&store, code, client, &grant);
    tg_store_close(&store);
    return answer;
}

static void *take_once(void *argument)
{
    struct taker *taker = argument;

    taker->answer = take_with_own_store(taker->directory, taker->code, taker->barrier);
    return NULL;
}

static void of_fifty_threads_one_takes_the_code(void **state)
{
    struct stored *s = *state;
    struct taker takers[TAKERS];
    pthread_barrier_t barrier;
    struct code code;
    int won = 0, replayed = 0;

    make_code(s, &code, 60);
    pthread_barrier_init(&barrier, NULL, TAKERS);
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = (struct taker){.directory = s->directory, .code = code.text, .barrier = &barrier};
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_once, &takers[i]), 0);
    }
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(takers[i].thread, NULL);
        won += takers[i].answer == 0;
        replayed += takers[i].answer == TG_GRANT_REPLAYED;
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(won, 1);
    assert_int_equal(replayed, TAKERS - 1);
}

static void of_fifty_processes_one_takes_the_code(void **state)
{
    struct stored *s = *state;
    int gate[2], status, won = 0, replayed = 0;
    pid_t takers[TAKERS];
    struct code code;
    char byte;

    make_code(s, &code, 60);
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = fork();
        if (takers[i] == 0) {
            close(gate[1]);
            if (read(gate[0], &byte, 1) != 0) /* until the parent opens the gate */
                _exit(99);
            _exit(take_with_own_store(s->directory, code.text, NULL) & 0x7f);
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (int i = 0; i < TAKERS; i++) {
        waitpid(takers[i], &status, 0);
        won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        replayed += WIFEXITED(status) && WEXITSTATUS(status) == TG_GRANT_REPLAYED;
    }
    assert_int_equal(won, 1);
    assert_int_equal(replayed, TAKERS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(a_code_is_taken_once_and_comes_back_as_it_was),
        stored_test(a_code_is_not_in_the_database),
        stored_test(the_wrong_client_takes_nothing_and_revokes_nothing),
        stored_test(unknown_and_expired_codes_are_told_apart),
        stored_test(a_replay_revokes_what_the_first_use_got),
        stored_test(tokens_are_found_until_they_expire),
        stored_test(pruning_takes_expired_rows_only),
        stored_test(of_fifty_threads_one_takes_the_code),
        stored_test(of_fifty_processes_one_takes_the_code),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
