#include <string.h>
#include "site_parts.h"

static struct tg_host make_host(struct tg_site *site, enum tg_host_kind kind, const char *authority, const void *feature)
{
    return (struct tg_host){
        .kind = kind,
        .authority = authority,
        .origin = tg_arena_format(&site->arena, "https://%s", authority),
        .feature = feature,
    };
}

/* The part of an authority before its port; IPv6 keeps its brackets. */
static struct tg_text host_name(struct tg_text authority)
{
    for (size_t i = authority.len; i-- != 0;) {
        if (authority.base[i] == ']')
            break;
        if (authority.base[i] == ':')
            return tg_text_n(authority.base, i);
    }
    return authority;
}

void tg_site_make_hosts(struct tg_site *site)
{
    const struct tg_site_conf *conf = site->conf;
    const struct tg_gitea_conf *giteas = conf->giteas.items;
    size_t count = conf->giteas.count;

    struct tg_front_host *features = tg_arena_alloc(&site->arena, (count + 1) * sizeof(*features));

    site->hosts = tg_arena_alloc(&site->arena, (count + 1) * sizeof(*site->hosts));
    site->client_origins = tg_arena_alloc(&site->arena, (count + 1) * sizeof(*site->client_origins));
    site->names = tg_arena_alloc(&site->arena, (count + 2) * sizeof(*site->names));
    for (size_t i = 0; i != count; ++i) {
        features[i] = (struct tg_front_host){.conf = &giteas[i], .index = i};
        site->hosts[i] = make_host(site, TG_HOST_GITEA, giteas[i].host, &features[i]);
        site->client_origins[i] = site->hosts[i].origin;
    }
    site->hosts[count] = make_host(site, TG_HOST_AUTH, conf->oidc.issuer + strlen("https://"), NULL);
    site->host_count = count + 1;
    for (size_t i = 0; i != site->host_count; ++i)
        site->names[i] = tg_arena_copy(&site->arena, host_name(tg_text(site->hosts[i].authority)));
    site->backchannel = make_host(site, TG_HOST_BACKCHANNEL, "backchannel", NULL);
    site->admin = make_host(site, TG_HOST_ADMIN, "admin", NULL);
}

/* For plain HTTP, whose port is another one: by the name alone. */
const struct tg_host *tg_site_find_host(struct tg_text authority, void *context)
{
    struct tg_site *site = context;
    struct tg_text name = host_name(authority);

    for (size_t i = 0; i != site->host_count; ++i)
        if (tg_text_is_nocase(name, site->names[i]))
            return &site->hosts[i];
    return NULL;
}
