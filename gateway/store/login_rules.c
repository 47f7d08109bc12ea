/*
 * login_rules.c - which names and addresses an account may have
 *
 * Gitea's rules (models/user/user.go, modules/validation), so that every account of ours can become a user there, and our words.
 */
#include "store/account.h"
#include "base/result.h"

/* Paths of Gitea, names of its own users, and names that would look like a host of ours. */
static const char *const reserved[] = {
    ".well-known", "api",       "assets",   "attachments",   "avatar",      "avatars",    "captcha",         "explore",
    "favicon.ico", "ghost",     "gitea-actions", "issues",   "login",       "manifest.json", "metrics",      "milestones",
    "notifications", "org",     "pulls",    "repo",          "repo-avatars", "robots.txt", "sitemap.xml",    "ssh_info",
    "swagger.v1.json", "user",  "v2",
    "auth",        "pages",     "portal",   "teagate",       "www",
};

/* Gitea answers these under a user's name itself. */
static const char *const reserved_endings[] = {".keys", ".gpg", ".rss", ".atom", ".png"};

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_joint(char c)
{
    return c == '-' || c == '_' || c == '.';
}

static const char *login_characters_unfit(struct tg_text login)
{
    for (size_t i = 0; i < login.len; i++) {
        char c = login.base[i];

        if (!is_alphanumeric(c) && !is_joint(c))
            return "a login has letters, digits, \"-\", \"_\" and \".\" only, without accents";
        if (is_joint(c) && (i == 0 || i + 1 == login.len))
            return "a login begins and ends with a letter or a digit";
        if (is_joint(c) && is_joint(login.base[i - 1]))
            return "in a login, \"-\", \"_\" and \".\" do not follow each other";
    }
    return NULL;
}

static bool ends_nocase(struct tg_text text, struct tg_text ending)
{
    return text.len >= ending.len && tg_text_is_nocase(tg_text_n(text.base + text.len - ending.len, ending.len), ending.base);
}

const char *tg_login_unfit(struct tg_text login)
{
    if (login.len == 0)
        return "a login must not be empty";
    if (login.len >= TG_LOGIN)
        return "a login has 40 characters at the most";

    const char *unfit = login_characters_unfit(login);
    if (unfit != NULL)
        return unfit;
    for (size_t i = 0; i < tg_count(reserved); i++) {
        if (tg_text_is_nocase(login, reserved[i]))
            return "this login is reserved: it is a path or a user of Gitea's, or a host of this service";
    }
    for (size_t i = 0; i < tg_count(reserved_endings); i++) {
        if (ends_nocase(login, tg_text(reserved_endings[i])))
            return "a login does not end in .keys, .gpg, .rss, .atom or .png: Gitea answers those addresses itself";
    }
    return NULL;
}

/* Before the "@": atoms of RFC 5322 3.2.3 with single dots between them; no quoted form. */
static bool is_local_part(struct tg_text local)
{
    static const char others[] = "!#$%&'*+-/=?^_`{|}~";

    if (local.len == 0 || local.len > 64 || local.base[0] == '-')
        return false;
    for (size_t i = 0; i < local.len; i++) {
        char c = local.base[i];
        bool lonely_dot = c == '.' && i > 0 && i + 1 < local.len && local.base[i - 1] != '.';

        if (!is_alphanumeric(c) && !lonely_dot && (c == '\0' || strchr(others, c) == NULL))
            return false;
    }
    return true;
}

static bool is_label(struct tg_text label)
{
    if (label.len == 0 || label.len > 63 || label.base[0] == '-' || label.base[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        if (!is_alphanumeric(label.base[i]) && label.base[i] != '-')
            return false;
    }
    return true;
}

const char *tg_email_unfit(struct tg_text email)
{
    struct tg_text domain = email;

    if (email.len == 0)
        return "an e-mail address must not be empty";
    if (email.len >= TG_EMAIL)
        return "an e-mail address has 254 characters at the most";

    struct tg_text local = tg_text_cut(&domain, '@');
    if (domain.base == NULL)
        return "an e-mail address has an \"@\"";
    if (!is_local_part(local))
        return "what stands before the \"@\" is not the name of a mailbox";
    while (domain.base != NULL) {
        if (!is_label(tg_text_cut(&domain, '.')))
            return "what stands behind the \"@\" is not a domain name (international ones in their xn-- form)";
    }
    return NULL;
}
