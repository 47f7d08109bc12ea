/*
 * tls_parts.h - what the files of tls.c share; nobody else includes it
 */
#ifndef TG_HTTP_TLS_PARTS_H
#define TG_HTTP_TLS_PARTS_H

#include <pthread.h>
#include <sys/stat.h>
#include "http/tls.h"

enum { TG_TLS_FILE_LIMIT = 256 * 1024, TG_TLS_CA_RENEW_S = 30 * 86400 };

/* Which state of a file was read. */
struct tg_file_stamp {
    struct timespec changed;
    off_t size;
    ino_t inode;
};

/* A certificate with its key, in use; or the memory that one could not be read. */
struct tg_pair {
    char *label;         /* the file's name without ".crt"; "=ca" and "=put NAME" cannot be file names of ours */
    struct tg_file_stamp crt, key;
    SSL_CTX *context;    /* NULL: could not be read yet */
    char **names;        /* lower case; a wildcard as "*.example.net" */
    size_t name_count;
    int64_t not_after_s;
};

struct tg_name_entry {
    const char *name;    /* the pair's */
    struct tg_pair *pair;
};

struct tg_tls {
    struct tg_tls_options options;
    pthread_mutex_t writing;     /* one writer at a time; held while files are read; guards unreported */
    struct tg_string unreported; /* what tg_tls_new could not read */
    pthread_rwlock_t lock;       /* guards everything below; never held across input or output */
    struct tg_pair **pairs;
    size_t pair_count;
    struct tg_name_entry *index; /* sorted by name, each name once */
    size_t index_count;
    uint8_t ticket_keys[TG_TICKET_KEYS][TG_TICKET_KEY];
    size_t ticket_key_count;
};

/* A server context with our protocol versions, ciphers, ALPN and tickets; no certificate yet. */
SSL_CTX *tg_tls_context_new(struct tg_tls *tls);

/* Reads a pair from PEM texts. Its label is the caller's to set. */
int tg_pair_read(struct tg_tls *tls, struct tg_text chain_pem, struct tg_text key_pem, struct tg_pair **out);
void tg_pair_free(struct tg_pair *pair);

/* Replaces the list of pairs by the given one (taken over, as are its pairs); old pairs that are not in it are freed. Writers only. */
void tg_tls_use(struct tg_tls *tls, struct tg_pair **pairs, size_t count);
/* Reads what is new in the directory into a new list that keeps everything else; *changed as in tg_tls_rescan. Writers only. */
int tg_tls_read_directory(struct tg_tls *tls, size_t *changed, struct tg_string *errors);
/* Sees to it that wanted localhost names have a leaf of the internal CA that is not about to end. Writers only. */
int tg_tls_use_ca(struct tg_tls *tls, size_t *changed);

/* Puts the pair into the list in the place of the one with its label, or at the end. */
void tg_tls_use_one(struct tg_tls *tls, struct tg_pair *pair);

#endif
