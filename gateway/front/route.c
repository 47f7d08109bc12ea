/*
 * route.c - which site is this host?
 *
 * Names are compared without case and without the scheme's port. Our style sheet is served on every host, also on unknown ones, so that
 * each error page has its looks.
 */
#include "base/result.h"
#include "front/refuse.h"
#include "front/state.h"
#include "http/style.h"

enum { AUTHORITY_MAX = 261 }; /* 255, ":" and a port */

static uint32_t hash_of(struct tg_text name)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.len; ++i)
        hash = (hash ^ (unsigned char)name.base[i]) * 16777619u;
    return hash;
}

static const struct tg_host **place_of(const struct tg_front *front, struct tg_text name)
{
    for (size_t at = hash_of(name);; ++at) {
        const struct tg_host **place = &front->places[at & front->place_mask];

        if (*place == NULL || tg_text_is(name, (*place)->authority))
            return place;
    }
}

int tg_front_hosts_init(struct tg_front *front)
{
    const struct tg_front_options *options = &front->options;
    size_t size = 16;

    while (size < options->host_count * 4)
        size *= 2;
    front->places = tg_alloc(size * sizeof(*front->places));
    front->place_mask = size - 1;
    for (size_t i = 0; i < options->host_count; ++i) {
        const struct tg_host **place = place_of(front, tg_text(options->hosts[i].authority));

        if (*place != NULL)
            return tg_fail("two sites have the host name %s", options->hosts[i].authority);
        *place = &options->hosts[i];
        front->gitea_count += options->hosts[i].kind == TG_HOST_GITEA;
    }
    return 0;
}

const struct tg_host *tg_front_find_host(struct tg_text authority, void *front)
{
    char name[AUTHORITY_MAX];

    if (authority.len == 0 || authority.len > sizeof(name))
        return NULL;
    for (size_t i = 0; i < authority.len; ++i)
        name[i] = authority.base[i] >= 'A' && authority.base[i] <= 'Z' ? (char)(authority.base[i] | 0x20) : authority.base[i];
    if (tg_text_ends(authority, ":443"))
        authority.len -= 4;
    return *place_of(front, tg_text_n(name, authority.len));
}

static enum tg_step_answer answer_style(struct tg_visit *visit, struct tg_templates *templates)
{
    struct tg_reply reply;

    tg_style_reply(templates, tg_visit_header(visit, "if-none-match"), &reply);
    tg_reply_send(visit, &reply);
    return TG_STEP_DONE;
}

enum tg_step_answer tg_step_route(struct tg_visit *visit)
{
    struct tg_front *front = tg_front_of(visit)->front;

    visit->host = tg_front_find_host(tg_text_of(visit->req->authority), front);
    if (front->options.templates != NULL && tg_text_is(visit->path.raw, TG_STYLE_PATH) &&
        (tg_door_method(tg_text_of(visit->req->method)) & (TG_DOOR_GET | TG_DOOR_HEAD)) != 0)
        return answer_style(visit, front->options.templates);
    if (visit->host == NULL)
        return tg_refuse(visit, TG_ERROR_UNKNOWN_HOST, "unknown-host");
    return TG_STEP_NEXT;
}
