/* Metadata and keys: criteria 1 to 9. */
#include "rig.h"
#include "base/clock.h"
#include "base/jose.h"
#include "store/signing_key.h"

static bool lists(json_t *json, const char *name, const char *value)
{
    size_t index;
    json_t *each;

    json_array_foreach(json_object_get(json, name), index, each)
    {
        if (strcmp(json_string_value(each), value) == 0)
            return true;
    }
    return false;
}

static json_t *fetch(struct rig *rig, const char *path, const struct tg_endpoint *table)
{
    struct tg_call *call = rig_call(rig, "GET", path);

    rig_run(rig, call, table);
    assert_int_equal(call->reply.status, 200);
    json_t *json = rig_json(call);
    rig_done(call);
    return json;
}

static void criteria_1_to_6_metadata_says_what_is_so(void **state)
{
    json_t *json = fetch(*state, "/.well-known/openid-configuration", tg_oidc_endpoints);

    assert_string_equal(json_string_value(json_object_get(json, "issuer")), ISSUER);
    assert_string_equal(json_string_value(json_object_get(json, "authorization_endpoint")), ISSUER "/authorize");
    assert_string_equal(json_string_value(json_object_get(json, "token_endpoint")), ISSUER "/token");
    assert_string_equal(json_string_value(json_object_get(json, "userinfo_endpoint")), ISSUER "/userinfo");
    assert_string_equal(json_string_value(json_object_get(json, "jwks_uri")), ISSUER "/jwks");
    assert_true(lists(json, "response_types_supported", "code"));
    assert_int_equal(json_array_size(json_object_get(json, "response_types_supported")), 1);
    assert_true(lists(json, "subject_types_supported", "public"));
    assert_true(lists(json, "id_token_signing_alg_values_supported", "RS256"));
    assert_true(lists(json, "scopes_supported", "openid"));
    assert_true(lists(json, "grant_types_supported", "authorization_code"));
    assert_int_equal(json_array_size(json_object_get(json, "grant_types_supported")), 1);
    assert_true(lists(json, "response_modes_supported", "query"));
    assert_true(lists(json, "token_endpoint_auth_methods_supported", "client_secret_basic"));
    assert_true(lists(json, "token_endpoint_auth_methods_supported", "client_secret_post"));
    assert_true(json_is_false(json_object_get(json, "request_uri_parameter_supported")));
    assert_true(json_is_false(json_object_get(json, "request_parameter_supported")));
    assert_true(json_is_false(json_object_get(json, "claims_parameter_supported")));
    assert_true(lists(json, "code_challenge_methods_supported", "S256"));
    assert_true(json_is_true(json_object_get(json, "authorization_response_iss_parameter_supported")));
    json_decref(json);
}

static void criterion_7_the_oauth_metadata_is_the_same(void **state)
{
    json_t *one = fetch(*state, "/.well-known/openid-configuration", tg_oidc_endpoints);
    json_t *other = fetch(*state, "/.well-known/oauth-authorization-server", tg_oidc_endpoints);

    assert_true(json_equal(one, other));
    json_decref(one);
    json_decref(other);
}

static void criterion_8_documents_may_be_kept_and_read_by_anybody(void **state)
{
    const char *paths[] = {"/.well-known/openid-configuration", "/jwks"};

    for (size_t i = 0; i < 2; ++i) {
        struct tg_call *first = rig_call(*state, "GET", paths[i]), *again = rig_call(*state, "GET", paths[i]);
        rig_run(*state, first, tg_oidc_endpoints);
        assert_string_equal(rig_header(first, "access-control-allow-origin"), "*");
        assert_true(first->reply.cacheable);
        assert_string_equal(rig_header(first, "cache-control"), "public, max-age=300");
        assert_true(strlen(rig_header(first, "etag")) > 10);
        again->if_none_match = tg_text(rig_header(first, "etag"));
        rig_run(*state, again, tg_oidc_endpoints);
        assert_int_equal(again->reply.status, 304);
        again->reply = (struct tg_reply){0};
        again->if_none_match = TG_TEXT("\"other\"");
        rig_run(*state, again, tg_oidc_endpoints);
        assert_int_equal(again->reply.status, 200);
        rig_done(first);
        rig_done(again);
    }
}

static void criterion_9_keys_are_public_only(void **state)
{
    static const char *const secret[] = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"};
    json_t *json = fetch(*state, "/jwks", tg_oidc_endpoints), *keys = json_object_get(json, "keys");

    assert_int_equal(json_array_size(keys), 1);
    json_t *key = json_array_get(keys, 0);
    for (size_t i = 0; i < tg_count(secret); ++i)
        assert_null(json_object_get(key, secret[i]));
    assert_string_equal(json_string_value(json_object_get(key, "kty")), "RSA");
    assert_string_equal(json_string_value(json_object_get(key, "use")), "sig");
    assert_string_equal(json_string_value(json_object_get(key, "alg")), "RS256");
    assert_int_equal(strlen(json_string_value(json_object_get(key, "kid"))), 43);
    assert_true(strlen(json_string_value(json_object_get(key, "n"))) >= 342); /* 2048 bits */
    json_decref(json);
}

static void a_second_start_makes_no_second_key(void **state)
{
    struct rig *rig = *state;

    assert_result(0, tg_oidc_ensure_key(rig->store, &rig->ring));
    json_t *json = fetch(rig, "/jwks", tg_oidc_endpoints);
    assert_int_equal(json_array_size(json_object_get(json, "keys")), 1);
    json_decref(json);
}

static size_t published_keys(struct rig *rig)
{
    json_t *json = fetch(rig, "/jwks", tg_oidc_endpoints);
    size_t count = json_array_size(json_object_get(json, "keys"));

    json_decref(json);
    return count;
}

/* Whether a token that is made now names this key. */
static bool signs(struct rig *rig, const char *kid)
{
    char code[TG_TOKEN], head[256];
    size_t len;

    rig_grant(rig, code, &rig->app, NULL);
    struct tg_call *call = rig_redeem(rig, &rig->app, code, "");
    json_t *answer = rig_json(call);
    struct tg_text token = tg_text(json_string_value(json_object_get(answer, "id_token")));
    assert_result(0, tg_base64url_decode(tg_text_cut(&token, '.'), head, sizeof(head), &len));
    bool does = memmem(head, len, kid, strlen(kid)) != NULL;
    json_decref(answer);
    rig_done(call);
    return does;
}

static void criterion_10_a_key_is_published_before_it_signs(void **state)
{
    struct rig *rig = *state;
    struct tg_signing_key next = {.state = TG_SIGNING_NEXT, .created_s = tg_now_s() + 1};

    assert_int_equal(published_keys(rig), 1);
    assert_result(0, tg_jose_make_key(&next.pem));
    assert_result(0, tg_jose_thumbprint(next.pem, next.kid));
    assert_result(0, tg_signing_key_add(rig->store, &rig->ring, &next));
    tg_wipe(next.pem);
    for (int i = 0; i < 80 && published_keys(rig) == 1; ++i)
        usleep(100000);
    assert_int_equal(published_keys(rig), 2); /* read again within seconds */

    assert_false(signs(rig, next.kid));
}

static void criterion_10_the_old_key_stays_published_when_the_new_one_signs(void **state)
{
    struct rig *rig = *state;
    struct tg_signing_key keys[4];
    size_t count;

    assert_result(0, tg_signing_key_list(rig->store, &rig->ring, keys, 4, &count)); /* of the test before */
    assert_int_equal(count, 2);
    assert_int_equal(keys[0].state, TG_SIGNING_NEXT);
    assert_false(signs(rig, keys[0].kid));
    assert_result(0, tg_signing_key_advance(rig->store, tg_now_s() + TG_SIGNING_PUBLISH_S + 5));
    for (int i = 0; i < 80 && !signs(rig, keys[0].kid); ++i)
        usleep(100000);
    assert_true(signs(rig, keys[0].kid));
    assert_int_equal(published_keys(rig), 2);
    for (size_t i = 0; i < count; ++i)
        tg_wipe(keys[i].pem);
}

static void each_client_has_its_back_channel(void **state)
{
    struct rig *rig = *state;
    char path[128], wanted[128];

    snprintf(path, sizeof(path), "/c/%s/.well-known/openid-configuration", rig->git.id);
    json_t *json = fetch(rig, path, tg_oidc_backchannel_endpoints);
    assert_string_equal(json_string_value(json_object_get(json, "issuer")), ISSUER);
    assert_string_equal(json_string_value(json_object_get(json, "authorization_endpoint")), ISSUER "/authorize");
    snprintf(wanted, sizeof(wanted), BACKCHANNEL "/c/%s/token", rig->git.id);
    assert_string_equal(json_string_value(json_object_get(json, "token_endpoint")), wanted);
    snprintf(wanted, sizeof(wanted), BACKCHANNEL "/c/%s/userinfo", rig->git.id);
    assert_string_equal(json_string_value(json_object_get(json, "userinfo_endpoint")), wanted);
    json_decref(json);

    struct tg_call *call = rig_call(rig, "GET", "/c/nobody/.well-known/openid-configuration");
    rig_run(rig, call, tg_oidc_backchannel_endpoints);
    assert_int_equal(call->reply.status, 404);
    rig_done(call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(criteria_1_to_6_metadata_says_what_is_so),
        rig_test(criterion_7_the_oauth_metadata_is_the_same),
        rig_test(criterion_8_documents_may_be_kept_and_read_by_anybody),
        rig_test(criterion_9_keys_are_public_only),
        rig_test(a_second_start_makes_no_second_key),
        rig_test(each_client_has_its_back_channel),
        rig_test(criterion_10_a_key_is_published_before_it_signs),
        rig_test(criterion_10_the_old_key_stays_published_when_the_new_one_signs),
    };
    return RIG_RUN(tests);
}
