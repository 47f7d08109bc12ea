#include "base/result.h"
#include "http/reply.h"
#include "http/server_parts.h"

/* The steps of plain HTTP: nothing but the way to HTTPS. */

enum { NAME_LIMIT = 254 };

/* The host of an authority in lower case, without its port; false: none that we could have. */
static bool host_name(struct tg_text authority, char out[NAME_LIMIT])
{
    struct tg_text name = tg_text_cut(&authority, ':');

    if (name.len > 0 && name.base[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len >= NAME_LIMIT)
        return false;
    for (size_t i = 0; i < name.len; i++)
        out[i] = (char)(name.base[i] >= 'A' && name.base[i] <= 'Z' ? name.base[i] | 0x20 : name.base[i]);
    out[name.len] = '\0';
    return true;
}

/* To the address that was configured, never to what the client calls us. */
static enum tg_step_answer step_redirect(struct tg_visit *visit)
{
    const struct tg_server_options *options = &visit->loop->server->options;
    struct tg_text method = tg_text_of(visit->req->input.method), target = tg_text_of(visit->req->input.path);
    char name[NAME_LIMIT];

    if (options->find_host != NULL && host_name(tg_text_of(visit->req->input.authority), name))
        visit->host = options->find_host(tg_text(name), options->context);
    if (visit->host == NULL) {
        visit->refusal = "unknown-host";
        tg_reply_text(visit, 421, "No site of this name is served here.");
        return TG_STEP_DONE;
    }
    if (target.len == 0 || target.base[0] != '/') {
        tg_reply_text(visit, 400, "This is not a path.");
        return TG_STEP_DONE;
    }
    TG_FREED char *location = tg_format("%s%.*s", visit->host->origin, TG_TEXT_ARGS(target));
    bool may_change_method = tg_text_is(method, "GET") || tg_text_is(method, "HEAD");
    tg_reply_redirect(visit, may_change_method ? 301 : 308, location);
    return TG_STEP_DONE;
}

const struct tg_step tg_plain_steps[] = {
    /* answers to ACME's HTTP-01 challenges (RFC 8555 8.3) stand here, before the redirect */
    {"redirect", step_redirect},
    {NULL, NULL},
};
