/*
 * door_table.c - the doors of Gitea 1.25 and later, as data
 *
 * The first row that fits counts, so closed rows and fixed names stand before the owners' names. Whatever signs in past our provider is
 * a closed row here, not left to Gitea's configuration alone.
 */
#include "front/doors.h"

const struct tg_door_info tg_door_infos[TG_DOORS] = {
    [TG_DOOR_OTHER] = {"other", TG_LOOKS_BOTH, TG_DIALECT_PAGE, TG_WAITS_SHORT},
    [TG_DOOR_CLOSED] = {"closed", TG_LOOKS_NOWHERE, TG_DIALECT_PAGE, TG_WAITS_SHORT},
    [TG_DOOR_STATIC] = {"static", TG_LOOKS_NOWHERE, TG_DIALECT_TEXT, TG_WAITS_SHORT},
    [TG_DOOR_HEALTH] = {"health", TG_LOOKS_NOWHERE, TG_DIALECT_TEXT, TG_WAITS_SHORT},
    [TG_DOOR_LOGIN_PAGE] = {"login-page", TG_LOOKS_COOKIE, TG_DIALECT_PAGE, TG_WAITS_SHORT},
    [TG_DOOR_LOGIN_START] = {"login-start", TG_LOOKS_NOWHERE, TG_DIALECT_PAGE, TG_WAITS_SHORT},
    [TG_DOOR_LOGIN_CALLBACK] = {"login-callback", TG_LOOKS_COOKIE, TG_DIALECT_PAGE, TG_WAITS_SHORT},
    [TG_DOOR_LOGOUT] = {"logout", TG_LOOKS_COOKIE, TG_DIALECT_PAGE, TG_WAITS_SHORT},
    [TG_DOOR_EVENTS] = {"events", TG_LOOKS_COOKIE, TG_DIALECT_TEXT, TG_WAITS_SHORT},
    [TG_DOOR_WEB_READ] = {"web-read", TG_LOOKS_COOKIE, TG_DIALECT_PAGE, TG_WAITS_SHORT},
    [TG_DOOR_WEB_WRITE] = {"web-write", TG_LOOKS_COOKIE, TG_DIALECT_PAGE, TG_WAITS_SHORT},
    [TG_DOOR_OPERATOR] = {"operator", TG_LOOKS_COOKIE, TG_DIALECT_PAGE, TG_WAITS_SHORT},
    [TG_DOOR_OPERATOR_API] = {"operator-api", TG_LOOKS_TOKEN, TG_DIALECT_API, TG_WAITS_SHORT},
    [TG_DOOR_OAUTH_CLIENT] = {"oauth-client", TG_LOOKS_CLIENT, TG_DIALECT_API, TG_WAITS_SHORT},
    [TG_DOOR_GIT_READ] = {"git-read", TG_LOOKS_TOKEN, TG_DIALECT_TEXT, TG_WAITS_LONG},
    [TG_DOOR_GIT_WRITE] = {"git-write", TG_LOOKS_TOKEN, TG_DIALECT_TEXT, TG_WAITS_LONG},
    [TG_DOOR_LFS_READ] = {"lfs-read", TG_LOOKS_TOKEN, TG_DIALECT_LFS, TG_WAITS_LONG},
    [TG_DOOR_LFS_WRITE] = {"lfs-write", TG_LOOKS_TOKEN, TG_DIALECT_LFS, TG_WAITS_LONG},
    [TG_DOOR_API_READ] = {"api-read", TG_LOOKS_TOKEN, TG_DIALECT_API, TG_WAITS_SHORT},
    [TG_DOOR_API_WRITE] = {"api-write", TG_LOOKS_TOKEN, TG_DIALECT_API, TG_WAITS_SHORT},
    [TG_DOOR_REGISTRY_TOKEN] = {"registry-token", TG_LOOKS_TOKEN, TG_DIALECT_OCI, TG_WAITS_SHORT},
    [TG_DOOR_REGISTRY_READ] = {"registry-read", TG_LOOKS_TOKEN, TG_DIALECT_OCI, TG_WAITS_LONG},
    [TG_DOOR_REGISTRY_WRITE] = {"registry-write", TG_LOOKS_TOKEN, TG_DIALECT_OCI, TG_WAITS_LONG},
    [TG_DOOR_PACKAGES_READ] = {"packages-read", TG_LOOKS_TOKEN, TG_DIALECT_TEXT, TG_WAITS_LONG},
    [TG_DOOR_PACKAGES_WRITE] = {"packages-write", TG_LOOKS_TOKEN, TG_DIALECT_TEXT, TG_WAITS_LONG},
    [TG_DOOR_ACTIONS] = {"actions", TG_LOOKS_TOKEN, TG_DIALECT_API, TG_WAITS_SHORT},
    [TG_DOOR_DOWNLOAD] = {"download", TG_LOOKS_BOTH, TG_DIALECT_PAGE, TG_WAITS_LONG},
    [TG_DOOR_FEEDS] = {"feeds", TG_LOOKS_BOTH, TG_DIALECT_TEXT, TG_WAITS_SHORT},
};

const struct tg_door_row tg_door_rows[] = {
    /* never for anybody from outside */
    {TG_DOOR_ANY, "/api/internal/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/metrics/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/debug/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/install/**", TG_DOOR_CLOSED},
    /* administration */
    {TG_DOOR_ANY, "/-/admin/**", TG_DOOR_OPERATOR},
    {TG_DOOR_ANY, "/api/v1/admin/**", TG_DOOR_OPERATOR_API},
    /* ways to sign in past our provider */
    {TG_DOOR_ANY, "/user/sign_up/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/user/forgot_password/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/user/recover_account/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/user/link_account*/**", TG_DOOR_CLOSED},
    {TG_DOOR_SAFE, "/user/login", TG_DOOR_LOGIN_PAGE},
    {TG_DOOR_ANY, "/user/login/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/user/openid/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/user/webauthn/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/user/activate*/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/user/two_factor/**", TG_DOOR_CLOSED},
    /* ours: other sources and methods are closed in tg_door_of */
    {TG_DOOR_GET, "/user/oauth2/*", TG_DOOR_LOGIN_START},
    {TG_DOOR_GET, "/user/oauth2/*/callback", TG_DOOR_LOGIN_CALLBACK},
    {TG_DOOR_ANY, "/user/oauth2/**", TG_DOOR_CLOSED},
    {TG_DOOR_ANY, "/user/logout", TG_DOOR_LOGOUT},
    {TG_DOOR_ANY, "/user/events", TG_DOOR_EVENTS},
    /* Gitea as a provider itself */
    {TG_DOOR_ANY, "/login/oauth/access_token", TG_DOOR_OAUTH_CLIENT},
    {TG_DOOR_ANY, "/login/oauth/introspect", TG_DOOR_OAUTH_CLIENT},
    {TG_DOOR_ANY, "/login/oauth/userinfo", TG_DOOR_API_READ},
    {TG_DOOR_SAFE, "/login/oauth/keys", TG_DOOR_STATIC},
    /* machines */
    {TG_DOOR_SAFE, "/api/healthz", TG_DOOR_HEALTH},
    {TG_DOOR_SAFE, "/api/swagger", TG_DOOR_WEB_READ},
    {TG_DOOR_SAFE, "/api/v1/**", TG_DOOR_API_READ},
    {TG_DOOR_UNSAFE, "/api/v1/**", TG_DOOR_API_WRITE},
    {TG_DOOR_SAFE, "/api/packages/**", TG_DOOR_PACKAGES_READ},
    {TG_DOOR_UNSAFE, "/api/packages/**", TG_DOOR_PACKAGES_WRITE},
    {TG_DOOR_ANY, "/api/actions/**", TG_DOOR_ACTIONS},
    {TG_DOOR_ANY, "/api/actions_pipeline/**", TG_DOOR_ACTIONS},
    {TG_DOOR_ANY, "/twirp/**", TG_DOOR_ACTIONS},
    {TG_DOOR_ANY, "/api/**", TG_DOOR_OTHER},
    {TG_DOOR_SAFE, "/v2/token", TG_DOOR_REGISTRY_TOKEN},
    {TG_DOOR_HEAD, "/v2/**", TG_DOOR_REGISTRY_TOKEN}, /* an answer to HEAD cannot say why; what follows it is judged */
    {TG_DOOR_SAFE, "/v2/**", TG_DOOR_REGISTRY_READ},
    {TG_DOOR_UNSAFE, "/v2/**", TG_DOOR_REGISTRY_WRITE},
    /* files that are the same for everybody */
    {TG_DOOR_SAFE, "/assets/**", TG_DOOR_STATIC},
    {TG_DOOR_SAFE, "/avatars/**", TG_DOOR_STATIC},
    {TG_DOOR_SAFE, "/repo-avatars/**", TG_DOOR_STATIC},
    {TG_DOOR_SAFE, "/favicon.ico", TG_DOOR_STATIC},
    {TG_DOOR_SAFE, "/robots.txt", TG_DOOR_STATIC},
    {TG_DOOR_SAFE, "/apple-touch-icon*", TG_DOOR_STATIC},
    {TG_DOOR_SAFE, "/.well-known/**", TG_DOOR_STATIC},
    {TG_DOOR_GET | TG_DOOR_HEAD, "/attachments/*", TG_DOOR_DOWNLOAD},
    /* pages with fixed names */
    {TG_DOOR_SAFE, "/", TG_DOOR_WEB_READ},
    {TG_DOOR_SAFE, "/user/**", TG_DOOR_WEB_READ},
    {TG_DOOR_UNSAFE, "/user/**", TG_DOOR_WEB_WRITE},
    {TG_DOOR_SAFE, "/login/**", TG_DOOR_WEB_READ},
    {TG_DOOR_UNSAFE, "/login/**", TG_DOOR_WEB_WRITE},
    {TG_DOOR_SAFE, "/explore/**", TG_DOOR_WEB_READ},
    {TG_DOOR_SAFE, "/org/**", TG_DOOR_WEB_READ},
    {TG_DOOR_UNSAFE, "/org/**", TG_DOOR_WEB_WRITE},
    {TG_DOOR_SAFE, "/-/**", TG_DOOR_WEB_READ},
    {TG_DOOR_UNSAFE, "/-/**", TG_DOOR_WEB_WRITE},
    /* git */
    {TG_DOOR_GET | TG_DOOR_HEAD, "/*/*/info/refs", TG_DOOR_GIT_READ}, /* or write, by the service asked for: see tg_door_of */
    {TG_DOOR_ANY, "/*/*/git-upload-pack", TG_DOOR_GIT_READ},
    {TG_DOOR_ANY, "/*/*/git-upload-archive", TG_DOOR_GIT_READ},
    {TG_DOOR_ANY, "/*/*/git-receive-pack", TG_DOOR_GIT_WRITE},
    {TG_DOOR_SAFE, "/*/*/HEAD", TG_DOOR_GIT_READ},
    {TG_DOOR_SAFE, "/*/*/objects/**", TG_DOOR_GIT_READ},
    {TG_DOOR_SAFE, "/*/*/info/lfs/**", TG_DOOR_LFS_READ},
    {TG_DOOR_POST, "/*/*/info/lfs/objects/batch", TG_DOOR_LFS_READ}, /* up or down stands in its body */
    {TG_DOOR_UNSAFE, "/*/*/info/lfs/**", TG_DOOR_LFS_WRITE},
    {TG_DOOR_ANY, "/*/*/info/**", TG_DOOR_OTHER},
    /* downloads and feeds, where a token counts as well as a session */
    {TG_DOOR_SAFE, "/*/*/raw/**", TG_DOOR_DOWNLOAD},
    {TG_DOOR_SAFE, "/*/*/media/**", TG_DOOR_DOWNLOAD},
    {TG_DOOR_SAFE, "/*/*/archive/**", TG_DOOR_DOWNLOAD},
    {TG_DOOR_SAFE, "/*/*/attachments/*", TG_DOOR_DOWNLOAD},
    {TG_DOOR_SAFE, "/*/*/releases/download/**", TG_DOOR_DOWNLOAD},
    {TG_DOOR_SAFE, "/*.rss", TG_DOOR_FEEDS},
    {TG_DOOR_SAFE, "/*.atom", TG_DOOR_FEEDS},
    {TG_DOOR_SAFE, "/*.keys", TG_DOOR_FEEDS},
    {TG_DOOR_SAFE, "/*.gpg", TG_DOOR_FEEDS},
    {TG_DOOR_SAFE, "/*/*.rss", TG_DOOR_FEEDS},
    {TG_DOOR_SAFE, "/*/*.atom", TG_DOOR_FEEDS},
    {TG_DOOR_SAFE, "/*/*/rss/**", TG_DOOR_FEEDS},
    {TG_DOOR_SAFE, "/*/*/atom/**", TG_DOOR_FEEDS},
    /* owners, repositories and their pages */
    {TG_DOOR_SAFE, "/*/**", TG_DOOR_WEB_READ},
    {TG_DOOR_UNSAFE, "/*/**", TG_DOOR_WEB_WRITE},
    {0, NULL, TG_DOOR_OTHER},
};
