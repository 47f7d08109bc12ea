#include "gitea/inspect.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/result.h"
#include "gitea/call_api.h"
#include "gitea/reconcile.h"
#include "gitea/setup.h"
#include "store/client.h"

enum { PROBE_MS = 5000, CLOCK_WARN_S = 5, CLOCK_BAD_S = 60 };

struct look {
    struct tg_worker *worker;
    struct tg_store *store;
    const struct tg_inspection *told;
    struct tg_arena arena;
};

void tg_gitea_checked(const struct tg_inspection *inspection, const struct tg_checked *what, const char *format, ...)
{
    struct tg_checked checked = *what;
    va_list arguments;
    char text[768];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    checked.text = text;
    if (checked.state == TG_CHECK_GOOD)
        checked.remedy = NULL;
    inspection->told(&checked, inspection->context);
}

#define say(look, state, name, remedy, ...) tg_gitea_checked((look)->told, TG_CHECKED(state, name, remedy), __VA_ARGS__)

static int ask(struct look *look, const char *method, const char *path, struct tg_text form, struct tg_fetched *out)
{
    struct tg_gitea_call call = {.method = method, .path = path, .json = form, .timeout_ms = PROBE_MS};

    return tg_gitea_call(look->worker, look->told->conf, &call, &look->arena, out);
}

static bool contains(struct tg_text body, const char *what)
{
    return body.base != NULL && memmem(body.base, body.len, what, strlen(what)) != NULL;
}

/* Without an answer nothing else is worth asking. */
static int look_at_version(struct look *look, bool *answers)
{
    const struct tg_gitea_conf *conf = look->told->conf;
    char version[64] = "";
    int result = tg_try(tg_gitea_version(look->worker, conf, version));
    char *rest = version;
    long major = strtol(version, &rest, 10), minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;

    *answers = result == 0;
    if (result != 0)
        say(look, TG_CHECK_BAD, "reach", "start Gitea, or correct `upstream` and `admin-token-file`",
            "Gitea cannot be asked at %s: %s",
            conf->upstream.text, tg_failure());
    else if (major < 1 || (major == 1 && minor < 25))
        say(look, TG_CHECK_BAD, "version", "bring Gitea to 1.25 or later", "Gitea is %s, which we do not know", version);
    else
        say(look, TG_CHECK_GOOD, "version", NULL, "Gitea is %s", version);
    return 0;
}

/* Nobody has a name that begins with a dot: nothing is changed, and the order of Gitea's answers tells what the token may do. */
static int look_at_token(struct look *look)
{
    static const char remedy[] = "make a token of a site administrator:"
                                 " gitea admin user generate-access-token --scopes write:admin";
    struct tg_gitea_call call = {.method = "PATCH", .path = "/api/v1/admin/users/.teagate-doctor", .json = TG_TEXT("{}"),
                                 .timeout_ms = PROBE_MS};
    struct tg_fetched answer = {0};

    if (tg_try(tg_gitea_call_as_admin(look->worker, look->told->conf, &call, &look->arena, &answer)) != 0)
        say(look, TG_CHECK_BAD, "admin-token", "see `admin-token-file`", "%s", tg_failure());
    else if (answer.status == 404 || answer.status == 422)
        say(look, TG_CHECK_GOOD, "admin-token", NULL, "our token is a site administrator's, and may change users");
    else
        say(look, TG_CHECK_BAD, "admin-token", remedy, "our token may not change users (Gitea answered %d)", answer.status);
    return 0;
}

/* Ways into Gitea past our provider: what each answers when it is closed. */
static int look_at_door(struct look *look, const char *path, const char *name, const char *remedy)
{
    struct tg_fetched answer = {0};

    if (ask(look, "POST", path, TG_TEXT(""), &answer) != 0)
        say(look, TG_CHECK_UNSEEN, name, NULL, "POST %s: %s", path, tg_failure());
    else if (answer.status == 403 || answer.status == 404)
        say(look, TG_CHECK_GOOD, name, NULL, "POST %s is closed", path);
    else if (answer.status < 400)
        say(look, TG_CHECK_BAD, name, remedy, "POST %s is open (Gitea answered %d)", path, answer.status);
    else
        say(look, TG_CHECK_UNSEEN, name, remedy, "POST %s answered %d: it cannot be told whether it is closed", path,
            answer.status);
    return 0;
}

static int look_at_passwords(struct look *look)
{
    static const char remedy[] = "in app.ini, section [service], set ENABLE_BASIC_AUTHENTICATION = false and restart Gitea";
    struct tg_fetched answer = {0};
    struct tg_gitea_call call = {.path = "/api/v1/user", .authorization = "Basic LnRlYWdhdGU6bm8=", .timeout_ms = PROBE_MS};

    if (tg_gitea_call(look->worker, look->told->conf, &call, &look->arena, &answer) != 0) /* .teagate:no */
        say(look, TG_CHECK_UNSEEN, "basic-passwords", NULL, "%s", tg_failure());
    else if (answer.status == 401 && contains(answer.body, "token is required"))
        say(look, TG_CHECK_GOOD, "basic-passwords", NULL, "passwords of Gitea do not open its API and git");
    else
        say(look, TG_CHECK_WARN, "basic-passwords", remedy, "Gitea looked at a user name and a password (it answered %d)",
            answer.status);
    return 0;
}

static bool names_value(struct tg_text body, const char *name, const char *value)
{
    TG_STRING wanted = {0};

    tg_string_addf(&wanted, "%s=", name);
    tg_url_encode(&wanted, tg_text(value));
    return contains(body, wanted.base);
}

/* Where Gitea's sign-in leads shows its source, its client and its ROOT_URL. */
static int look_at_sign_in(struct look *look, const struct tg_client *client)
{
    const struct tg_gitea_conf *conf = look->told->conf;
    const char *again = tg_arena_format(&look->arena, "teagate gitea setup %s --force, then restart Gitea", conf->host);
    const char *root = tg_arena_format(&look->arena, "in app.ini, section [server], set ROOT_URL = https://%s/ and restart Gitea",
                                       conf->host);
    const char *callback = tg_arena_format(&look->arena, "https://%s/user/oauth2/%s/callback", conf->host, conf->source);
    struct tg_fetched answer = {0};

    if (ask(look, "GET", tg_arena_format(&look->arena, "/user/oauth2/%s", conf->source), (struct tg_text){0}, &answer) != 0)
        say(look, TG_CHECK_UNSEEN, "sign-in", NULL, "%s", tg_failure());
    else if (answer.status < 302 || answer.status > 307 || !names_value(answer.body, "client_id", client->id))
        say(look, TG_CHECK_BAD, "sign-in", again, "Gitea's sign-in by source %s does not lead to us (it answered %d)",
            conf->source, answer.status);
    else if (!names_value(answer.body, "redirect_uri", callback))
        say(look, TG_CHECK_BAD, "root-url", root, "Gitea wants to be returned to somewhere else than %s", callback);
    else
        say(look, TG_CHECK_GOOD, "sign-in", NULL, "Gitea's sign-in leads to us and back to %s", callback);
    return 0;
}

/* What the source was told, by the digest that set-up left: also that it does not ask for a second factor of Gitea's own. */
static int look_at_source(struct look *look)
{
    const struct tg_inspection *told = look->told;
    struct tg_gitea_setup setup = {.conf = told->conf, .ring = told->ring, .backchannel = told->backchannel};
    const char *remedy = tg_arena_format(&look->arena, "teagate gitea setup %s", told->conf->host);
    bool current = false;

    if (told->ring == NULL || told->ring->count == 0) {
        say(look, TG_CHECK_UNSEEN, "source", "run this as root or as the service user", "the key ring could not be read");
        return 0;
    }
    tg_try(tg_gitea_setup_is_current(look->worker, &setup, &current));
    if (current)
        say(look, TG_CHECK_GOOD, "source", NULL,
            "source %s was set up by us as it is now (skip-local-2fa, groups, scopes); changes by hand in Gitea are not seen",
            told->conf->source);
    else
        say(look, TG_CHECK_BAD, "source", remedy, "source %s was told something else than what is configured now",
            told->conf->source);
    return 0;
}

static int look_at_backchannel(struct look *look, const struct tg_client *client)
{
    struct tg_fetch what = {.timeout_ms = PROBE_MS};
    struct tg_fetched answer = {0};

    what.url = tg_arena_format(&look->arena, "%s/c/%s/.well-known/openid-configuration", look->told->backchannel, client->id);
    int result = tg_fetch(look->worker->fetcher, &what, &look->arena, &answer);
    if (result != 0)
        say(look, TG_CHECK_BAD, "back-channel", "start the service, or correct listen.backchannel", "%s", tg_failure());
    else if (answer.status != 200 || !contains(answer.body, "\"issuer\""))
        say(look, TG_CHECK_BAD, "back-channel", "see our event log; or something else listens there", "%s answered %d", what.url,
            answer.status);
    else
        say(look, TG_CHECK_GOOD, "back-channel", NULL, "discovery answers at %s, from this machine", what.url);
    return 0;
}

static int look_at_clock(struct look *look)
{
    static const char remedy[] = "keep both clocks right, with chrony or systemd-timesyncd";
    struct tg_fetched answer = {0};

    if (ask(look, "GET", "/api/healthz", (struct tg_text){0}, &answer) != 0 || answer.date_s == 0) {
        say(look, TG_CHECK_UNSEEN, "clock", NULL, "Gitea did not tell its time");
        return 0;
    }
    int64_t off_s = llabs((long long)(answer.date_s - tg_now_s()));
    say(look, off_s >= CLOCK_BAD_S ? TG_CHECK_BAD : off_s >= CLOCK_WARN_S ? TG_CHECK_WARN : TG_CHECK_GOOD, "clock", remedy,
        "Gitea's clock and ours are %lld s apart", (long long)off_s);
    return 0;
}

static void on_finding(const struct tg_finding *finding, void *context)
{
    static const struct {
        enum tg_check_state state;
        const char *name;
    } of[] = {
        [TG_FINDING_MAPPED] = {TG_CHECK_WARN, "member-unmapped"},
        [TG_FINDING_FLAG] = {TG_CHECK_WARN, "member-flag"},
        [TG_FINDING_RENAMED] = {TG_CHECK_GOOD, "member-renamed"},
        [TG_FINDING_PROHIBITED] = {TG_CHECK_WARN, "member-prohibited"},
        [TG_FINDING_DELETED] = {TG_CHECK_BAD, "member-deleted"},
        [TG_FINDING_REPLACED] = {TG_CHECK_BAD, "member-replaced"},
        [TG_FINDING_DOUBLE] = {TG_CHECK_BAD, "member-double"},
        [TG_FINDING_NAMESAKE] = {TG_CHECK_BAD, "member-namesake"},
        [TG_FINDING_STRANGER] = {TG_CHECK_WARN, "member-stranger"},
        [TG_FINDING_ADMINISTRATOR] = {TG_CHECK_WARN, "member-administrator"},
    };
    struct look *look = context;

    say(look, of[finding->kind].state, of[finding->kind].name, NULL, "%s", finding->text);
}

/* The same comparison as jobs makes, changing nothing. */
static int look_at_members(struct look *look)
{
    struct tg_reconcile reconcile = {.conf = look->told->conf, .found = on_finding, .context = look};
    int result = tg_try(tg_reconcile_begin(look->worker, &reconcile));

    if (result == 0) {
        do
            result = tg_reconcile_step(look->worker, &reconcile);
        while (result == TG_RECONCILE_MORE);
    }
    tg_reconcile_done(&reconcile);
    if (result == TG_RECONCILE_UNAVAILABLE)
        say(look, TG_CHECK_UNSEEN, "members", "see admin-token", "the users of Gitea could not be listed: %s", tg_failure());
    else if (result == 0 && reconcile.findings == 0)
        say(look, TG_CHECK_GOOD, "members", NULL, "%lld users, all where they belong", (long long)reconcile.users);
    return result < 0 ? result : 0;
}

static int look_at_flags(struct look *look)
{
    struct tg_flag_counts counts;
    struct tg_flag next;

    tg_try(tg_flag_count(look->store, look->told->conf->host, &counts));
    int found = tg_try(tg_flag_next(look->store, look->told->conf->host, tg_now_ms() - 5000, &next));
    if (found == 0)
        say(look, TG_CHECK_BAD, "flags", "see that the service runs and Gitea answers; they are set as soon as it does",
            "%lld flags wait to be set or lifted in Gitea for more than 5 s: %s", (long long)counts.due,
            next.error[0] != '\0' ? next.error : "jobs has not come to them");
    else
        say(look, TG_CHECK_GOOD, "flags", NULL, "%lld users are prohibited by us, %lld by others", (long long)counts.ours,
            (long long)counts.foreign);
    return 0;
}

static int look_at_all(struct look *look)
{
    const struct tg_gitea_conf *conf = look->told->conf;
    const char *set_up = tg_arena_format(&look->arena, "teagate gitea setup %s", conf->host);
    struct tg_client client;
    bool answers;

    tg_try(tg_worker_store(look->worker, &look->store));
    tg_gitea_inspect_app_ini(look->told);
    tg_try(look_at_version(look, &answers));
    if (tg_try(tg_client_find_instance(look->store, conf->host, &client)) != 0) {
        say(look, TG_CHECK_BAD, "set-up", set_up, "this Gitea has not been set up to sign in with us");
        return 0;
    }
    tg_try(look_at_backchannel(look, &client));
    tg_try(look_at_source(look));
    tg_try(look_at_flags(look));
    if (!answers)
        return 0;
    tg_try(look_at_token(look));
    tg_try(look_at_sign_in(look, &client));
    tg_try(look_at_door(look, "/user/login", "password-form",
                        "in app.ini, section [service], set ENABLE_PASSWORD_SIGNIN_FORM = false and restart Gitea"));
    tg_try(look_at_door(look, "/user/sign_up", "registration",
                        "in app.ini, section [service], set ALLOW_ONLY_EXTERNAL_REGISTRATION = true and restart Gitea"));
    tg_try(look_at_door(look, "/user/login/openid", "openid2",
                        "in app.ini, section [openid], set ENABLE_OPENID_SIGNIN = false and restart Gitea"));
    tg_try(look_at_passwords(look));
    tg_try(look_at_clock(look));
    return look_at_members(look);
}

int tg_gitea_inspect(struct tg_worker *worker, const struct tg_inspection *inspection)
{
    struct look look = {.worker = worker, .told = inspection};
    int result = look_at_all(&look);

    tg_arena_done(&look.arena);
    return result;
}
