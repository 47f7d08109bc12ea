/*
 * app_ini.c - what goes into Gitea's app.ini so that it works behind us
 */
#include "gitea/setup.h"

static const char doors[] =
    "[service]\n"
    "; our provider is the only door\n"
    "ENABLE_PASSWORD_SIGNIN_FORM = false\n"
    "ENABLE_PASSKEY_AUTHENTICATION = false\n"
    "; passwords only: access tokens in Basic still work\n"
    "ENABLE_BASIC_AUTHENTICATION = false\n"
    "ALLOW_ONLY_EXTERNAL_REGISTRATION = true\n"
    "SHOW_REGISTRATION_BUTTON = false\n"
    "REGISTER_EMAIL_CONFIRM = false\n"
    "DEFAULT_ALLOW_CREATE_ORGANIZATION = false\n"
    "\n"
    "[openid]\n"
    "ENABLE_OPENID_SIGNIN = false\n"
    "ENABLE_OPENID_SIGNUP = false\n"
    "\n"
    "[oauth2_client]\n"
    "; users are made before they sign in for the first time; never link by name or e-mail\n"
    "ENABLE_AUTO_REGISTRATION = false\n"
    "USERNAME = preferred_username\n"
    "ACCOUNT_LINKING = disabled\n"
    "REGISTER_EMAIL_CONFIRM = false\n"
    "OPENID_CONNECT_SCOPES = profile email groups\n"
    "UPDATE_AVATAR = false\n"
    "\n"
    "[oauth2]\n"
    "; git-credential-manager and others; it also tells us whose an access token is\n"
    "ENABLED = true\n"
    "\n"
    "[admin]\n"
    "EXTERNAL_USER_DISABLE_FEATURES = deletion,manage_credentials,change_username,manage_mfa\n"
    "\n"
    "[cron.sync_external_users]\n"
    "ENABLED = false\n"
    "\n"
    "[metrics]\n"
    "ENABLED = false\n"
    "\n"
    "[webhook]\n"
    "; never loopback: an ordinary user's webhook would reach every listener on it\n"
    "ALLOWED_HOST_LIST = external\n";

static void add_server(struct tg_string *out, const struct tg_gitea_conf *conf)
{
    struct tg_text rest = tg_text(conf->host);
    struct tg_text domain = tg_text_cut(&rest, ':');

    tg_string_addf(out, "[server]\n");
    if (conf->upstream.path != NULL) {
        tg_string_addf(out, "PROTOCOL = http+unix\nHTTP_ADDR = %s\nUNIX_SOCKET_PERMISSION = 660\n", conf->upstream.path);
    } else {
        tg_string_addf(out, "PROTOCOL = http\nHTTP_ADDR = %s\nHTTP_PORT = %d\n",
                       conf->upstream.host != NULL ? conf->upstream.host : "127.0.0.1", conf->upstream.port);
    }
    tg_string_addf(out, "ROOT_URL = https://%s/\nDOMAIN = %.*s\n", conf->host, TG_TEXT_ARGS(domain));
    tg_string_addf(out, "PUBLIC_URL_DETECTION = auto\nLFS_START_SERVER = true\nLFS_HTTP_AUTH_EXPIRY = 20m\n\n");
}

void tg_gitea_app_ini(struct tg_string *out, const struct tg_gitea_conf *conf)
{
    tg_string_addf(out, "; for the app.ini of https://%s/\n", conf->host);
    add_server(out, conf);
    tg_string_addf(out, "[security]\nINSTALL_LOCK = true\nREVERSE_PROXY_LIMIT = 1\n"
                        "REVERSE_PROXY_TRUSTED_PROXIES = 127.0.0.0/8,::1/128\nDISABLE_QUERY_AUTH_TOKEN = true\n"
                        "LOGIN_REMEMBER_DAYS = 0\nCOOKIE_REMEMBER_NAME = %s\n\n",
                   conf->remember_cookie);
    tg_string_addf(out, "[session]\n; file: a restart of Gitea signs nobody out\nPROVIDER = file\nCOOKIE_NAME = %s\n"
                        "COOKIE_SECURE = true\nSAME_SITE = lax\n\n",
                   conf->session_cookie);
    tg_string_add(out, tg_text(doors));
}
