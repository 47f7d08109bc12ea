/*
 * hint.c - an ID token that comes back: is it ours, and whom does it name?
 */
#include "base/jose.h"
#include "base/json.h"
#include "base/result.h"
#include "oidc/provider.h"

static int verify(const struct tg_key_set *set, struct tg_text token, json_t **claims)
{
    int answer = tg_try(tg_jose_verify(set->pem, token, claims));

    for (size_t i = 0; answer != 0 && i < set->other_count; ++i)
        answer = tg_try(tg_jose_verify(set->others[i], token, claims));
    return answer;
}

static int read_claims(struct tg_call *call, struct tg_text token, json_t **claims)
{
    const struct tg_oidc *oidc = tg_oidc_of(call);
    struct tg_store *store;
    struct tg_key_set *set;

    tg_try(tg_oidc_store(call, &store));
    tg_try(tg_key_cache_hold(oidc->keys, store, oidc->options.ring, &set));
    int answer = verify(set, token, claims);
    tg_key_set_release(oidc->keys, set);
    return answer;
}

int tg_oidc_hint(struct tg_call *call, struct tg_text token, struct tg_hint *hint)
{
    struct tg_text issuer, audience;
    struct tg_store *store;
    TG_JSON *claims = NULL;

    if (tg_try(read_claims(call, token, &claims)) != 0)
        return TG_HINT_FOREIGN;
    if (tg_json_text(claims, "iss", 512, &call->arena, &issuer) != 0 ||
        !tg_text_is(issuer, tg_oidc_of(call)->options.conf->issuer) ||
        tg_json_text(claims, "aud", TG_ID - 1, &call->arena, &audience) != 0 ||
        tg_json_text(claims, "sub", TG_ID - 1, &call->arena, &hint->subject) != 0)
        return TG_HINT_FOREIGN;
    tg_try(tg_oidc_store(call, &store));
    return tg_try(tg_client_find(store, audience, &hint->client)) == 0 ? 0 : TG_HINT_FOREIGN;
}
