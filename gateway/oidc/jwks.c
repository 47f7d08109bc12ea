/*
 * jwks.c - the public keys (RFC 7517 5)
 */
#include "base/result.h"
#include "oidc/provider.h"

int tg_oidc_jwks(struct tg_call *call)
{
    const struct tg_oidc *oidc = tg_oidc_of(call);
    struct tg_store *store;
    struct tg_key_set *set;

    tg_try(tg_oidc_store(call, &store));
    tg_try(tg_key_cache_hold(oidc->keys, store, oidc->options.ring, &set));
    int result = tg_oidc_document(call, tg_text(set->jwks));
    tg_key_set_release(oidc->keys, set);
    return result;
}
