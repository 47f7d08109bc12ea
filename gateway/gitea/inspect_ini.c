/*
 * inspect_ini.c - compares an app.ini with what we want in it
 */
#include <stdio.h>
#include "gitea/inspect.h"
#include "gitea/setup.h"

/* A key that has to be there as our fragment has it is SAME, and so is every key that is not listed; a few may differ. */
enum rule { SAME, FREE, LASTING, NOT_LOOPBACK };

static const struct {
    const char *section, *key;
    enum rule rule;
} exceptions[] = {
    {"server", "PROTOCOL", FREE},
    {"server", "HTTP_ADDR", FREE}, /* whether it is reached is seen by reaching it */
    {"server", "HTTP_PORT", FREE},
    {"server", "UNIX_SOCKET_PERMISSION", FREE},
    {"server", "DOMAIN", FREE},
    {"server", "PUBLIC_URL_DETECTION", FREE},
    {"server", "LFS_START_SERVER", FREE},
    {"server", "LFS_HTTP_AUTH_EXPIRY", FREE},
    {"security", "REVERSE_PROXY_TRUSTED_PROXIES", FREE},
    {"session", "PROVIDER", LASTING},
    {"service", "DEFAULT_ALLOW_CREATE_ORGANIZATION", FREE},
    {"oauth2_client", "UPDATE_AVATAR", FREE},
    {"oauth2_client", "OPENID_CONNECT_SCOPES", FREE}, /* the source's own are what counts */
    {"metrics", "ENABLED", FREE},
    {"webhook", "ALLOWED_HOST_LIST", NOT_LOOPBACK},
};

struct entry {
    struct tg_text section, key, value;
};

/* The next key of an ini text. Values may be quoted by backquotes or quotes; comments begin a line, or follow a space. */
static bool next_entry(struct tg_text *rest, struct tg_text *section, struct entry *out)
{
    while (rest->base != NULL) {
        struct tg_text line = tg_text_trim(tg_text_cut(rest, '\n'));

        if (line.len > 0 && line.base[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 || line.base[0] == ';' || line.base[0] == '#')
            continue;
        if (line.base[0] == '[') {
            struct tg_text inner = tg_text_n(line.base + 1, line.len - 1);
            *section = tg_text_trim(tg_text_cut(&inner, ']'));
            continue;
        }
        struct tg_text value = line;
        out->key = tg_text_trim(tg_text_cut(&value, '='));
        if (value.base == NULL)
            continue;
        const char *comment = memmem(value.base, value.len, " ;", 2);
        if (comment != NULL)
            value.len = (size_t)(comment - value.base);
        out->value = tg_text_trim(value);
        if (out->value.len >= 2 && out->value.base[0] == out->value.base[out->value.len - 1] &&
            strchr("`\"", out->value.base[0]) != NULL)
            out->value = tg_text_n(out->value.base + 1, out->value.len - 2);
        out->section = *section;
        return true;
    }
    return false;
}

/* The last one counts. base NULL: it is not there. */
static struct tg_text find_value(struct tg_text ini, const struct entry *wanted)
{
    struct tg_text section = TG_TEXT(""), found = {NULL, 0};
    struct entry entry;

    while (next_entry(&ini, &section, &entry)) {
        if (tg_text_same(entry.section, wanted->section) && tg_text_same(entry.key, wanted->key))
            found = entry.value;
    }
    return found;
}

static enum rule rule_of(const struct entry *entry)
{
    for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
        if (tg_text_is(entry->section, exceptions[i].section) && tg_text_is(entry->key, exceptions[i].key))
            return exceptions[i].rule;
    }
    return SAME;
}

static bool is_listed(struct tg_text list, const char *word)
{
    while (list.base != NULL) {
        if (tg_text_is_nocase(tg_text_trim(tg_text_cut(&list, ',')), word))
            return true;
    }
    return false;
}

/* Gitea's own word for the list is external when nothing is said. Single addresses of loopback are the administrator's own
   doing. */
static bool lets_webhooks_in(struct tg_text list)
{
    return is_listed(list, "*") || is_listed(list, "loopback") || is_listed(list, "private") || is_listed(list, "127.0.0.0/8") ||
           is_listed(list, "localhost");
}

static bool is_fit(enum rule rule, struct tg_text is, struct tg_text wanted)
{
    switch (rule) {
    case FREE:
        return true;
    case LASTING: /* what Gitea does without the key is memory */
        return is.base != NULL && !tg_text_is_nocase(is, "memory");
    case NOT_LOOPBACK:
        return !lets_webhooks_in(is);
    default:
        return is.base != NULL && (tg_text_same(is, wanted) || (tg_text_is(wanted, "true") && tg_text_is_nocase(is, "true")));
    }
}

void tg_gitea_inspect_app_ini(const struct tg_inspection *inspection)
{
    struct tg_text section = TG_TEXT("");
    TG_STRING fragment = {NULL, 0, 0};
    struct entry wanted;
    int wrong = 0;

    if (inspection->app_ini.base == NULL) {
        tg_gitea_checked(inspection, TG_CHECKED(TG_CHECK_UNSEEN, "app-ini",
                                                "set app-ini in our configuration, and run this as root"),
                         "Gitea's app.ini could not be read: its webhook list and session provider were not looked at");
        return;
    }
    tg_gitea_app_ini(&fragment, inspection->conf);
    struct tg_text rest = tg_string_text(&fragment);
    while (next_entry(&rest, &section, &wanted)) {
        struct tg_text is = find_value(inspection->app_ini, &wanted);
        TG_STRING remedy = {NULL, 0, 0};

        if (is_fit(rule_of(&wanted), is, wanted.value))
            continue;
        wrong++;
        tg_string_addf(&remedy, "in app.ini, section [%.*s], set %.*s = %.*s and restart Gitea", TG_TEXT_ARGS(wanted.section),
                       TG_TEXT_ARGS(wanted.key), TG_TEXT_ARGS(wanted.value));
        tg_gitea_checked(inspection, TG_CHECKED(TG_CHECK_BAD, "app-ini", remedy.base), "[%.*s] %.*s is %.*s",
                         TG_TEXT_ARGS(wanted.section),
                         TG_TEXT_ARGS(wanted.key), TG_TEXT_ARGS(is.base != NULL ? is : TG_TEXT("not set")));
    }
    if (wrong == 0)
        tg_gitea_checked(inspection, TG_CHECKED(TG_CHECK_GOOD, "app-ini", NULL), "every key that matters is as it should be");
}
