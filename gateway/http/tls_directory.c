#include <dirent.h>
#include "base/file.h"
#include "base/result.h"
#include "http/ca.h"
#include "base/clock.h"
#include "http/tls_parts.h"

static void stamp(const char *path, struct tg_file_stamp *out)
{
    struct stat st;

    memset(out, 0, sizeof(*out));
    if (stat(path, &st) == 0) {
        out->changed = st.st_mtim;
        out->size = st.st_size;
        out->inode = st.st_ino;
    }
}

static bool is_same(const struct tg_file_stamp *a, const struct tg_file_stamp *b)
{
    return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec && a->size == b->size && a->inode == b->inode;
}

static int read_file(const char *path, struct tg_string *out)
{
    switch (tg_try(tg_file_read(path, TG_TLS_FILE_LIMIT, out))) {
    case TG_FILE_ABSENT:
        return tg_fail("%s does not exist", path);
    case TG_FILE_TOO_LARGE:
        return tg_fail("%s is too large for a certificate or a key", path);
    }
    return 0;
}

static int read_files(struct tg_tls *tls, const char *crt_path, const char *key_path, struct tg_pair **out)
{
    TG_STRING chain = {0};
    TG_STRING key = {0};

    tg_try(read_file(crt_path, &chain));
    tg_try(read_file(key_path, &key));
    int result = tg_pair_read(tls, tg_string_text(&chain), tg_string_text(&key), out);
    if (key.base != NULL)
        OPENSSL_cleanse(key.base, key.len);
    return result;
}

static struct tg_pair *find_label(struct tg_tls *tls, const char *label)
{
    for (size_t i = 0; i < tls->pair_count; i++) {
        if (strcmp(tls->pairs[i]->label, label) == 0)
            return tls->pairs[i];
    }
    return NULL;
}

/* A pair that failed is remembered with the state of its files, so that it is reported once and tried again when they change. */
static struct tg_pair *failed_pair(const struct tg_pair *old)
{
    struct tg_pair *pair = tg_alloc(sizeof(*pair));

    if (old == NULL || old->context == NULL)
        return pair;
    pair->context = old->context;
    SSL_CTX_up_ref(pair->context);
    pair->not_after_s = old->not_after_s;
    pair->names = tg_alloc(old->name_count * sizeof(*pair->names));
    for (pair->name_count = 0; pair->name_count < old->name_count; pair->name_count++)
        pair->names[pair->name_count] = tg_strdup(old->names[pair->name_count]);
    return pair;
}

/* The pair for DIRECTORY/LABEL.crt: the one in use when the files are as they were. */
static struct tg_pair *look_at(struct tg_tls *tls, const char *label, size_t *changed, struct tg_string *errors)
{
    TG_FREED char *crt_path = tg_format("%s/%s.crt", tls->options.directory, label);
    TG_FREED char *key_path = tg_format("%s/%s.key", tls->options.directory, label);
    struct tg_pair *old = find_label(tls, label), *pair = NULL;
    struct tg_file_stamp crt, key;

    stamp(crt_path, &crt);
    stamp(key_path, &key);
    if (old != NULL && is_same(&old->crt, &crt) && is_same(&old->key, &key))
        return old;

    if (read_files(tls, crt_path, key_path, &pair) == 0) {
        (*changed)++;
    } else {
        tg_string_addf(errors, "%s: %s\n", crt_path, tg_failure());
        pair = failed_pair(old);
    }
    pair->label = tg_strdup(label);
    pair->crt = crt;
    pair->key = key;
    return pair;
}

static int is_certificate(const struct dirent *entry)
{
    struct tg_text name = tg_text(entry->d_name);

    return name.len > 4 && name.base[0] != '.' && name.base[0] != '=' && tg_text_ends(name, ".crt");
}

int tg_tls_read_directory(struct tg_tls *tls, size_t *changed, struct tg_string *errors)
{
    struct dirent **entries = NULL;
    int count = 0;

    if (tls->options.directory != NULL && (count = scandir(tls->options.directory, &entries, is_certificate, alphasort)) < 0)
        return tg_fail_errno("cannot read the directory of certificates %s", tls->options.directory);

    struct tg_pair **pairs = tg_alloc(((size_t)count + tls->pair_count + 1) * sizeof(*pairs));
    size_t n = 0;
    for (int i = 0; i < count; i++) {
        TG_FREED char *label = tg_format("%.*s", (int)(strlen(entries[i]->d_name) - 4), entries[i]->d_name);

        pairs[n++] = look_at(tls, label, changed, errors);
        free(entries[i]);
    }
    free(entries);
    for (size_t i = 0; i < tls->pair_count; i++) {
        if (tls->pairs[i]->label[0] == '=') /* not from files */
            pairs[n++] = tls->pairs[i];
    }
    tg_tls_use(tls, pairs, n);
    return 0;
}

/* Whether the name has a certificate other than the given one. */
static bool is_served_without(struct tg_tls *tls, const char *name, const struct tg_pair *without)
{
    for (size_t i = 0; i < tls->pair_count; i++) {
        const struct tg_pair *pair = tls->pairs[i];

        for (size_t j = 0; pair != without && j < pair->name_count; j++) {
            const char *dot = strchr(name, '.');

            if (strcmp(pair->names[j], name) == 0 || (pair->names[j][0] == '*' && dot != NULL && strcmp(pair->names[j] + 1, dot) == 0))
                return true;
        }
    }
    return false;
}

static bool is_localhost(const char *name)
{
    return strcmp(name, "localhost") == 0 || tg_text_ends(tg_text(name), ".localhost");
}

static bool has_names(const struct tg_pair *pair, const char *const *names)
{
    size_t i = 0;

    for (; names[i] != NULL; i++) {
        if (i >= pair->name_count || strcmp(pair->names[i], names[i]) != 0)
            return false;
    }
    return i == pair->name_count;
}

static int issue(struct tg_tls *tls, const char *const *names)
{
    __attribute__((cleanup(tg_arena_done))) struct tg_arena arena = {0};
    struct tg_text chain, key;
    struct tg_pair *pair;

    tg_try(tg_ca_init(tls->options.ca_directory));
    if (tg_try(tg_ca_issue(tls->options.ca_directory, names, &arena, &chain, &key)) == TG_CA_FOREIGN_NAME)
        return tg_fail("the internal CA does not certify %s", names[0]);
    tg_try(tg_pair_read(tls, chain, key, &pair));
    OPENSSL_cleanse((char *)key.base, key.len);
    pair->label = tg_strdup("=ca");
    tg_tls_use_one(tls, pair);
    return 0;
}

int tg_tls_use_ca(struct tg_tls *tls, size_t *changed)
{
    struct tg_pair *old = find_label(tls, "=ca");
    size_t count = 0, n = 0;

    if (tls->options.ca_directory == NULL || tls->options.names == NULL)
        return 0;
    while (tls->options.names[count] != NULL)
        count++;
    TG_FREED const char **names = tg_alloc((count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        if (is_localhost(tls->options.names[i]) && !is_served_without(tls, tls->options.names[i], old))
            names[n++] = tls->options.names[i];
    }
    bool is_fresh = old != NULL && old->not_after_s > tg_now_s() + TG_TLS_CA_RENEW_S && has_names(old, names);
    if (n == 0 || is_fresh)
        return 0;
    tg_try(issue(tls, names));
    (*changed)++;
    return 0;
}
