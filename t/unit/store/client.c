#include "stored.h"
#include "store/client.h"

static struct tg_client add_client(struct stored *s, const char *instance)
{
    struct tg_client client = {.name = "The forge", .kind = TG_CLIENT_GITEA, .redirect_uri = "https://code.example/callback"};

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
    char uri[TG_REDIRECT_URI + 1];

    memset(uri, 'a', sizeof(uri));
    uri[TG_REDIRECT_URI] = '\0';
    assert_result(0, tg_client_set_redirect(&s->store, client.id, uri));
    assert_result(0, tg_client_find(&s->store, tg_text(client.id), &found));
    assert_string_equal(found.redirect_uri, "");
    uri[TG_REDIRECT_URI - 1] = '\0';
    assert_result(0, tg_client_set_redirect(&s->store, client.id, uri));
    assert_result(0, tg_client_find(&s->store, tg_text(client.id), &found));
    assert_string_equal(found.redirect_uri, uri);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        stored_test(a_client_comes_back_as_it_was),
        stored_test(an_instance_has_one_client_and_others_need_none),
        stored_test(secret_and_redirect_are_replaced_and_told),
        stored_test(a_value_that_does_not_fit_reads_as_empty),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
