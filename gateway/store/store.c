#include "store/store.h"
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include "base/result.h"
#include "store/schema.h"

/* 0 or TG_STORE_ABSENT: an empty file is one that nobody has migrated yet. */
static int find_file(const char *path)
{
    struct stat file;

    if (stat(path, &file) == 0)
        return 0;
    if (errno != ENOENT)
        return tg_fail_errno("cannot look at %s", path);
    tg_fail("there is no database %s: `teagate serve` makes it when it starts", path);
    return TG_STORE_ABSENT;
}

/* 0, TG_STORE_OLDER or TG_STORE_NEWER. */
static int judge_version(struct tg_db *db, const struct tg_schema *schema, const char *path)
{
    int64_t version;

    tg_try(tg_schema_version(db, &version));
    if (version < schema->version) {
        tg_fail("database %s has schema %" PRId64 " and this program needs %" PRId64
                ": restart `teagate serve`, which copies the database and brings it up to date", path, version, schema->version);
        return TG_STORE_OLDER;
    }
    if (version > schema->version) {
        tg_fail("database %s has schema %" PRId64 " and this program knows %" PRId64
                ": install the release that wrote it, or put back the copy %s.%" PRId64 " (what happened since is lost)",
                path, version, schema->version, path, schema->version);
        return TG_STORE_NEWER;
    }
    return 0;
}

static int open_file(const char *directory, const struct tg_schema *schema, struct tg_db **out)
{
    TG_FREED char *path = tg_format("%s/%s", directory, schema->file);
    struct tg_db *db;

    if (tg_try(find_file(path)) == TG_STORE_ABSENT)
        return TG_STORE_ABSENT;
    tg_try(tg_db_open(path, schema->sync, false, &db));
    int result = judge_version(db, schema, path);
    if (result != 0) {
        tg_db_close(db);
        return result;
    }
    *out = db;
    return 0;
}

int tg_store_open(const char *directory, struct tg_store *store)
{
    *store = (struct tg_store){0};
    int result = open_file(directory, &tg_schema_truth, &store->truth);
    if (result == 0)
        result = open_file(directory, &tg_schema_transient, &store->transient);
    if (result != 0)
        tg_store_close(store);
    return result;
}

void tg_store_close(struct tg_store *store)
{
    tg_db_close(store->truth);
    tg_db_close(store->transient);
    free(store->button);
    *store = (struct tg_store){0};
}

static int migrate_file(const char *directory, const struct tg_schema *schema)
{
    TG_FREED char *path = tg_format("%s/%s", directory, schema->file);
    struct tg_db *db;

    tg_try(tg_db_open(path, schema->sync, true, &db));
    int result = tg_schema_migrate(db, schema, path);
    if (result == 0 && judge_version(db, schema, path) != 0)
        result = TG_FAILED; /* it is newer */
    tg_db_close(db);
    return result;
}

int tg_store_migrate(const char *directory)
{
    tg_try(migrate_file(directory, &tg_schema_truth));
    return migrate_file(directory, &tg_schema_transient);
}
