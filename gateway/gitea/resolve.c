/*
 * resolve.c - whose credential is this? Asked with the caller's own
 *
 * Three addresses of Gitea can tell, and none of them always: /api/v1/token (1.27 and later, access tokens only, needs no scope),
 * /login/oauth/userinfo (needs no scope before 1.27, can be switched off), /api/v1/user (needs read:user). Content types matter:
 * a user whom Gitea forbids to sign in gets 200 from userinfo, as a page. Of such a user only the registry still gives a name, if the
 * credential may use packages: its tokens hold the user's id.
 */
#include <limits.h>
#include <pthread.h>
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"
#include "gitea/call_api.h"

enum { DEADLINE_MS = 2000, INSTANCES = 64, ABSENT_MS = 10 * 60 * 1000 };

/* What an address told: an answer (enum tg_resolved), or nothing, and the next is asked. */
enum { ASK_NEXT = 100 };

struct question {
    struct tg_worker *worker;
    const struct tg_gitea_conf *conf;
    struct tg_text credential;
    int64_t until_ms;
    struct tg_arena arena;
    const char *basic; /* the credential as a header's value, for the address that takes no other form; NULL: as a token */
    int64_t user;
    char login[65];
};

/* Which instances lack /api/v1/token. Forgotten after a while: Gitea may have been upgraded. A full table only costs a call. */
static struct {
    pthread_mutex_t lock;
    struct {
        char host[256];
        int64_t until_ms;
    } instances[INSTANCES];
} without_token_api = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool lacks_token_api(const char *host)
{
    int64_t now_ms = tg_monotonic_ms();
    bool lacks = false;

    pthread_mutex_lock(&without_token_api.lock);
    for (size_t i = 0; i < INSTANCES && !lacks; ++i) {
        lacks = without_token_api.instances[i].until_ms > now_ms && strcmp(without_token_api.instances[i].host, host) == 0;
    }
    pthread_mutex_unlock(&without_token_api.lock);
    return lacks;
}

static void remember_lack(const char *host)
{
    int64_t now_ms = tg_monotonic_ms();

    if (strlen(host) >= sizeof(without_token_api.instances[0].host))
        return;
    pthread_mutex_lock(&without_token_api.lock);
    for (size_t i = 0; i < INSTANCES; ++i) {
        if (without_token_api.instances[i].until_ms > now_ms)
            continue;
        memcpy(without_token_api.instances[i].host, host, strlen(host) + 1);
        without_token_api.instances[i].until_ms = now_ms + ABSENT_MS;
        break;
    }
    pthread_mutex_unlock(&without_token_api.lock);
}

static int ask(struct question *question, const char *path, struct tg_fetched *answer)
{
    int64_t left_ms = question->until_ms - tg_monotonic_ms();
    struct tg_gitea_call call = {.path = path, .authorization = question->basic, .timeout_ms = left_ms};

    if (question->basic == NULL)
        call.token = question->credential;

    if (left_ms <= 0) {
        tg_fail("Gitea %s did not tell in time whose credential it is", question->conf->host);
        return TG_GITEA_UNAVAILABLE;
    }
    return tg_gitea_call(question->worker, question->conf, &call, &question->arena, answer);
}

static bool is_json(const struct tg_fetched *answer)
{
    return tg_text_is(answer->content_type, "application/json");
}

static int unreadable(const struct question *question, const char *path, const struct tg_fetched *answer)
{
    tg_fail("Gitea %s answered %d at %s, and it does not say whose credential it is", question->conf->host, answer->status, path);
    return TG_RESOLVED_UNAVAILABLE;
}

static void read_login(struct question *question, const json_t *json, const char *name)
{
    const char *login = json_string_value(json_object_get(json, name));

    if (login != NULL && strlen(login) < sizeof(question->login))
        memcpy(question->login, login, strlen(login) + 1);
}

static int ask_token_api(struct question *question)
{
    struct tg_fetched answer = {0};
    TG_JSON *json = NULL;
    const json_t *user = NULL;

    if (lacks_token_api(question->conf->host))
        return ASK_NEXT;
    if (ask(question, "/api/v1/token", &answer) != 0)
        return TG_RESOLVED_UNAVAILABLE;
    if (answer.status == 404)
        remember_lack(question->conf->host);
    if (answer.status != 200 || !is_json(&answer)) /* also: a valid credential that is not an access token */
        return ASK_NEXT;
    if (tg_json_parse(answer.body, &json) != 0 || tg_json_object(json, "user", &user) != 0 ||
        tg_json_int(user, "id", &question->user) != 0)
        return unreadable(question, "/api/v1/token", &answer);
    read_login(question, user, "login");
    return TG_RESOLVED_USER;
}

/* "sub" is the user's id as a text; job tokens have a negative one. */
static int read_sub(const json_t *json, int64_t *user)
{
    const char *sub = json_string_value(json_object_get(json, "sub"));
    uint64_t number;

    if (sub == NULL || !tg_text_number(tg_text(sub + (sub[0] == '-')), &number) || number > INT64_MAX)
        return 1;
    *user = sub[0] == '-' ? -(int64_t)number : (int64_t)number;
    return 0;
}

static int ask_userinfo(struct question *question)
{
    static const char path[] = "/login/oauth/userinfo";
    struct tg_fetched answer = {0};
    TG_JSON *json = NULL;

    if (ask(question, path, &answer) != 0)
        return TG_RESOLVED_UNAVAILABLE;
    if (answer.status == 401)
        return TG_RESOLVED_INVALID;
    if (answer.status == 200 && tg_text_is(answer.content_type, "text/html"))
        return TG_RESOLVED_PROHIBITED;
    if (answer.status >= 500 || answer.status == 429)
        return unreadable(question, path, &answer);
    if (answer.status != 200) /* switched off, or a scope is missing */
        return ASK_NEXT;
    if (!is_json(&answer) || tg_json_parse(answer.body, &json) != 0 || read_sub(json, &question->user) != 0)
        return unreadable(question, path, &answer);
    read_login(question, json, "preferred_username");
    return TG_RESOLVED_USER;
}

static bool mentions_scope(struct tg_text body)
{
    return body.base != NULL && memmem(body.base, body.len, "scope", 5) != NULL;
}

static int ask_user_api(struct question *question)
{
    static const char path[] = "/api/v1/user";
    struct tg_fetched answer = {0};
    TG_JSON *json = NULL;

    if (ask(question, path, &answer) != 0)
        return TG_RESOLVED_UNAVAILABLE;
    if (answer.status == 401)
        return TG_RESOLVED_INVALID;
    if (answer.status == 403 && is_json(&answer) && !mentions_scope(answer.body))
        return TG_RESOLVED_PROHIBITED;
    if (answer.status != 200 || !is_json(&answer) || tg_json_parse(answer.body, &json) != 0 ||
        tg_json_int(json, "id", &question->user) != 0)
        return unreadable(question, path, &answer);
    read_login(question, json, "login");
    return TG_RESOLVED_USER;
}

/* The payload of the registry's token (RFC 7519 7.2), whose signature is nobody's business but Gitea's: it came from Gitea just now. */
static int read_registry_token(const json_t *json, int64_t *user)
{
    struct tg_text token = tg_text(json_string_value(json_object_get(json, "token")));
    char payload[1024];
    size_t len;
    TG_JSON *claims = NULL;

    tg_text_cut(&token, '.');
    if (token.base == NULL || tg_base64url_decode(tg_text_cut(&token, '.'), payload, sizeof(payload), &len) != 0)
        return 1;
    return tg_json_parse(tg_text_n(payload, len), &claims) == 0 && tg_json_int(claims, "UserID", user) == 0 && *user > 0 ? 0 : 1;
}

/* Who it is that may not sign in; 0 when nobody says. */
static void name_prohibited(struct question *question)
{
    TG_FREED char *pair = tg_format("token:%.*s", TG_TEXT_ARGS(question->credential));
    TG_FREED char *encoded = tg_alloc(TG_BASE64_PADDED(strlen(pair)));
    struct tg_fetched answer = {0};
    TG_JSON *json = NULL;

    tg_base64(pair, strlen(pair), encoded);
    question->basic = tg_arena_format(&question->arena, "Basic %s", encoded);
    if (ask(question, "/v2/token?service=container_registry", &answer) != 0 || answer.status != 200 || !is_json(&answer) ||
        tg_json_parse(answer.body, &json) != 0 || read_registry_token(json, &question->user) != 0)
        question->user = 0;
}

int tg_gitea_resolve(struct tg_worker *worker, const struct tg_gitea_conf *conf, struct tg_text credential,
                     enum tg_resolved *answer, struct tg_gitea_user *user)
{
    struct question question = {.worker = worker, .conf = conf, .credential = credential};

    *user = (struct tg_gitea_user){.id = 0};
    *answer = TG_RESOLVED_INVALID;
    if (!tg_gitea_token_fit(credential)) /* could not stand in a header; no token of Gitea looks like that */
        return 0;
    question.until_ms = tg_monotonic_ms() + DEADLINE_MS;

    int told = ask_token_api(&question);
    if (told == ASK_NEXT)
        told = ask_userinfo(&question);
    if (told == ASK_NEXT)
        told = ask_user_api(&question);
    if (told == TG_RESOLVED_PROHIBITED)
        name_prohibited(&question);
    tg_arena_done(&question.arena);

    *answer = (enum tg_resolved)told;
    if (told == TG_RESOLVED_USER || told == TG_RESOLVED_PROHIBITED)
        user->id = question.user;
    if (told == TG_RESOLVED_USER)
        memcpy(user->login, question.login, sizeof(user->login));
    return 0;
}
