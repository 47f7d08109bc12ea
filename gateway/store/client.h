/*
 * client.h - OAuth clients (RFC 6749 2): who may ask us for sign-ins
 *
 * The secret is kept as a digest only. Redirect URIs are compared byte for byte (RFC 9700 4.1.3). Blocking.
 */
#ifndef TG_STORE_CLIENT_H
#define TG_STORE_CLIENT_H

#include "base/secret.h"
#include "store/store.h"

enum { TG_CLIENT_NAME = 65, TG_REDIRECT_URI = 513 };
enum tg_client_kind { TG_CLIENT_GITEA, TG_CLIENT_OTHER };

struct tg_client {
    char id[TG_ID];
    char name[TG_CLIENT_NAME];
    enum tg_client_kind kind;
    char instance[256];                    /* host of the Gitea it stands for; "" for others */
    uint8_t secret_digest[TG_DIGEST];
    char redirect_uri[TG_REDIRECT_URI];
    int64_t created_s;
};

enum { TG_CLIENT_UNKNOWN = 1, TG_CLIENT_TAKEN = 2 };
int tg_client_add(struct tg_store *store, struct tg_client *client);           /* fills id, created_s; TAKEN: the instance has one */
int tg_client_find(struct tg_store *store, struct tg_text id, struct tg_client *out);
int tg_client_find_instance(struct tg_store *store, const char *host, struct tg_client *out);
int tg_client_set_secret(struct tg_store *store, const char *id, const uint8_t digest[TG_DIGEST]);
int tg_client_set_redirect(struct tg_store *store, const char *id, const char *redirect_uri);

#endif
