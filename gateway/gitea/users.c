/*
 * users.c - Gitea's users one page after the other, and their flag
 */
#include "base/result.h"
#include "gitea/call_api.h"

enum { PAGE_DEADLINE_MS = 10000, CHANGE_DEADLINE_MS = 5000 };

static int read_page(const struct tg_gitea_conf *conf, const json_t *users, struct tg_gitea_user out[TG_GITEA_PAGE],
                     size_t *count)
{
    size_t index;
    const json_t *each;

    json_array_foreach(users, index, each)
    {
        if (index == TG_GITEA_PAGE || tg_gitea_read_user(each, &out[index]) != 0) {
            tg_fail("Gitea %s lists a user in a form we do not know", conf->host);
            return TG_GITEA_UNAVAILABLE;
        }
        *count = index + 1;
    }
    return 0;
}

int tg_gitea_user_page(struct tg_worker *worker, const struct tg_gitea_conf *conf, int64_t page,
                       struct tg_gitea_user out[TG_GITEA_PAGE],
                       size_t *count)
{
    struct tg_arena arena = {0};
    struct tg_gitea_call call = {.timeout_ms = PAGE_DEADLINE_MS};
    struct tg_fetched answer = {0};
    TG_JSON *json = NULL;

    *count = 0;
    call.path = tg_arena_format(&arena, "/api/v1/admin/users?limit=%d&page=%lld", TG_GITEA_PAGE, (long long)page);
    int result = tg_gitea_call_as_admin(worker, conf, &call, &arena, &answer);
    if (result == 0 && (answer.status != 200 || tg_json_parse(answer.body, &json) != 0 || !json_is_array(json)))
        result = tg_gitea_unexpected(conf, "/api/v1/admin/users", &answer);
    if (result == 0)
        result = read_page(conf, json, out, count);
    tg_arena_done(&arena);
    return result;
}

/* Gitea finds the user by name, so somebody else may have got it meanwhile: the answer has to be the one that was meant. */
static int read_changed(const struct tg_gitea_conf *conf, const struct tg_gitea_user *user, bool prohibit,
                        const struct tg_fetched *answer, struct tg_gitea_user *out)
{
    TG_JSON *json = NULL;

    if (answer->status == 404)
        return TG_GITEA_UNKNOWN;
    if (answer->status != 200 || tg_json_parse(answer->body, &json) != 0 || tg_gitea_read_user(json, out) != 0)
        return tg_gitea_unexpected(conf, "PATCH /api/v1/admin/users", answer);
    if (out->id == user->id && out->prohibit_login == prohibit)
        return 0;
    tg_fail("Gitea %s changed user %s (id %lld), and answered with %s (id %lld), sign-in %s", conf->host, user->login,
            (long long)user->id, out->login, (long long)out->id, out->prohibit_login ? "prohibited" : "allowed");
    return TG_GITEA_UNAVAILABLE;
}

int tg_gitea_user_prohibit(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_gitea_user *user,
                           bool prohibit, struct tg_gitea_user *out)
{
    struct tg_arena arena = {0};
    struct tg_fetched answer = {0};
    TG_STRING body = {0}, path = {0};
    TG_JSON *json = json_pack("{s:I, s:s, s:b}", "source_id", (json_int_t)user->source_id, "login_name", user->login_name,
                              "prohibit_login", prohibit);

    tg_json_add(&body, json);
    tg_string_add(&path, TG_TEXT("/api/v1/admin/users/"));
    tg_url_encode(&path, tg_text(user->login));
    struct tg_gitea_call call = {
        .method = "PATCH", .path = path.base, .json = tg_string_text(&body), .timeout_ms = CHANGE_DEADLINE_MS};

    int result = tg_gitea_call_as_admin(worker, conf, &call, &arena, &answer);
    if (result == 0)
        result = read_changed(conf, user, prohibit, &answer, out);
    tg_arena_done(&arena);
    return result;
}
