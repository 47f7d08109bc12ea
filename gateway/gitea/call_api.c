/*
 * call_api.c - one call of Gitea's HTTP interface at its upstream address
 */
#include "gitea/call_api.h"
#include "base/result.h"

enum { TOKEN_LIMIT = 4096, ANSWER_LIMIT = 256 * 1024 };

bool tg_gitea_token_fit(struct tg_text token)
{
    if (token.base == NULL || token.len == 0 || token.len > TOKEN_LIMIT)
        return false;
    for (size_t i = 0; i < token.len; ++i) {
        if (token.base[i] <= ' ' || token.base[i] > '~')
            return false;
    }
    return true;
}

/* Through a unix socket the name in the URL serves for the Host header only; over TCP it is where we connect. */
static const char *make_url(const struct tg_gitea_conf *conf, const char *path, struct tg_arena *arena)
{
    const struct tg_address *upstream = &conf->upstream;

    if (upstream->path != NULL)
        return tg_arena_format(arena, "http://%s%s", conf->host, path);
    if (upstream->host == NULL)
        return tg_arena_format(arena, "http://127.0.0.1:%d%s", upstream->port, path);
    if (strchr(upstream->host, ':') != NULL && upstream->host[0] != '[')
        return tg_arena_format(arena, "http://[%s]:%d%s", upstream->host, upstream->port, path);
    return tg_arena_format(arena, "http://%s:%d%s", upstream->host, upstream->port, path);
}

int tg_gitea_call(struct tg_worker *worker, const struct tg_gitea_conf *conf, const struct tg_gitea_call *call,
                  struct tg_arena *arena, struct tg_fetched *out)
{
    const char *headers[6];
    size_t count = 0;

    headers[count++] = tg_arena_format(arena, "Host: %s", conf->host);
    headers[count++] = "X-Forwarded-Proto: https";
    headers[count++] = "Accept: application/json";
    if (call->token.base != NULL)
        headers[count++] = tg_arena_format(arena, "Authorization: token %.*s", TG_TEXT_ARGS(call->token));
    else if (call->authorization != NULL)
        headers[count++] = tg_arena_format(arena, "Authorization: %s", call->authorization);
    if (call->json.base != NULL)
        headers[count++] = "Content-Type: application/json";
    headers[count] = NULL;

    struct tg_fetch what = {
        .method = call->method,
        .url = make_url(conf, call->path, arena),
        .unix_path = conf->upstream.path,
        .headers = headers,
        .body = call->json,
        .timeout_ms = call->timeout_ms,
        .limit = ANSWER_LIMIT,
    };
    return tg_try(tg_fetch(worker->fetcher, &what, arena, out)) == 0 ? 0 : TG_GITEA_UNAVAILABLE;
}
