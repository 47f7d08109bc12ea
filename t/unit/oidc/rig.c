#include "rig.h"
#include <sodium.h>
#include "base/clock.h"
#include "base/json.h"
#include "http/error_page.h"
#include "store/consent.h"
#include "store/subscription.h"

static const struct tg_host host = {.kind = TG_HOST_AUTH, .authority = "auth.example.test", .origin = ISSUER};
static const char *const origins[] = {"https://git.example.test", "https://app.example.test", NULL};

static int add_client(struct rig *rig, struct tg_client *client, enum tg_client_kind kind, const char *redirect_uri)
{
    client->kind = kind;
    if (client->name[0] == '\0')
        snprintf(client->name, sizeof(client->name), "%s", kind == TG_CLIENT_GITEA ? "Gitea" : "App");
    if (kind == TG_CLIENT_GITEA)
        snprintf(client->instance, sizeof(client->instance), "git.example.test");
    snprintf(client->redirect_uri, sizeof(client->redirect_uri), "%s", redirect_uri);
    tg_digest(TG_TEXT(SECRET), client->secret_digest);
    return tg_client_add(rig->store, client);
}

static int add_other_clients(struct rig *rig)
{
    snprintf(rig->native.name, sizeof(rig->native.name), "Tool");
    rig->native.is_public = true;
    snprintf(rig->native.scope, sizeof(rig->native.scope), "openid email");
    tg_try(add_client(rig, &rig->native, TG_CLIENT_OTHER, NATIVE_CALLBACK));
    snprintf(rig->stranger.name, sizeof(rig->stranger.name), "Woodpecker");
    snprintf(rig->stranger.logout_uri, sizeof(rig->stranger.logout_uri), STRANGER_ORIGIN "/bye " STRANGER_ORIGIN "/");
    return add_client(rig, &rig->stranger, TG_CLIENT_OTHER, STRANGER_ORIGIN "/first " STRANGER_CALLBACK);
}

static int add_people(struct rig *rig)
{
    snprintf(rig->mara.login, sizeof(rig->mara.login), "mara");
    snprintf(rig->mara.email, sizeof(rig->mara.email), "mara@example.test");
    snprintf(rig->mara.full_name, sizeof(rig->mara.full_name), "Mara <Ahorn>");
    tg_try(tg_password_hash(TG_TEXT(PASSWORD), &rig->account_conf.cost, rig->mara.password_hash));
    return tg_account_add(rig->store, &rig->mara);
}

static int make_features(struct rig *rig)
{
    struct tg_account_options account = {&rig->account_conf, &rig->ring, rig->templates, ISSUER, origins};
    tg_try(tg_account_pages_new(&account, &rig->pages));
    struct tg_oidc_options oidc = {
        .conf = &rig->oidc_conf,
        .giteas = &rig->gitea,
        .gitea_count = 1,
        .rules = &rig->rules,
        .ring = &rig->ring,
        .templates = rig->templates,
        .backchannel = BACKCHANNEL,
        .session = tg_account_session,
        .session_context = rig->pages,
        .session_cookie = TG_SESSION_COOKIE,
    };
    return tg_oidc_new(&oidc, &rig->oidc);
}

static void configure(struct rig *rig)
{
    tg_random(rig->ring.keys[0].bytes, TG_KEY);
    rig->ring.keys[0].id = 1;
    rig->ring.count = 1;
    rig->oidc_conf = (struct tg_oidc_conf){ISSUER, 60, 3600};
    rig->account_conf = (struct tg_account_conf){14 * 86400, 3 * 86400, {8 << 20, 3}};
    rig->rules = (struct tg_subscription_conf){
        .warning_s = 14 * 86400, .grace_s = 7 * 86400, .retention_s = 90 * 86400, .without_subscription = 2,
        .renew_url = "https://pay.example.test/renew", .zone = "UTC"};
    standin_start(&rig->standin, rig->directory);
    standin_configure(&rig->standin, &rig->gitea);
}

int rig_allow(struct rig *rig, const struct tg_client *client)
{
    const struct tg_consent consent = {rig->mara.id, client->id, "openid profile email groups"};

    return tg_consent_give(rig->store, &consent, tg_now_s());
}

int rig_make(void **state)
{
    static const struct tg_brand brand;
    struct rig *rig = tg_alloc(sizeof(*rig));

    snprintf(rig->directory, sizeof(rig->directory), "/tmp/teagate-test-XXXXXX");
    if (tg_secret_init() != 0 || mkdtemp(rig->directory) == NULL)
        return -1;
    tg_time_init();
    configure(rig);
    int result = tg_store_migrate(rig->directory);
    if (result == 0) {
        rig->worker = tg_worker_new(rig->directory);
        result = tg_worker_store(rig->worker, &rig->store);
    }
    if (result == 0)
        result = tg_templates_load(NULL, &rig->templates);
    if (result == 0) {
        tg_templates_set_brand(rig->templates, &brand);
        result = add_client(rig, &rig->app, TG_CLIENT_OTHER, APP_CALLBACK);
    }
    if (result == 0)
        result = add_client(rig, &rig->git, TG_CLIENT_GITEA, GIT_CALLBACK);
    if (result == 0)
        result = add_other_clients(rig);
    if (result == 0)
        result = add_people(rig);
    if (result == 0)
        result = rig_allow(rig, &rig->app);
    if (result == 0)
        result = rig_allow(rig, &rig->native);
    if (result == 0)
        result = tg_oidc_ensure_key(rig->store, &rig->ring);
    if (result == 0)
        result = make_features(rig);
    if (result != 0)
        print_error("%s\n", tg_failure());
    *state = rig;
    return result;
}

int rig_remove(void **state)
{
    struct rig *rig = *state;

    tg_oidc_free(rig->oidc);
    tg_account_pages_free(rig->pages);
    tg_templates_free(rig->templates);
    tg_worker_free(rig->worker);
    standin_stop(&rig->standin);
    int result = nftw(rig->directory, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(rig);
    return result;
}

struct tg_call *rig_call(struct rig *rig, const char *method, const char *target)
{
    struct tg_call *call = tg_alloc(sizeof(*call));
    struct tg_text rest = tg_arena_text(&call->arena, tg_text(target));

    call->worker = rig->worker;
    call->host = &host;
    call->method = tg_arena_text(&call->arena, tg_text(method));
    call->path = tg_text_cut(&rest, '?');
    call->query = rest;
    call->address = TG_TEXT("192.0.2.7");
    call->user_agent = TG_TEXT("test/1");
    snprintf(call->id, sizeof(call->id), "abcdefghijklmnopqrst");
    return call;
}

void rig_form(struct tg_call *call, const char *body)
{
    call->content_type = TG_TEXT("application/x-www-form-urlencoded");
    call->body = tg_arena_text(&call->arena, tg_text(body));
}

void rig_done(struct tg_call *call)
{
    tg_arena_done(&call->arena);
    free(call);
}

static bool matches(const char *pattern, struct tg_text path, struct tg_text *tail)
{
    struct tg_text wanted = tg_text(pattern);

    *tail = (struct tg_text){NULL, 0};
    while (wanted.base != NULL && path.base != NULL) {
        struct tg_text want = tg_text_cut(&wanted, '/'), have = tg_text_cut(&path, '/');
        if (tg_text_is(want, "*"))
            *tail = have;
        else if (!tg_text_same(want, have))
            return false;
    }
    return wanted.base == NULL && path.base == NULL;
}

void rig_run(struct rig *rig, struct tg_call *call, const struct tg_endpoint *table)
{
    unsigned method = tg_text_is(call->method, "POST") ? TG_POST : TG_GET;

    call->context = table == tg_account_endpoints ? (const void *)rig->pages : rig->oidc;
    for (; table->path != NULL; ++table) {
        if (matches(table->path, call->path, &call->tail) && (table->methods & method) != 0) {
            call->endpoint = table;
            assert_result(0, table->run(call));
            assert_int_not_equal(call->reply.status, 0);
            return;
        }
    }
    fail_msg("no endpoint for %.*s %.*s", TG_TEXT_ARGS(call->method), TG_TEXT_ARGS(call->path));
}

const char *rig_header(struct tg_call *call, const char *name)
{
    for (size_t i = 0; i < call->reply.header_count; ++i) {
        if (tg_text_is(call->reply.headers[i].name, name))
            return tg_arena_copy(&call->arena, call->reply.headers[i].value);
    }
    return "";
}

const char *rig_location(struct tg_call *call, const char *name)
{
    struct tg_text rest = tg_text(rig_header(call, "location")), value;

    (void)tg_text_cut(&rest, '?');
    while (rest.base != NULL) {
        struct tg_text pair = tg_text_cut(&rest, '&');
        struct tg_text key = tg_text_cut(&pair, '=');
        if (!tg_text_is(key, name))
            continue;
        assert_result(0, tg_url_decode(&call->arena, pair, true, &value));
        return value.base;
    }
    return NULL;
}

bool rig_body_has(struct tg_call *call, const char *text)
{
    return call->reply.body.base != NULL && memmem(call->reply.body.base, call->reply.body.len, text, strlen(text)) != NULL;
}

json_t *rig_json(struct tg_call *call)
{
    json_t *json = NULL;

    assert_string_equal(call->reply.content_type, "application/json");
    assert_result(0, tg_json_parse(call->reply.body, &json));
    return json;
}

static struct tg_session begin_session(struct rig *rig, char id[TG_TOKEN], int64_t age_s)
{
    struct tg_session session = {.auth_time_s = tg_now_s() - age_s, .last_used_s = tg_now_s()};
    struct tg_account now;

    assert_result(0, tg_account_find(rig->store, rig->mara.id, &now));
    session.epoch = now.session_epoch;
    memcpy(session.account, rig->mara.id, sizeof(session.account));
    tg_random_token(id);
    assert_result(0, tg_session_add(rig->store, tg_text(id), &session));
    return session;
}

const char *rig_session(struct rig *rig, struct tg_arena *arena, int64_t age_s)
{
    char id[TG_TOKEN];

    begin_session(rig, id, age_s);
    return tg_arena_format(arena, TG_SESSION_COOKIE "=%s", id);
}

void rig_expire(struct rig *rig, int64_t paid_until_s)
{
    assert_result(0, tg_subscription_set(rig->store, rig->mara.id, paid_until_s));
}

void rig_grant(struct rig *rig, char code[TG_TOKEN], const struct tg_client *client, void (*change)(struct tg_grant *grant))
{
    struct tg_grant grant = {.scope = "openid profile email groups", .auth_time_s = tg_now_s() - 5, .expires_s = tg_now_s() + 60};
    char id[TG_TOKEN];
    struct tg_session session = begin_session(rig, id, 5);

    memcpy(grant.session, session.digest, sizeof(grant.session));
    memcpy(grant.client, client->id, sizeof(grant.client));
    memcpy(grant.account, rig->mara.id, sizeof(grant.account));
    memcpy(grant.redirect_uri, client->redirect_uri, sizeof(grant.redirect_uri));
    if (change != NULL)
        change(&grant);
    tg_random_token(code);
    assert_result(0, tg_grant_add(rig->store, tg_text(code), &grant));
}

void rig_basic(struct tg_call *call, const char *id, const char *encoded_secret)
{
    char encoded[1024];
    const char *plain = tg_arena_format(&call->arena, "%s:%s", id, encoded_secret);

    sodium_bin2base64(encoded, sizeof(encoded), (const unsigned char *)plain, strlen(plain), sodium_base64_VARIANT_ORIGINAL);
    call->authorization = tg_text(tg_arena_format(&call->arena, "Basic %s", encoded));
    call->authorization_count = 1;
}

struct tg_call *rig_redeem(struct rig *rig, const struct tg_client *client, const char *code, const char *more)
{
    struct tg_call *call = rig_call(rig, "POST", "/token");
    TG_STRING body = {0};

    tg_string_addf(&body, "grant_type=authorization_code&code=%s&redirect_uri=", code);
    tg_url_encode(&body, tg_text(client->redirect_uri));
    tg_string_addf(&body, "%s", more);
    rig_form(call, body.base);
    rig_basic(call, client->id, SECRET_ENCODED);
    rig_run(rig, call, tg_oidc_endpoints);
    return call;
}
