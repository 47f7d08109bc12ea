/* doctor_self.c - `teagate doctor`: what is ours */
#include <stdio.h>
#include <sys/statvfs.h>
#include "base/clock.h"
#include "base/result.h"
#include "command/doctor.h"
#include "http/tls.h"
#include "store/clock.h"
#include "supervisor/control.h"

#define say(doctor, state, name, remedy, ...) tg_doctor_say(doctor, TG_CHECKED(state, name, remedy), __VA_ARGS__)

enum { MEGABYTE = 1024 * 1024, FREE_BAD_MB = 100, FREE_WARN_MB = 1024, EXPIRY_WARN_S = 14 * 86400, EXPIRY_BAD_S = 2 * 86400 };

static void look_at_config(struct tg_doctor *doctor)
{
    struct tg_text warnings = tg_string_text(&doctor->run->file.warnings);

    if (warnings.len == 0)
        say(doctor, TG_CHECK_GOOD, "config", NULL, "%s has no errors and no warnings", doctor->run->config_path);
    while (warnings.len > 0) {
        struct tg_text line = tg_text_cut(&warnings, '\n');
        if (line.len > 0)
            say(doctor, TG_CHECK_WARN, "config", "see the line", "%.*s", TG_TEXT_ARGS(line));
    }
}

static void look_at_service(struct tg_doctor *doctor)
{
    const char *path = tg_site_supervisor_socket(&doctor->run->conf);
    TG_CLOSED int fd = -1;
    int result = tg_control_connect(path, &fd);

    if (result == 0)
        say(doctor, TG_CHECK_GOOD, "service", NULL, "runs");
    else if (result == TG_CONTROL_FORBIDDEN)
        say(doctor, TG_CHECK_UNSEEN, "service", "run this as root or as the service user", "%s is not for us", path);
    else
        say(doctor, TG_CHECK_BAD, "service", "systemctl start teagate", "does not run: nobody listens on %s", path);
}

static void look_at_disk(struct tg_doctor *doctor)
{
    const char *state = doctor->run->conf.state;
    struct statvfs disk;

    if (statvfs(state, &disk) != 0) {
        say(doctor, TG_CHECK_BAD, "disk", "make it, or correct `state`", "%s cannot be looked at", state);
        return;
    }
    unsigned long long free_mb = (unsigned long long)disk.f_bavail * disk.f_frsize / MEGABYTE;
    bool bad = free_mb < FREE_BAD_MB || (disk.f_files > 0 && disk.f_favail < 100);
    say(doctor, bad ? TG_CHECK_BAD : free_mb < FREE_WARN_MB ? TG_CHECK_WARN : TG_CHECK_GOOD, "disk",
                  "make room there: without it nobody can sign in", "%llu MB are free for %s", free_mb, state);
}

/* 0 or TG_DOCTOR_BLIND. */
static int look_at_database(struct tg_doctor *doctor)
{
    struct tg_store *store;
    int64_t number;

    if (tg_worker_store(doctor->worker, &store) != 0 || tg_change_last(store, &number) != 0) {
        say(doctor, TG_CHECK_BAD, "database", "see why", "%s", tg_failure());
        return TG_DOCTOR_BLIND;
    }
    say(doctor, TG_CHECK_GOOD, "database", NULL, "can be read; the last change is number %lld", (long long)number);
    return 0;
}

static void look_at_clock(struct tg_doctor *doctor)
{
    struct tg_clock clock = {0};
    struct tg_store *store;

    if (tg_worker_store(doctor->worker, &store) != 0 || tg_clock_read(store, &clock) < 0)
        say(doctor, TG_CHECK_BAD, "clock", "see why", "%s", tg_failure());
    else if (clock.doubt == TG_CLOCK_SURE)
        say(doctor, TG_CHECK_GOOD, "clock", NULL, "is believed");
    else if (clock.doubt == TG_CLOCK_JUMPED)
        say(doctor, TG_CHECK_BAD, "clock", "when it is right: teagate clock accept",
                      "jumped by %lld seconds; no subscription ends until it is accepted", (long long)clock.amount);
    else
        say(doctor, TG_CHECK_BAD, "clock", "when it is right: teagate clock accept",
                      "by it, something would end for %lld accounts at once; no subscription ends until it is accepted",
                      (long long)clock.amount);
}

static void look_at_keys(struct tg_doctor *doctor)
{
    if (tg_keyring_load(&doctor->ring, tg_site_keyring_path(&doctor->run->conf), false) != 0)
        say(doctor, TG_CHECK_BAD, "key-ring", "start the service once, or put the file back from a copy", "%s", tg_failure());
}

static void look_at_redis(struct tg_doctor *doctor)
{
    struct tg_space *space = NULL;
    struct tg_redis_reply reply;
    struct tg_store *store;

    if (tg_worker_store(doctor->worker, &store) != 0)
        return;
    int result = tg_space_new(&doctor->run->conf.redis, store, &space);
    if (result == TG_SPACE_NONE) {
        say(doctor, TG_CHECK_GOOD, "redis", NULL, "is not used");
        return;
    }
    struct tg_redis_link *link = result == 0 ? tg_redis_link_new(space->redis) : NULL;
    if (link != NULL && tg_redis_call(link, TG_REDIS_COMMAND(TG_TEXT("PING")), &reply) == 0)
        say(doctor, TG_CHECK_GOOD, "redis", NULL, "answers at %s", doctor->run->conf.redis.address.text);
    else
        say(doctor, TG_CHECK_WARN, "redis", "start it, or correct `redis`; until then changes take up to a second",
            "%s does not answer: %s",
                      doctor->run->conf.redis.address.text, tg_failure());
    tg_redis_link_free(link);
    tg_space_free(space);
}

static bool is_internal(const struct tg_doctor *doctor, struct tg_text name)
{
    const struct tg_conf_list *list = &doctor->run->conf.http.tls.internal_ca;
    const char *const *items = list->items;

    for (size_t i = 0; i < list->count; i++) {
        if (tg_text_is_nocase(name, items[i]))
            return true;
    }
    return false;
}

/* Names without port that need a certificate from outside; NULL-terminated, in the arena. */
static const char **certified_names(struct tg_doctor *doctor, struct tg_arena *arena)
{
    const struct tg_site_conf *conf = &doctor->run->conf;
    const struct tg_gitea_conf *giteas = conf->giteas.items;
    const char **names = tg_arena_alloc(arena, (conf->giteas.count + 2) * sizeof(*names));
    size_t count = 0;

    for (size_t i = 0; i <= conf->giteas.count; i++) {
        struct tg_text rest = tg_text(i < conf->giteas.count ? giteas[i].host : conf->oidc.issuer + strlen("https://"));
        struct tg_text authority = tg_text_cut(&rest, '/');
        struct tg_text name = tg_text_cut(&authority, ':');
        if (!is_internal(doctor, name))
            names[count++] = tg_arena_copy(arena, name);
    }
    return names;
}

static void look_at_expiry(struct tg_doctor *doctor, int64_t when_s)
{
    int64_t left_s = when_s - tg_now_s();
    char when[TG_TIME_ISO];

    tg_time_iso(when_s, when);
    say(doctor, left_s < EXPIRY_BAD_S ? TG_CHECK_BAD : left_s < EXPIRY_WARN_S ? TG_CHECK_WARN : TG_CHECK_GOOD, "certificates",
                  "renew it", "the first certificate ends at %s", when);
}

static void look_at_certificates(struct tg_doctor *doctor)
{
    TG_STRING errors = {NULL, 0, 0}, missing = {NULL, 0, 0};
    struct tg_arena arena = {0};
    struct tg_tls_options options = {.directory = doctor->run->conf.http.tls.directory, .names = certified_names(doctor, &arena)};
    struct tg_tls *tls = NULL;
    size_t changed;

    if (options.names[0] == NULL) {
        say(doctor, TG_CHECK_GOOD, "certificates", NULL, "all names are localhost's, and certified by our own authority");
    } else if (tg_tls_new(&options, &tls) != 0 || tg_tls_rescan(tls, &changed, &errors) != 0) {
        say(doctor, TG_CHECK_BAD, "certificates", "see `tls.directory`", "%s", tg_failure());
    } else {
        tg_tls_missing(tls, &missing);
        for (struct tg_text rest = tg_string_text(&errors); rest.len > 0;) {
            struct tg_text line = tg_text_cut(&rest, '\n');
            say(doctor, TG_CHECK_WARN, "certificates", "put a readable pair in its place", "%.*s", TG_TEXT_ARGS(line));
        }
        for (struct tg_text rest = tg_string_text(&missing); rest.len > 0;) {
            struct tg_text line = tg_text_cut(&rest, '\n');
            say(doctor, TG_CHECK_BAD, "certificates", "put NAME.crt and NAME.key for it into `tls.directory`",
                          "%.*s has no certificate", TG_TEXT_ARGS(line));
        }
        if (tg_tls_next_expiry_s(tls) != 0)
            look_at_expiry(doctor, tg_tls_next_expiry_s(tls));
    }
    tg_tls_free(tls);
    tg_arena_done(&arena);
}

int tg_doctor_self(struct tg_doctor *doctor)
{
    look_at_config(doctor);
    look_at_service(doctor);
    look_at_disk(doctor);
    look_at_certificates(doctor);
    if (look_at_database(doctor) == TG_DOCTOR_BLIND)
        return TG_DOCTOR_BLIND;
    look_at_clock(doctor);
    look_at_keys(doctor);
    look_at_redis(doctor);
    return 0;
}
