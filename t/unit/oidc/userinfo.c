/* Userinfo: criteria 58 to 62, and 59 of the ID token. */
#include "rig.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"

static void make_token(struct rig *rig, char token[TG_TOKEN], const char *scope, int64_t ttl_s)
{
    struct tg_access access = {.expires_s = tg_now_s() + ttl_s};

    memcpy(access.client, rig->app.id, sizeof(access.client));
    memcpy(access.account, rig->mara.id, sizeof(access.account));
    snprintf(access.scope, sizeof(access.scope), "%s", scope);
    tg_random_token(token);
    assert_result(0, tg_access_add(rig->store, tg_text(token), TG_TEXT("nothing"), &access));
}

static struct tg_call *ask(struct rig *rig, const char *method, const char *target, const char *authorization, const char *body)
{
    struct tg_call *call = rig_call(rig, method, target);

    if (authorization != NULL) {
        call->authorization = tg_arena_text(&call->arena, tg_text(authorization));
        call->authorization_count = 1;
    }
    if (body != NULL)
        rig_form(call, body);
    rig_run(rig, call, strncmp(target, "/c/", 3) == 0 ? tg_oidc_backchannel_endpoints : tg_oidc_endpoints);
    return call;
}

static void criterion_60_header_or_posted_body_never_the_query(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    char token[TG_TOKEN];

    make_token(rig, token, "openid", 60);
    const char *header = tg_arena_format(&arena, "Bearer %s", token), *field = tg_arena_format(&arena, "access_token=%s", token);
    const struct {
        const char *method, *target, *authorization, *body;
        int status;
    } cases[] = {
        {"GET", "/userinfo", header, NULL, 200},
        {"POST", "/userinfo", header, NULL, 200},
        {"POST", "/userinfo", NULL, field, 200},
        {"GET", tg_arena_format(&arena, "/userinfo?%s", field), NULL, NULL, 400},
        {"GET", tg_arena_format(&arena, "/userinfo?%s", field), header, NULL, 400},
        {"POST", "/userinfo", header, field, 400},
        {"POST", "/userinfo", NULL, tg_arena_format(&arena, "%s&%s", field, field), 400},
        {"GET", "/userinfo", "Bearer", NULL, 400},
        {"GET", "/userinfo", tg_arena_format(&arena, "bearer %s", token), NULL, 200},
    };
    for (size_t i = 0; i < tg_count(cases); ++i) {
        struct tg_call *call = ask(rig, cases[i].method, cases[i].target, cases[i].authorization, cases[i].body);
        if (call->reply.status != cases[i].status)
            fail_msg("case %zu: %d instead of %d", i, call->reply.status, cases[i].status);
        rig_done(call);
    }
    tg_arena_done(&arena);
}

static json_t *claims_for(struct rig *rig, const char *scope)
{
    char token[TG_TOKEN], header[64];

    make_token(rig, token, scope, 60);
    snprintf(header, sizeof(header), "Bearer %s", token);
    struct tg_call *call = ask(rig, "GET", "/userinfo", header, NULL);
    assert_int_equal(call->reply.status, 200);
    json_t *json = rig_json(call);
    rig_done(call);
    return json;
}

static void criteria_58_and_61_claims_follow_the_scope(void **state)
{
    struct rig *rig = *state;
    json_t *json = claims_for(rig, "openid");

    assert_int_equal(json_object_size(json), 1);
    assert_string_equal(json_string_value(json_object_get(json, "sub")), rig->mara.sub);
    json_decref(json);
    json = claims_for(rig, "openid profile email groups");
    assert_string_equal(json_string_value(json_object_get(json, "sub")), rig->mara.sub);
    assert_string_equal(json_string_value(json_object_get(json, "preferred_username")), "mara");
    assert_string_equal(json_string_value(json_object_get(json, "name")), "Mara <Ahorn>");
    assert_string_equal(json_string_value(json_object_get(json, "email")), "mara@example.test");
    assert_true(json_is_true(json_object_get(json, "email_verified")));
    assert_true(json_is_array(json_object_get(json, "groups")));
    assert_int_equal(json_array_size(json_object_get(json, "groups")), 0);
    assert_int_equal(json_object_size(json), 6);
    json_decref(json);
}

/* The sub of an ID token that mara gets now. */
static const char *signed_subject(struct rig *rig, struct tg_arena *arena)
{
    char code[TG_TOKEN], payload[1024];
    size_t len;
    json_t *claims = NULL;

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *call = rig_redeem(rig, &rig->app, code, "");
    json_t *answer = rig_json(call);
    struct tg_text rest = tg_text(json_string_value(json_object_get(answer, "id_token")));
    (void)tg_text_cut(&rest, '.');
    assert_result(0, tg_base64url_decode(tg_text_cut(&rest, '.'), payload, sizeof(payload), &len));
    assert_result(0, tg_json_parse(tg_text_n(payload, len), &claims));
    const char *sub = tg_arena_copy(arena, tg_text(json_string_value(json_object_get(claims, "sub"))));
    json_decref(claims);
    json_decref(answer);
    rig_done(call);
    return sub;
}

static void criterion_59_sub_outlives_a_new_name_a_new_address_and_the_session(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    struct tg_account other = {.login = "mara2", .email = "mara2@example.test", .password_hash = ""};
    const char *before = signed_subject(rig, &arena);
    static const char rename[] = "UPDATE account SET login = 'anna', login_key = 'anna', email = 'anna@example.test',"
                                 " email_key = 'anna@example.test' WHERE login = 'mara'";
    static const char back[] = "UPDATE account SET login = 'mara', login_key = 'mara', email = 'mara@example.test',"
                               " email_key = 'mara@example.test' WHERE login = 'anna'";

    assert_result(0, tg_db_run(rig->store->truth, rename, NULL, 0, NULL));
    assert_result(0, tg_account_raise_epoch(rig->store, rig->mara.id)); /* signs in again */
    json_t *json = claims_for(rig, "openid profile");
    assert_string_equal(json_string_value(json_object_get(json, "preferred_username")), "anna");
    assert_string_equal(json_string_value(json_object_get(json, "sub")), before);
    json_decref(json);
    assert_string_equal(signed_subject(rig, &arena), before);
    assert_result(0, tg_db_run(rig->store->truth, back, NULL, 0, NULL));

    assert_result(0, tg_account_add(rig->store, &other));
    assert_string_not_equal(other.sub, before);
    assert_string_not_equal(other.sub, other.login);
    assert_true(strlen(before) <= 255);
    tg_arena_done(&arena);
}

static void operators_are_in_their_group_and_no_name_is_left_out(void **state)
{
    struct rig *rig = *state, changed = *rig;
    struct tg_account chief = {.login = "chief", .email = "chief@example.test", .password_hash = "", .is_operator = true};

    assert_result(0, tg_account_add(rig->store, &chief));
    changed.mara = chief;
    json_t *json = claims_for(&changed, "openid profile groups");
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "groups"), 0)), "teagate-operators");
    assert_null(json_object_get(json, "name"));
    assert_null(json_object_get(json, "email"));
    json_decref(json);
}

static void assert_challenged(struct rig *rig, const char *target, const char *authorization, int status, const char *wanted)
{
    struct tg_call *call = ask(rig, "GET", target, authorization, NULL);
    const char *challenge = rig_header(call, "www-authenticate");

    assert_int_equal(call->reply.status, status);
    assert_int_equal(strncmp(challenge, "Bearer ", 7), 0);
    if (wanted == NULL)
        assert_null(strstr(challenge, "error"));
    else
        assert_non_null(strstr(challenge, wanted));
    rig_done(call);
}

static void criterion_62_what_is_wrong_with_the_token(void **state)
{
    struct rig *rig = *state;
    struct tg_arena arena = {0};
    char old[TG_TOKEN], narrow[TG_TOKEN], good[TG_TOKEN];

    make_token(rig, old, "openid", -1);
    make_token(rig, narrow, "email", 60);
    make_token(rig, good, "openid", 60);
    assert_challenged(rig, "/userinfo", NULL, 401, NULL);
    assert_challenged(rig, "/userinfo", "Basic YTpi", 401, NULL);
    assert_challenged(rig, "/userinfo", "Bearer nonsense", 401, "error=\"invalid_token\"");
    assert_challenged(rig, "/userinfo", tg_arena_format(&arena, "Bearer %s", old), 401, "error=\"invalid_token\"");
    assert_challenged(rig, "/userinfo", tg_arena_format(&arena, "Bearer %s", narrow), 403, "error=\"insufficient_scope\"");
    assert_challenged(rig, "/userinfo?access_token=x", NULL, 400, "error=\"invalid_request\"");
    assert_challenged(rig, tg_arena_format(&arena, "/c/%s/userinfo", rig->git.id), tg_arena_format(&arena, "Bearer %s", good),
                      401,
                      "error=\"invalid_token\"");
    assert_result(0, tg_account_set_locked(rig->store, rig->mara.id, true));
    assert_challenged(rig, "/userinfo", tg_arena_format(&arena, "Bearer %s", good), 401, "error=\"invalid_token\"");
    assert_result(0, tg_account_set_locked(rig->store, rig->mara.id, false));
    tg_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(criterion_60_header_or_posted_body_never_the_query),
        rig_test(criteria_58_and_61_claims_follow_the_scope),
        rig_test(criterion_59_sub_outlives_a_new_name_a_new_address_and_the_session),
        rig_test(operators_are_in_their_group_and_no_name_is_left_out),
        rig_test(criterion_62_what_is_wrong_with_the_token),
    };
    return RIG_RUN(tests);
}
