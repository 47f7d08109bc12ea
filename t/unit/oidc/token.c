/* The token endpoint and the ID token: criteria 21, 32, 37 to 48, 55 to 57. */
#include "rig.h"
#include <pthread.h>
#include "base/clock.h"
#include "base/jose.h"
#include "base/json.h"
#include "store/signing_key.h"

#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" /* RFC 7636 appendix B */
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

static void assert_oauth_error(struct tg_call *call, int status, const char *error)
{
    json_t *json = rig_json(call);

    if (call->reply.status != status || strcmp(json_string_value(json_object_get(json, "error")), error) != 0)
        fail_msg("%d %.*s instead of %d %s", call->reply.status, TG_TEXT_ARGS(call->reply.body), status, error);
    assert_false(call->reply.cacheable); /* no-store */
    assert_null(json_object_get(json, "access_token"));
    json_decref(json);
}

/* Redeems a fresh code and expects this error; the code then still works or not. */
static void assert_refused(struct rig *rig, const char *more, const char *error)
{
    char code[TG_TOKEN];

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *call = rig_redeem(rig, &rig->app, code, more);
    assert_oauth_error(call, 400, error);
    rig_done(call);
}

static struct tg_call *post(struct rig *rig, const char *body)
{
    struct tg_call *call = rig_call(rig, "POST", "/token");

    rig_form(call, body);
    return call;
}

static void assert_works(struct rig *rig, const char *code)
{
    struct tg_call *call = rig_redeem(rig, &rig->app, code, "");

    if (call->reply.status != 200)
        fail_msg("%.*s", TG_TEXT_ARGS(call->reply.body));
    rig_done(call);
}

static void add_challenge(struct tg_grant *grant)
{
    strcpy(grant->challenge, CHALLENGE);
}

static void add_nonce(struct tg_grant *grant)
{
    strcpy(grant->nonce, "n-0S6_WzA2Mj \"<");
}

static void expire(struct tg_grant *grant)
{
    grant->expires_s = tg_now_s() - 1;
}

static void criterion_37_posted_forms_only(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN];
    const struct tg_endpoint *row = tg_oidc_endpoints;

    while (strcmp(row->path, "/token") != 0)
        ++row;
    assert_int_equal(row->methods, TG_POST); /* the caller answers others with 405 and Allow */
    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *call = post(rig, "{\"grant_type\":\"authorization_code\"}");
    call->content_type = TG_TEXT("application/json");
    rig_run(rig, call, tg_oidc_endpoints);
    assert_oauth_error(call, 400, "invalid_request");
    rig_done(call);

    call = rig_call(rig, "POST", "/token?client_secret=x");
    rig_form(call, "grant_type=authorization_code");
    rig_basic(call, rig->app.id, SECRET_ENCODED);
    rig_run(rig, call, tg_oidc_endpoints);
    assert_oauth_error(call, 400, "invalid_request");
    rig_done(call);
}

static void criterion_38_the_answer(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN];

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *call = rig_redeem(rig, &rig->app, code, "");
    assert_int_equal(call->reply.status, 200);
    assert_false(call->reply.cacheable);
    assert_string_equal(rig_header(call, "pragma"), "no-cache");
    json_t *json = rig_json(call);
    assert_int_equal(json_string_length(json_object_get(json, "access_token")), 43);
    assert_string_equal(json_string_value(json_object_get(json, "token_type")), "Bearer");
    assert_true(json_is_integer(json_object_get(json, "expires_in")));
    assert_int_equal(json_integer_value(json_object_get(json, "expires_in")), 3600);
    assert_non_null(json_string_value(json_object_get(json, "id_token")));
    assert_string_equal(json_string_value(json_object_get(json, "scope")), "openid profile email groups");
    json_decref(json);
    rig_done(call);
}

static void criterion_39_basic_is_form_decoded(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN];

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *call = post(rig, "");
    rig_form(call, tg_arena_format(&call->arena, "grant_type=authorization_code&code=%s&redirect_uri=" APP_CALLBACK, code));
    rig_basic(call, rig->app.id, SECRET); /* not encoded: another secret */
    rig_run(rig, call, tg_oidc_endpoints);
    assert_oauth_error(call, 401, "invalid_client");
    rig_done(call);
    assert_works(rig, code); /* encoded */
}

static void criterion_40_the_secret_in_the_body(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN];

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *both = post(rig, "");
    const char *body = tg_arena_format(&both->arena, "grant_type=authorization_code&code=%s&redirect_uri=" APP_CALLBACK
                                       "&client_id=%s&client_secret=%s", code, rig->app.id, SECRET_ENCODED);
    rig_form(both, body);
    rig_basic(both, rig->app.id, SECRET_ENCODED);
    rig_run(rig, both, tg_oidc_endpoints);
    assert_oauth_error(both, 400, "invalid_request");

    struct tg_call *call = post(rig, body);
    rig_run(rig, call, tg_oidc_endpoints);
    assert_int_equal(call->reply.status, 200);
    rig_done(call);
    rig_done(both);
}

static void criterion_41_a_client_that_fails_leaves_the_code(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN];
    static const char *const wrong[] = {"wrong", "", "s%zz"};

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_arena arena = {0};
    const char *body = tg_arena_format(&arena, "grant_type=authorization_code&code=%s&redirect_uri=" APP_CALLBACK, code);
    for (size_t i = 0; i < tg_count(wrong); ++i) {
        struct tg_call *call = post(rig, body);
        rig_basic(call, rig->app.id, wrong[i]);
        rig_run(rig, call, tg_oidc_endpoints);
        assert_oauth_error(call, 401, "invalid_client");
        assert_int_equal(strncmp(rig_header(call, "www-authenticate"), "Basic ", 6), 0);
        rig_done(call);
    }
    struct tg_call *nobody = post(rig, body);
    rig_basic(nobody, "nobody", SECRET_ENCODED);
    rig_run(rig, nobody, tg_oidc_endpoints);
    assert_oauth_error(nobody, 401, "invalid_client");
    rig_done(nobody);

    struct tg_call *none = post(rig, tg_arena_format(&arena, "%s&client_id=%s", body, rig->app.id));
    rig_run(rig, none, tg_oidc_endpoints);
    assert_oauth_error(none, 401, "invalid_client");
    assert_string_equal(rig_header(none, "www-authenticate"), "");
    rig_done(none);
    tg_arena_done(&arena);
    assert_works(rig, code);
}

static void criterion_42_the_address_must_be_the_same(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN];
    struct tg_arena arena = {0};

    for (size_t i = 0; i < 2; ++i) {
        rig_grant(rig, code, &rig->app, NULL);
        struct tg_call *call = post(rig, i == 0 ? tg_arena_format(&arena, "grant_type=authorization_code&code=%s", code)
                                                : tg_arena_format(&arena,
                                                                  "grant_type=authorization_code&code=%s&redirect_uri=%s/", code,
                                                                  APP_CALLBACK));
        rig_basic(call, rig->app.id, SECRET_ENCODED);
        rig_run(rig, call, tg_oidc_endpoints);
        assert_oauth_error(call, 400, "invalid_grant");
        rig_done(call);
    }
    tg_arena_done(&arena);
}

static void criterion_43_another_clients_code_stays_his(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN];

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *call = rig_redeem(rig, &rig->git, code, "");
    assert_oauth_error(call, 400, "invalid_grant");
    rig_done(call);
    assert_works(rig, code);
}

static int userinfo_status(struct rig *rig, const char *token)
{
    struct tg_call *call = rig_call(rig, "GET", "/userinfo");

    call->authorization = tg_text(tg_arena_format(&call->arena, "Bearer %s", token));
    call->authorization_count = 1;
    rig_run(rig, call, tg_oidc_endpoints);
    int status = call->reply.status;
    rig_done(call);
    return status;
}

static void criterion_44_a_second_use_revokes_the_first(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN], token[TG_TOKEN];

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *first = rig_redeem(rig, &rig->app, code, "");
    json_t *json = rig_json(first);
    snprintf(token, sizeof(token), "%s", json_string_value(json_object_get(json, "access_token")));
    json_decref(json);
    assert_int_equal(userinfo_status(rig, token), 200);
    struct tg_call *second = rig_redeem(rig, &rig->app, code, "");
    assert_oauth_error(second, 400, "invalid_grant");
    assert_int_equal(userinfo_status(rig, token), 401);
    rig_done(first);
    rig_done(second);
}

/* x/oauth2, and so Gitea, does not know how we want the secret: what fails in one way it tries again in the other. */
static void criteria_41_and_44_trying_another_way_is_no_replay(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN], token[TG_TOKEN];

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *first = post(rig, "");
    const char *body = tg_arena_format(&first->arena, "grant_type=authorization_code&code=%s&redirect_uri=" APP_CALLBACK, code);
    rig_form(first, body);
    rig_basic(first, rig->app.id, "wrong");
    rig_run(rig, first, tg_oidc_endpoints);
    assert_oauth_error(first, 401, "invalid_client");
    struct tg_call *second = post(rig, tg_arena_format(&first->arena, "%s&client_id=%s&client_secret=%s", body, rig->app.id,
                                                      SECRET_ENCODED));
    rig_run(rig, second, tg_oidc_endpoints);
    json_t *json = rig_json(second);
    snprintf(token, sizeof(token), "%s", json_string_value(json_object_get(json, "access_token")));
    json_decref(json);
    assert_int_equal(userinfo_status(rig, token), 200);

    struct tg_call *third = post(rig, body); /* also afterwards: who cannot prove himself revokes nothing */
    rig_basic(third, rig->app.id, "wrong");
    rig_run(rig, third, tg_oidc_endpoints);
    assert_oauth_error(third, 401, "invalid_client");
    assert_int_equal(userinfo_status(rig, token), 200);
    struct tg_call *fourth = rig_redeem(rig, &rig->app, code, "");
    assert_oauth_error(fourth, 400, "invalid_grant");
    assert_int_equal(userinfo_status(rig, token), 401);
    struct tg_call *all[] = {first, second, third, fourth};
    for (size_t i = 0; i < tg_count(all); ++i)
        rig_done(all[i]);
}

static void forget_session(struct tg_grant *grant)
{
    strcpy(grant->session, "nobody");
}

static void criterion_21_a_code_is_good_as_long_as_its_session(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN];
    struct tg_grant grant;

    rig_grant(rig, code, &rig->app, NULL);
    assert_result(0, tg_grant_look(rig->store, tg_text(code), &grant));
    assert_result(0, tg_session_end(rig->store, grant.session)); /* signed out */
    struct tg_call *call = rig_redeem(rig, &rig->app, code, "");
    assert_oauth_error(call, 400, "invalid_grant");
    rig_done(call);

    rig_grant(rig, code, &rig->app, NULL);
    assert_result(0, tg_account_raise_epoch(rig->store, rig->mara.id)); /* signed out everywhere */
    call = rig_redeem(rig, &rig->app, code, "");
    assert_oauth_error(call, 400, "invalid_grant");
    rig_done(call);

    rig_grant(rig, code, &rig->app, forget_session);
    call = rig_redeem(rig, &rig->app, code, "");
    assert_oauth_error(call, 400, "invalid_grant");
    rig_done(call);
    rig_grant(rig, code, &rig->app, NULL);
    assert_works(rig, code);
}

struct racer {
    struct rig rig; /* with a worker of its own */
    const char *code;
    pthread_barrier_t *start;
    int status;
};

static void *race(void *argument)
{
    struct racer *racer = argument;

    pthread_barrier_wait(racer->start);
    struct tg_call *call = rig_redeem(&racer->rig, &racer->rig.app, racer->code, "");
    racer->status = call->reply.status;
    rig_done(call);
    return NULL;
}

static void criterion_45_fifty_at_once_get_one_token(void **state)
{
    enum { RACERS = 50 };
    struct rig *rig = *state;
    struct racer *racers = tg_alloc(RACERS * sizeof(*racers));
    pthread_t threads[RACERS];
    pthread_barrier_t start;
    char code[TG_TOKEN];
    int won = 0, lost = 0;

    rig_grant(rig, code, &rig->app, NULL);
    pthread_barrier_init(&start, NULL, RACERS);
    for (size_t i = 0; i < RACERS; ++i) {
        racers[i].rig = *rig;
        racers[i].rig.worker = tg_worker_new(rig->directory);
        racers[i].code = code;
        racers[i].start = &start;
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; ++i) {
        pthread_join(threads[i], NULL);
        won += racers[i].status == 200;
        lost += racers[i].status == 400;
        tg_worker_free(racers[i].rig.worker);
    }
    pthread_barrier_destroy(&start);
    free(racers);
    assert_int_equal(won, 1);
    assert_int_equal(lost, RACERS - 1);
}

static void criterion_46_the_verifier_must_fit(void **state)
{
    static const char *const wrong[] = {"", "&code_verifier=" CHALLENGE, "&code_verifier=short",
                                        "&code_verifier=" VERIFIER "%20"};
    struct rig *rig = *state;
    char code[TG_TOKEN];

    for (size_t i = 0; i < tg_count(wrong); ++i) {
        rig_grant(rig, code, &rig->app, add_challenge);
        struct tg_call *call = rig_redeem(rig, &rig->app, code, wrong[i]);
        assert_oauth_error(call, 400, "invalid_grant");
        rig_done(call);
    }
    rig_grant(rig, code, &rig->app, add_challenge);
    struct tg_call *call = rig_redeem(rig, &rig->app, code, "&code_verifier=" VERIFIER);
    assert_int_equal(call->reply.status, 200);
    rig_done(call);
    assert_refused(rig, "&code_verifier=" VERIFIER, "invalid_grant"); /* no challenge was sent */
}

static void criteria_47_and_48_everything_else(void **state)
{
    static const struct {
        const char *body, *error;
    } cases[] = {
        {"grant_type=password&username=a&password=b", "unsupported_grant_type"},
        {"grant_type=refresh_token&refresh_token=x", "unsupported_grant_type"},
        {"grant_type=client_credentials", "unsupported_grant_type"},
        {"code=x", "invalid_request"},
        {"grant_type=authorization_code", "invalid_request"},
        {"grant_type=authorization_code&grant_type=authorization_code&code=x", "invalid_request"},
        {"grant_type=authorization_code&code=%zz", "invalid_request"},
        {"grant_type=authorization_code&code=x&redirect_uri=" APP_CALLBACK, "invalid_grant"},
        {"grant_type=authorization_code&code=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&redirect_uri=" APP_CALLBACK,
         "invalid_grant"},
    };
    struct rig *rig = *state;
    char code[TG_TOKEN];

    for (size_t i = 0; i < tg_count(cases); ++i) {
        struct tg_call *call = post(rig, cases[i].body);
        rig_basic(call, rig->app.id, SECRET_ENCODED);
        rig_run(rig, call, tg_oidc_endpoints);
        assert_oauth_error(call, 400, cases[i].error);
        rig_done(call);
    }
    rig_grant(rig, code, &rig->app, expire);
    struct tg_call *late = rig_redeem(rig, &rig->app, code, "");
    assert_oauth_error(late, 400, "invalid_grant");
    rig_done(late);
}

/* The claims of the ID token in this answer, its signature checked against the current key. */
static json_t *id_claims(struct rig *rig, struct tg_call *call, json_t *answer)
{
    struct tg_signing_key keys[4];
    size_t count;
    json_t *claims = NULL, *header = NULL;
    struct tg_text token = tg_text(json_string_value(json_object_get(answer, "id_token"))), rest = token;
    char head[256];
    size_t len;

    assert_result(0, tg_base64url_decode(tg_text_cut(&rest, '.'), head, sizeof(head), &len));
    assert_result(0, tg_json_parse(tg_text_n(head, len), &header));
    assert_string_equal(json_string_value(json_object_get(header, "alg")), "RS256");
    assert_result(0, tg_signing_key_list(rig->store, &rig->ring, keys, 4, &count));
    assert_string_equal(json_string_value(json_object_get(header, "kid")), keys[0].kid);
    assert_result(0, tg_jose_verify(keys[0].pem, token, &claims));
    for (size_t i = 0; i < count; ++i)
        tg_wipe(keys[i].pem);
    json_decref(header);
    return claims;
}

static void criteria_32_and_55_to_58_the_id_token(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN], at_hash[TG_TOKEN];
    uint8_t digest[TG_DIGEST];

    rig_grant(rig, code, &rig->app, add_nonce);
    struct tg_call *call = rig_redeem(rig, &rig->app, code, "");
    json_t *answer = rig_json(call), *claims = id_claims(rig, call, answer);
    assert_string_equal(json_string_value(json_object_get(claims, "iss")), ISSUER);
    assert_string_equal(json_string_value(json_object_get(claims, "sub")), rig->mara.sub);
    assert_string_equal(json_string_value(json_object_get(claims, "aud")), rig->app.id);
    assert_true(json_is_integer(json_object_get(claims, "exp")));
    assert_true(json_is_integer(json_object_get(claims, "iat")));
    assert_int_equal(json_integer_value(json_object_get(claims, "exp")) - json_integer_value(json_object_get(claims, "iat")),
                     3600);
    assert_true(json_integer_value(json_object_get(claims, "auth_time")) <= tg_now_s() - 5);
    assert_string_equal(json_string_value(json_object_get(claims, "nonce")), "n-0S6_WzA2Mj \"<"); /* 32 */
    tg_digest(tg_text(json_string_value(json_object_get(answer, "access_token"))), digest);
    tg_base64url(digest, 16, at_hash);
    assert_string_equal(json_string_value(json_object_get(claims, "at_hash")), at_hash);
    assert_int_equal(json_object_size(claims), 8);
    json_decref(claims);
    json_decref(answer);
    rig_done(call);

    rig_grant(rig, code, &rig->app, NULL);
    call = rig_redeem(rig, &rig->app, code, "");
    answer = rig_json(call);
    claims = id_claims(rig, call, answer);
    assert_null(json_object_get(claims, "nonce"));
    json_decref(claims);
    json_decref(answer);
    rig_done(call);
}

static void the_back_channel_serves_one_client_an_address(void **state)
{
    struct rig *rig = *state;
    char code[TG_TOKEN], path[128];
    const char *ids[] = {rig->git.id, rig->app.id};

    rig_grant(rig, code, &rig->app, NULL);
    for (size_t i = 0; i < 2; ++i) {
        snprintf(path, sizeof(path), "/c/%s/token", ids[i]);
        struct tg_call *call = rig_call(rig, "POST", path);
        rig_form(call, tg_arena_format(&call->arena, "grant_type=authorization_code&code=%s&redirect_uri=" APP_CALLBACK, code));
        rig_basic(call, rig->app.id, SECRET_ENCODED);
        rig_run(rig, call, tg_oidc_backchannel_endpoints);
        assert_int_equal(call->reply.status, i == 0 ? 401 : 200);
        rig_done(call);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(criterion_37_posted_forms_only),
        rig_test(criterion_38_the_answer),
        rig_test(criterion_39_basic_is_form_decoded),
        rig_test(criterion_40_the_secret_in_the_body),
        rig_test(criterion_41_a_client_that_fails_leaves_the_code),
        rig_test(criterion_42_the_address_must_be_the_same),
        rig_test(criterion_43_another_clients_code_stays_his),
        rig_test(criterion_44_a_second_use_revokes_the_first),
        rig_test(criteria_41_and_44_trying_another_way_is_no_replay),
        rig_test(criterion_21_a_code_is_good_as_long_as_its_session),
        rig_test(criterion_45_fifty_at_once_get_one_token),
        rig_test(criterion_46_the_verifier_must_fit),
        rig_test(criteria_47_and_48_everything_else),
        rig_test(criteria_32_and_55_to_58_the_id_token),
        rig_test(the_back_channel_serves_one_client_an_address),
    };
    return RIG_RUN(tests);
}
