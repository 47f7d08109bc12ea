#include "stored.h"
#include "store/consent.h"
#include "store/grant.h"
#include "store/instance.h"

static struct tg_client add_client(struct stored *s, const char *instance)
{
    struct tg_client client = {.name = "The forge", .kind = TG_CLIENT_GITEA, .redirect_uri = "https://code.example/callback",
                               .logout_uri = "https://code.example/ https://code.example/bye", .scope = "openid email", .is_public = true};

    snprintf(client.instance, sizeof(client.instance), "%s", instance);
    memset(client.secret_digest, 0xa5, TG_DIGEST);
    assert_result(0, tg_client_add(&s->store, &client));
    return client;
}

static void a_client_comes_back_as_it_was(void **state)
{
    struct stored *s = *state;
    struct tg_client client = add_client(s, "code.example:8443"), found;

    assert_one_change(&s->store, 0, TG_CHANGE_CLIENT, client.id);
    assert_int_equal(strlen(client.id), TG_ID - 1);
    assert_result(0, tg_client_find(&s->store, tg_text(client.id), &found));
    assert_string_equal(found.id, client.id);
    assert_string_equal(found.name, "The forge");
    assert_int_equal(found.kind, TG_CLIENT_GITEA);
    assert_string_equal(found.instance, "code.example:8443");
    assert_string_equal(found.redirect_uri, client.redirect_uri);
    assert_string_equal(found.logout_uri, client.logout_uri);
    assert_string_equal(found.scope, "openid email");
    assert_true(found.is_public);
    assert_memory_equal(found.secret_digest, client.secret_digest, TG_DIGEST);
    assert_int_equal(found.created_s, client.created_s);
    assert_result(0, tg_client_find_instance(&s->store, "code.example:8443", &found));
    assert_string_equal(found.id, client.id);
    assert_result(TG_CLIENT_UNKNOWN, tg_client_find(&s->store, TG_TEXT("none"), &found));
    assert_result(TG_CLIENT_UNKNOWN, tg_client_find(&s->store, tg_text_n(NULL, 0), &found));
    assert_result(TG_CLIENT_UNKNOWN, tg_client_find_instance(&s->store, "code.example", &found));
    assert_result(TG_CLIENT_UNKNOWN, tg_client_find_instance(&s->store, "", &found));
}

static void an_instance_has_one_client_and_others_need_none(void **state)
{
    struct stored *s = *state;
    struct tg_client second = {.instance = "code.example"};

    add_client(s, "code.example");
    add_client(s, "");
    add_client(s, "");
    int64_t before = last_change(&s->store);
    assert_result(TG_CLIENT_TAKEN, tg_client_add(&s->store, &second));
    assert_int_equal(last_change(&s->store), before);
}

static void secret_and_redirect_are_replaced_and_told(void **state)
{
    struct stored *s = *state;
    struct tg_client client = add_client(s, "code.example"), found;
    uint8_t digest[TG_DIGEST] = {1, 2, 3};
    int64_t before = last_change(&s->store);

    assert_result(0, tg_client_set_secret(&s->store, client.id, digest));
    assert_one_change(&s->store, before, TG_CHANGE_CLIENT, client.id);
    before = last_change(&s->store);
    assert_result(0, tg_client_set_redirect(&s->store, client.id, "https://elsewhere.example/cb"));
    assert_one_change(&s->store, before, TG_CHANGE_CLIENT, client.id);
    assert_result(0, tg_client_find(&s->store, tg_text(client.id), &found));
    assert_memory_equal(found.secret_digest, digest, TG_DIGEST);
    assert_string_equal(found.redirect_uri, "https://elsewhere.example/cb");
    assert_result(TG_CLIENT_UNKNOWN, tg_client_set_secret(&s->store, "none", digest));
    assert_result(TG_CLIENT_UNKNOWN, tg_client_set_redirect(&s->store, "none", "x"));
}

/* A field that another release made longer matches nothing, rather than being cut into something that does. */
static void a_value_that_does_not_fit_reads_as_empty(void **state)
{
    struct stored *s = *state;
    struct tg_client client = add_client(s, "code.example"), found;
    char uri[TG_URI_LIST + 1];

    memset(uri, 'a', sizeof(uri));
    uri[TG_URI_LIST] = '\0';
    assert_result(0, tg_client_set_redirect(&s->store, client.id, uri));
    assert_result(0, tg_client_find(&s->store, tg_text(client.id), &found));
    assert_string_equal(found.redirect_uri, "");
    uri[TG_URI_LIST - 1] = '\0';
    assert_result(0, tg_client_set_redirect(&s->store, client.id, uri));
    assert_result(0, tg_client_find(&s->store, tg_text(client.id), &found));
    assert_string_equal(found.redirect_uri, uri);
}

static void criterion_15_fragments_and_plain_http_are_not_registered(void **state)
{
    static const char *const unfit[] = {
        "https://a.example/cb#x", "https://a.example/cb#", "http://a.example/cb", "http://127.0.0.1.evil.example/cb",
        "http://localhost.evil.example/", "http://127.0.0.2/cb", "ftp://a.example/", "javascript:alert(1)", "/cb", "", "https://",
        "https:///cb", "https://u:p@a.example/cb", "https://a.example/c b", "https://a.example/\xc3\xbc", "https://a.example/\"",
        "https://a.example;x/", "HTTPS://a.example/cb", "com.example.app:/cb", "https://a'b/",
    };
    static const char *const fit[] = {"https://a.example/cb", "https://a.example", "https://a.example:8443/cb?x=1", "http://127.0.0.1/cb",
                                      "http://127.0.0.1:8080/cb", "http://[::1]/cb", "http://localhost:1234/cb", "http://[::1]:9/"};

    (void)state;
    for (size_t i = 0; i < tg_count(unfit); i++) {
        if (tg_redirect_unfit(tg_text(unfit[i])) == NULL)
            fail_msg("may be registered: %s", unfit[i]);
    }
    for (size_t i = 0; i < tg_count(fit); i++) {
        if (tg_redirect_unfit(tg_text(fit[i])) != NULL)
            fail_msg("%s: %s", fit[i], tg_redirect_unfit(tg_text(fit[i])));
    }
}

static void criterion_14_loopback_takes_any_port(void **state)
{
    static const char list[] = "https://a.example/cb http://127.0.0.1/cb http://[::1]:8080/x http://localhost:7/cb";
    static const char *const listed[] = {"https://a.example/cb", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb",
                                         "http://127.0.0.1:65535/cb", "http://[::1]/x", "http://[::1]:9/x", "http://localhost:7/cb"};
    static const char *const foreign[] = {
        "https://a.example:443/cb", "http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:1x/cb",
        "http://127.0.0.1:1@evil.example/cb", "http://127.0.0.1.evil.example/cb", "http://127.0.0.1:1/cb/", "http://127.0.0.1:1/CB",
        "http://127.0.0.1:1/cb?x", "http://127.0.0.1:1/cb#x", "http://127.0.0.1:+1/cb", "http://127.0.0.1:1:2/cb", "http://[::1]:9/cb",
        "http://localhost:8/cb", "http://localhost/cb", "https://127.0.0.1/cb", "http://127.1/cb", "", "https://a.example/cb http://127.0.0.1/cb",
    };

    (void)state;
    for (size_t i = 0; i < tg_count(listed); i++) {
        if (!tg_redirect_listed(list, tg_text(listed[i])))
            fail_msg("turned away: %s", listed[i]);
    }
    for (size_t i = 0; i < tg_count(foreign); i++) {
        if (tg_redirect_listed(list, tg_text(foreign[i])))
            fail_msg("let through: %s", foreign[i]);
    }
    assert_false(tg_redirect_listed("", TG_TEXT("")));
    assert_true(tg_uri_listed(list, TG_TEXT("http://127.0.0.1/cb")));
    assert_false(tg_uri_listed(list, TG_TEXT("http://127.0.0.1:1/cb"))); /* sign-out has no such exception */
}

static void an_address_has_an_origin_that_a_policy_can_name(void **state)
{
    struct tg_arena arena = {0};

    (void)state;
    assert_string_equal(tg_uri_form_action(&arena, TG_TEXT("https://a.example:8443/cb?x=https://b/")), "https://a.example:8443");
    assert_string_equal(tg_uri_form_action(&arena, TG_TEXT("https://a.example?x=1")), "https://a.example");
    assert_string_equal(tg_uri_form_action(&arena, TG_TEXT("http://127.0.0.1:5/cb")), "http://127.0.0.1:5");
    assert_string_equal(tg_uri_form_action(&arena, TG_TEXT("http://[::1]:5/cb")), "http:");
    tg_arena_done(&arena);
}

static void what_was_allowed_is_remembered_by_account_client_and_word(void **state)
{
    struct stored *s = *state;
    struct tg_client client = add_client(s, ""), other = add_client(s, "");
    struct tg_account mara = stored_account(&s->store, "mara"), jon = stored_account(&s->store, "jon");
    const struct tg_consent wide = {mara.id, client.id, "openid profile email"}, narrow = {mara.id, client.id, "openid email"},
                            wider = {mara.id, client.id, "openid groups"}, jons = {jon.id, client.id, "openid"},
                            others = {mara.id, other.id, "openid"};

    assert_result(TG_CONSENT_MISSING, tg_consent_find(&s->store, &narrow));
    assert_result(0, tg_consent_give(&s->store, &narrow, 1));
    assert_result(0, tg_consent_find(&s->store, &narrow));
    assert_result(TG_CONSENT_MISSING, tg_consent_find(&s->store, &wide));
    assert_result(0, tg_consent_give(&s->store, &wide, 2));
    assert_result(0, tg_consent_find(&s->store, &wide));
    assert_result(0, tg_consent_find(&s->store, &narrow));
    assert_result(TG_CONSENT_MISSING, tg_consent_find(&s->store, &wider));
    assert_result(TG_CONSENT_MISSING, tg_consent_find(&s->store, &jons));
    assert_result(TG_CONSENT_MISSING, tg_consent_find(&s->store, &others));
}

static int count_client(const struct tg_client *client, void *count)
{
    (void)client;
    ++*(int *)count;
    return 0;
}

static void a_client_goes_with_its_tokens_unless_a_gitea_needs_it(void **state)
{
    struct stored *s = *state;
    struct tg_client client = add_client(s, ""), forge = add_client(s, "code.example"), found;
    struct tg_account mara = stored_account(&s->store, "mara");
    struct tg_instance instance = {.host = "code.example", .source_id = 1, .source_name = "teagate"};
    struct tg_access access = {.scope = "openid", .expires_s = 100};
    const struct tg_consent consent = {mara.id, client.id, "openid"};
    int count = 0;

    memcpy(instance.client, forge.id, sizeof(forge.id));
    assert_result(0, tg_instance_put(&s->store, &instance));
    memcpy(access.client, client.id, sizeof(client.id));
    assert_result(0, tg_access_add(&s->store, TG_TEXT("token"), TG_TEXT("code"), &access));
    assert_result(0, tg_consent_give(&s->store, &consent, 1));
    assert_result(0, tg_client_each(&s->store, count_client, &count));
    assert_int_equal(count, 2);

    assert_result(TG_CLIENT_IN_USE, tg_client_remove(&s->store, forge.id));
    assert_result(0, tg_client_find(&s->store, tg_text(forge.id), &found));
    int64_t before = last_change(&s->store);
    assert_result(0, tg_client_remove(&s->store, client.id));
    assert_one_change(&s->store, before, TG_CHANGE_CLIENT, client.id);
    assert_result(TG_CLIENT_UNKNOWN, tg_client_find(&s->store, tg_text(client.id), &found));
    assert_result(TG_CLIENT_UNKNOWN, tg_client_remove(&s->store, client.id));
    assert_result(TG_ACCESS_UNKNOWN, tg_access_find(&s->store, TG_TEXT("token"), 1, &access));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(a_client_comes_back_as_it_was),
        stored_test(an_instance_has_one_client_and_others_need_none),
        stored_test(secret_and_redirect_are_replaced_and_told),
        stored_test(a_value_that_does_not_fit_reads_as_empty),
        stored_test(criterion_15_fragments_and_plain_http_are_not_registered),
        stored_test(criterion_14_loopback_takes_any_port),
        stored_test(an_address_has_an_origin_that_a_policy_can_name),
        stored_test(what_was_allowed_is_remembered_by_account_client_and_word),
        stored_test(a_client_goes_with_its_tokens_unless_a_gitea_needs_it),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
