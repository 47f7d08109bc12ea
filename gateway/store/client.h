/*
 * client.h - OAuth clients (RFC 6749 2): who may ask us for sign-ins
 *
 * The secret is kept as a digest only; a public client has none and proves itself by PKCE alone. Addresses are compared byte for
 * byte (RFC 9700 4.1.3), but for the port of a loopback address (RFC 8252 7.3). Blocking.
 */
#ifndef TG_STORE_CLIENT_H
#define TG_STORE_CLIENT_H

#include "base/secret.h"
#include "store/store.h"

enum { TG_CLIENT_NAME = 65, TG_REDIRECT_URI = 513, TG_URI_LIST = 2049, TG_SCOPE = 129 };
enum tg_client_kind { TG_CLIENT_GITEA, TG_CLIENT_OTHER };

struct tg_client {
    char id[TG_ID];
    char name[TG_CLIENT_NAME];
    enum tg_client_kind kind;
    char instance[256];                    /* host of the Gitea it stands for; "" for others */
    uint8_t secret_digest[TG_DIGEST];
    char redirect_uri[TG_URI_LIST];        /* where sign-in may end: one, or several separated by spaces */
    char logout_uri[TG_URI_LIST];          /* where sign-out may end, in the same way; "": nowhere */
    char scope[TG_SCOPE];                  /* what it may ask for; "": everything we know */
    bool is_public;                        /* has no secret (RFC 6749 2.1) */
    int64_t created_s;
};

enum { TG_CLIENT_UNKNOWN = 1, TG_CLIENT_TAKEN = 2, TG_CLIENT_IN_USE = 3 };
int tg_client_add(struct tg_store *store, struct tg_client *client);        /* fills id, created_s; TAKEN: the instance has one */
int tg_client_find(struct tg_store *store, struct tg_text id, struct tg_client *out);
int tg_client_find_instance(struct tg_store *store, const char *host, struct tg_client *out);
int tg_client_set_secret(struct tg_store *store, const char *id, const uint8_t digest[TG_DIGEST]);
int tg_client_set_redirect(struct tg_store *store, const char *id, const char *redirect_uri);
/* Removes it with what was allowed to it, its codes and its tokens. IN_USE: a Gitea signs in by it. */
int tg_client_remove(struct tg_store *store, const char *id);
/* Calls each in order of name until it answers non-zero (which is then the result). */
int tg_client_each(struct tg_store *store, int (*each)(const struct tg_client *client, void *context), void *context);

/* Why an address may not be registered (RFC 6749 3.1.2, RFC 9700 2.6): a sentence for the administrator; NULL: it may. */
const char *tg_redirect_unfit(struct tg_text uri);
/* Whether an address is in a list, byte for byte; the second also takes every port of a registered http://127.0.0.1 or [::1]. */
bool tg_uri_listed(const char *list, struct tg_text uri);
bool tg_redirect_listed(const char *list, struct tg_text uri);
/* "https://host:port" of a registered address: the part of it. */
struct tg_text tg_uri_origin(struct tg_text uri);
/* What a page's form-action must name so that its form may end there. CSP knows no IPv6 addresses: there it is the scheme. */
const char *tg_uri_form_action(struct tg_arena *arena, struct tg_text uri);

#endif
