/*
 * schema.h - the tables, as numbered migrations
 *
 * A database's version is the number of migrations it has seen, kept in its table schema_version. A migration that was released never
 * changes; what comes later is a new one behind it, and works with the SQL of the release before (two generations run side by side while
 * one takes over). Inside store/ only.
 *
 * Types are TEXT and BIGINT, nothing else: both databases have them. Digests and sealed keys are base64url.
 */
#ifndef TG_STORE_SCHEMA_H
#define TG_STORE_SCHEMA_H

#include "io/db.h"

struct tg_schema {
    const char *file; /* its name in the data directory */
    enum tg_db_sync sync;
    const char *const *migrations;
    int64_t version; /* their number */
    bool is_copied;  /* before it is migrated; what may be lost is not */
};

extern const struct tg_schema tg_schema_truth, tg_schema_transient;

/* The version of an open database; 0 when it has no tables yet. */
int tg_schema_version(struct tg_db *db, int64_t *version);

/* Runs the migrations that the database at path has not seen, all or none; what was there is copied to PATH.VERSION first. A newer one
   is left alone. */
int tg_schema_migrate(struct tg_db *db, const struct tg_schema *schema, const char *path);

#endif
