#include "store/redis_conf.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include "base/file.h"
#include "store/record.h"

enum { PREFIX_MAX = 32, PASSWORD_LIMIT = 1024 };

const struct tg_key tg_redis_keys[] = {
    {"address", TG_ADDRESS, offsetof(struct tg_redis_conf, address), .example = "unix:/run/redis/redis-server.sock",
     .help = "where a Redis listens that may lose everything it holds; without this key there is none, and a single node needs none"},
    {"password-file", TG_PATH, offsetof(struct tg_redis_conf, password_file), .example = "/etc/teagate/redis-password",
     .help = "a file with the password of that Redis"},
    {"prefix", TG_STRING_KEY, offsetof(struct tg_redis_conf, prefix), .initial = "teagate",
     .help = "what names in that Redis begin with: letters, digits, hyphens; a copy of an installation needs another one"},
    {NULL},
};

const char *tg_redis_address_unfit(const struct tg_address *address)
{
    if (address->text != NULL && address->path == NULL && address->host == NULL)
        return "a Redis is at one address, as in 127.0.0.1:6379";
    return NULL;
}

const char *tg_redis_prefix_unfit(const char *prefix)
{
    if (prefix == NULL || *prefix == '\0' || strlen(prefix) > PREFIX_MAX)
        return "the prefix has from 1 to 32 characters";
    for (; *prefix != '\0'; prefix++) {
        if (!isalnum((unsigned char)*prefix) && *prefix != '-')
            return "the prefix consists of letters, digits and hyphens";
    }
    return NULL;
}

/* Kept beside the other number that outlives its rows; a table for one row would need a migration, and this needs none. */
static int read_installation(struct tg_store *store, int64_t *number)
{
    TG_ROWS *rows = NULL;

    *number = 0;
    if (tg_try(tg_record_one(store->truth, "SELECT value FROM counter WHERE name = 'installation'", NULL, 0, &rows)) == 0)
        *number = tg_row_int(rows, 0);
    return 0;
}

int tg_installation(struct tg_store *store, int64_t *number)
{
    int64_t wish;

    tg_try(read_installation(store, number));
    if (*number != 0)
        return 0;
    tg_random(&wish, sizeof(wish));
    wish = (wish & INT64_MAX) | 1;
    tg_try(tg_record_write(store->truth,
                           "INSERT INTO counter (name, value) VALUES ('installation', $1) ON CONFLICT (name) DO NOTHING",
                           TG_VALUES(TG_INT(wish))));
    return read_installation(store, number); /* somebody else may have been first */
}

static int connect_space(const struct tg_redis_conf *conf, struct tg_space *space)
{
    TG_STRING password = {NULL, 0, 0};
    struct tg_redis_options options = {.path = conf->address.path, .host = conf->address.host, .port = conf->address.port};

    if (conf->password_file != NULL) {
        if (tg_try(tg_file_read_secret(conf->password_file, PASSWORD_LIMIT, &password)) != 0)
            return tg_fail("redis.password-file: %s is missing or too long", conf->password_file);
        options.password = password.base;
    }
    int result = tg_redis_new(&options, &space->redis);
    if (password.base != NULL)
        explicit_bzero(password.base, password.len);
    return result;
}

int tg_space_new(const struct tg_redis_conf *conf, struct tg_store *store, struct tg_space **out)
{
    struct tg_space *space;
    int64_t installation;

    *out = NULL;
    if (conf->address.text == NULL)
        return TG_SPACE_NONE;
    tg_try(tg_installation(store, &installation));
    space = tg_alloc(sizeof(*space));
    snprintf(space->name, sizeof(space->name), "%.*s:%" PRIx64, PREFIX_MAX, conf->prefix, (uint64_t)installation);
    snprintf(space->channel, sizeof(space->channel), "%s:doorbell", space->name);
    int result = connect_space(conf, space);
    if (result != 0) {
        free(space);
        return result;
    }
    *out = space;
    return 0;
}

void tg_space_free(struct tg_space *space)
{
    if (space == NULL)
        return;
    tg_redis_free(space->redis);
    free(space);
}
