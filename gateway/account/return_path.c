/*
 * return_path.c - where one goes on after sign-in, and which client is there
 */
#include "account/pages.h"
#include "base/result.h"
#include "http/form.h"
#include "store/client.h"

enum { PATH_LIMIT = 8192 };

static bool plain(struct tg_text path)
{
    for (size_t i = 0; i < path.len; ++i) {
        unsigned char c = (unsigned char)path.base[i];
        if (c <= ' ' || c > '~' || c == '\\' || c == '"' || c == '<' || c == '>')
            return false;
    }
    return true;
}

const char *tg_return_path(struct tg_arena *arena, struct tg_text wanted)
{
    if (wanted.base == NULL || wanted.len > PATH_LIMIT || !tg_text_starts(wanted, "/authorize?") || !plain(wanted))
        return "/";
    return tg_arena_copy(arena, wanted);
}

struct returning {
    struct tg_text client_id, redirect_uri;
};

static const struct tg_field returning_fields[] = {
    {"client_id", offsetof(struct returning, client_id), .limit = 64},
    {"redirect_uri", offsetof(struct returning, redirect_uri), .limit = 1024},
    {NULL},
};

const char *tg_return_origin(struct tg_arena *arena, const char *path, const char *const *origins)
{
    struct tg_text rest = tg_text(path);
    struct returning returning = {0};

    (void)tg_text_cut(&rest, '?');
    if (rest.base == NULL || tg_form_read(arena, rest, returning_fields, &returning, NULL) != 0 ||
        returning.redirect_uri.base == NULL)
        return NULL;
    for (; origins != NULL && *origins != NULL; ++origins) {
        size_t len = strlen(*origins);
        if (returning.redirect_uri.len > len && memcmp(returning.redirect_uri.base, *origins, len) == 0 &&
            returning.redirect_uri.base[len] == '/')
            return *origins;
    }
    return NULL;
}

int tg_return_app(struct tg_call *call, const char *path, const char **origin)
{
    struct tg_text rest = tg_text(path);
    struct returning returning = {0};
    struct tg_client client;
    struct tg_store *store;

    *origin = NULL;
    (void)tg_text_cut(&rest, '?');
    if (rest.base == NULL || tg_form_read(&call->arena, rest, returning_fields, &returning, NULL) != 0 ||
        returning.client_id.base == NULL)
        return 0;
    tg_try(tg_worker_store(call->worker, &store));
    if (tg_try(tg_client_find(store, returning.client_id, &client)) == 0 &&
        tg_redirect_listed(client.redirect_uri, returning.redirect_uri))
        *origin = tg_uri_form_action(&call->arena, returning.redirect_uri);
    return 0;
}
