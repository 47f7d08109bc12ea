/*
 * api.c - the calls of Gitea's API that we make as its administrator
 */
#include "gitea/api.h"
#include <sys/stat.h>
#include "base/file.h"
#include "base/json.h"
#include "base/result.h"
#include "gitea/call_api.h"

enum { ADMIN_TOKEN_LIMIT = 512, DEADLINE_MS = 2000, CREATE_DEADLINE_MS = 5000 };

/* Read at each call: a new token is in force at once, and none lies in memory meanwhile. */
static int read_admin_token(const struct tg_gitea_conf *conf, struct tg_string *token)
{
    struct stat st;

    if (conf->admin_token_file == NULL)
        return tg_fail("no admin-token-file is configured for %s", conf->host);
    if (stat(conf->admin_token_file, &st) != 0)
        return tg_fail_errno("%s", conf->admin_token_file);
    if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        return tg_fail("%s: others may read or change it; chmod 640 or 600", conf->admin_token_file);

    int result = tg_try(tg_file_read_secret(conf->admin_token_file, ADMIN_TOKEN_LIMIT, token));
    if (result != 0)
        return tg_fail("%s: %s", conf->admin_token_file,
                       result == TG_FILE_ABSENT ? "does not exist" : "is too large for a token");
    if (!tg_gitea_token_fit(tg_string_text(token)))
        return tg_fail("%s: holds something else than one token", conf->admin_token_file);
    return 0;
}

int tg_gitea_call_as_admin(struct tg_worker *worker, const struct tg_gitea_conf *conf, struct tg_gitea_call *call,
                           struct tg_arena *arena, struct tg_fetched *out)
{
    TG_STRING token = {0};

    if (read_admin_token(conf, &token) != 0)
        return TG_GITEA_UNAVAILABLE;
    call->token = tg_string_text(&token);
    if (tg_gitea_call(worker, conf, call, arena, out) != 0)
        return TG_GITEA_UNAVAILABLE;
    return 0;
}

int tg_gitea_unexpected(const struct tg_gitea_conf *conf, const char *what, const struct tg_fetched *answer)
{
    struct tg_text why = {answer->body.base, answer->body.len < 200 ? answer->body.len : 200};

    if (answer->status == 401 || answer->status == 403)
        tg_fail("Gitea %s refuses our token (%d at %s): it must be a site administrator's with scope write:admin", conf->host,
                answer->status, what);
    else
        tg_fail("Gitea %s answered %d at %s: %.*s", conf->host, answer->status, what, TG_TEXT_ARGS(why));
    return TG_GITEA_UNAVAILABLE;
}

static int read_text(const json_t *json, const char *name, char *out, size_t capacity)
{
    const char *value = json_string_value(json_object_get(json, name));

    if (value == NULL || strlen(value) >= capacity)
        return 1;
    memcpy(out, value, strlen(value) + 1);
    return 0;
}

int tg_gitea_read_user(const json_t *json, struct tg_gitea_user *out)
{
    *out = (struct tg_gitea_user){0};
    if (tg_json_int(json, "id", &out->id) != 0 || tg_json_int(json, "source_id", &out->source_id) != 0 ||
        read_text(json, "login", out->login, sizeof(out->login)) != 0 ||
        read_text(json, "login_name", out->login_name, sizeof(out->login_name)) != 0 ||
        tg_json_flag(json, "is_admin", &out->is_admin) != 0 ||
        tg_json_flag(json, "prohibit_login", &out->prohibit_login) != 0)
        return 1;
    (void)read_text(json, "email", out->email, sizeof(out->email));
    return 0;
}

int tg_gitea_version(struct tg_worker *worker, const struct tg_gitea_conf *conf, char out[64])
{
    struct tg_arena arena = {0};
    struct tg_gitea_call call = {.path = "/api/v1/version", .timeout_ms = DEADLINE_MS};
    struct tg_fetched answer = {0};
    TG_JSON *json = NULL;

    int result = tg_gitea_call_as_admin(worker, conf, &call, &arena, &answer);
    if (result == 0 &&
        (answer.status != 200 || tg_json_parse(answer.body, &json) != 0 || read_text(json, "version", out, 64) != 0))
        result = tg_gitea_unexpected(conf, call.path, &answer);
    tg_arena_done(&arena);
    return result;
}

/* Gitea filters by both, but does not promise that one pair has one user. Two would leave open which of them signs in: no
   answer then. */
static int pick_user(const struct tg_gitea_conf *conf, const json_t *users, const struct tg_gitea_user *wanted,
                     struct tg_gitea_user *out)
{
    size_t index, found = 0;
    const json_t *each;
    struct tg_gitea_user user;

    json_array_foreach(users, index, each)
    {
        if (tg_gitea_read_user(each, &user) != 0) {
            tg_fail("Gitea %s lists a user in a form we do not know", conf->host);
            return TG_GITEA_UNAVAILABLE;
        }
        if (user.source_id != wanted->source_id || strcmp(user.login_name, wanted->login_name) != 0)
            continue;
        *out = user;
        ++found;
    }
    if (found == 1)
        return 0;
    if (found == 0 && json_array_size(users) == 0)
        return TG_GITEA_UNKNOWN;
    if (found > 1)
        tg_fail("Gitea %s has %zu users for one account (login_name %s): remove all but one", conf->host, found,
                wanted->login_name);
    else
        tg_fail("Gitea %s does not filter users by source and login name: it is older than we support", conf->host);
    return found > 1 ? TG_GITEA_AMBIGUOUS : TG_GITEA_UNAVAILABLE;
}

int tg_gitea_user_by_sub(struct tg_worker *worker, const struct tg_gitea_conf *conf, int64_t source_id, const char *sub,
                         struct tg_gitea_user *out)
{
    struct tg_arena arena = {0};
    struct tg_gitea_user wanted = {.source_id = source_id};
    struct tg_gitea_call call = {.timeout_ms = DEADLINE_MS};
    struct tg_fetched answer = {0};
    TG_STRING path = {0};
    TG_JSON *json = NULL;

    if (source_id <= 0 || sub[0] == '\0' || strlen(sub) >= sizeof(wanted.login_name)) {
        tg_fail("a user of Gitea is searched by source and subject, and one of them is missing"); /* Gitea would list everybody */
        return TG_GITEA_UNAVAILABLE;
    }
    memcpy(wanted.login_name, sub, strlen(sub) + 1);
    tg_string_addf(&path, "/api/v1/admin/users?limit=10&source_id=%lld&login_name=", (long long)source_id);
    tg_url_encode(&path, tg_text(sub));
    call.path = path.base;

    int result = tg_gitea_call_as_admin(worker, conf, &call, &arena, &answer);
    if (result == 0 && (answer.status != 200 || tg_json_parse(answer.body, &json) != 0 || !json_is_array(json)))
        result = tg_gitea_unexpected(conf, "/api/v1/admin/users", &answer);
    if (result == 0)
        result = pick_user(conf, json, &wanted, out);
    tg_arena_done(&arena);
    return result;
}

static int read_created(const struct tg_gitea_conf *conf, const struct tg_gitea_new_user *user, const struct tg_fetched *answer,
                        struct tg_gitea_user *out)
{
    TG_JSON *json = NULL;

    if (answer->status == 409 || answer->status == 422)
        return TG_GITEA_TAKEN;
    if (answer->status != 201 || tg_json_parse(answer->body, &json) != 0 || tg_gitea_read_user(json, out) != 0)
        return tg_gitea_unexpected(conf, "POST /api/v1/admin/users", answer);
    if (out->source_id != user->source_id || strcmp(out->login_name, user->sub) != 0) {
        tg_fail("Gitea %s made user %s, but not for our source", conf->host, out->login);
        return TG_GITEA_UNAVAILABLE;
    }
    return 0;
}

int tg_gitea_user_add(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_gitea_new_user *user,
                      struct tg_gitea_user *out)
{
    struct tg_arena arena = {0};
    struct tg_fetched answer = {0};
    TG_STRING body = {0};
    TG_JSON *json = json_pack("{s:I, s:s, s:s, s:s, s:s, s:b, s:b}", "source_id", (json_int_t)user->source_id, "login_name",
                              user->sub, "username", user->login, "email", user->email, "full_name", user->full_name,
                              "must_change_password", 0, "send_notify", 0);

    if (json == NULL) {
        tg_fail("the account's name is not UTF-8");
        return TG_GITEA_UNAVAILABLE;
    }
    tg_json_add(&body, json);
    struct tg_gitea_call call = {
        .method = "POST", .path = "/api/v1/admin/users", .json = tg_string_text(&body), .timeout_ms = CREATE_DEADLINE_MS};

    int result = tg_gitea_call_as_admin(worker, conf, &call, &arena, &answer);
    if (result == 0)
        result = read_created(conf, user, &answer, out);
    tg_arena_done(&arena);
    return result;
}
