/*
 * identify.c - whose request is it? See identify.h
 *
 * A request that holds a cookie and a credential loses the one its door does not look at; where both count, the credential is what Gitea
 * takes first, so the cookie goes. The user name in Basic is never believed.
 */
#include "front/identify.h"
#include "front/resolver.h"
#include "front/session_cookie.h"

static void on_ready(struct tg_visit *visit, bool ok);

static enum tg_step_answer unavailable(struct tg_visit *visit)
{
    visit->identity.kind = TG_IDENTITY_UNAVAILABLE;
    return TG_STEP_NEXT;
}

static void keep_facts(struct tg_visit *visit, const struct tg_facts *facts)
{
    struct tg_facts *copy = h2o_mem_alloc_pool(&visit->req->pool, sizeof(*copy));

    *copy = *facts;
    visit->identity.facts = copy;
    visit->identity.login = copy->login;
}

static enum tg_step_answer by_cookie(struct tg_visit *visit)
{
    const struct tg_gateway_cookie *cookie = tg_gateway_cookie_of(visit);
    const struct tg_facts_entry *entry;
    h2o_iovec_t session;

    if (cookie == NULL)
        return TG_STEP_NEXT;
    if ((cookie->state == TG_GATEWAY_LOGIN) != (visit->door == TG_DOOR_LOGIN_CALLBACK))
        return TG_STEP_NEXT; /* a callback never runs in a signed-in session, and nothing else in one that is not */
    if (cookie->state == TG_GATEWAY_SIGNED_IN) {
        if ((entry = tg_facts_find(tg_front_of(visit), cookie->account)) == NULL)
            return tg_facts_await(visit, cookie->account, on_ready) == 0 ? TG_STEP_WAIT : unavailable(visit);
        if (entry->unknown || entry->facts.locked || cookie->epoch < entry->facts.session_epoch)
            return TG_STEP_NEXT;
        visit->identity.kind = TG_IDENTITY_ACCOUNT;
        keep_facts(visit, &entry->facts);
    }
    session = h2o_strdup(&visit->req->pool, cookie->gitea_session, SIZE_MAX);
    visit->identity.gitea_session = tg_text_of(session);
    return TG_STEP_NEXT;
}

static enum tg_step_answer by_account(struct tg_visit *visit, const char *account)
{
    const struct tg_facts_entry *entry = tg_facts_find(tg_front_of(visit), account);

    if (entry == NULL)
        return tg_facts_await(visit, account, on_ready) == 0 ? TG_STEP_WAIT : unavailable(visit);
    if (entry->unknown) {
        visit->identity.kind = TG_IDENTITY_UNMANAGED;
        return TG_STEP_NEXT;
    }
    visit->identity.kind = entry->facts.locked ? TG_IDENTITY_PROHIBITED : TG_IDENTITY_ACCOUNT;
    keep_facts(visit, &entry->facts);
    return TG_STEP_NEXT;
}

/* Keyed by the text, the instance and what the text is: a token, one that names its user (which is another key than the same bytes in
   Basic), an owner's name. */
enum text_kind { TOKEN = 1, NAMING_TOKEN = 2, OWNER = 3 };

static void text_key(const struct tg_visit *visit, struct tg_text text, enum text_kind kind, uint8_t key[TG_TABLE_KEY])
{
    const struct tg_front *front = tg_front_of(visit)->front;
    uint8_t keyed[TG_KEY];

    memcpy(keyed, front->digest_key, sizeof(keyed));
    for (size_t i = 0, index = tg_front_host_of(visit)->index; i < sizeof(index); ++i, index >>= 8)
        keyed[i] ^= (uint8_t)index;
    keyed[sizeof(keyed) - 1] ^= kind;
    tg_digest_keyed(keyed, text, key);
}

/* Jobs of Actions: the owner of what they touch answers for them. Where none stands in the path, or he has no account, they pass. */
static enum tg_step_answer by_owner(struct tg_visit *visit)
{
    const struct tg_credential_entry *entry;
    enum tg_step_answer answer;
    char owner[TG_OWNER], account[TG_ID];
    uint8_t key[TG_TABLE_KEY];

    visit->identity.kind = TG_IDENTITY_ANONYMOUS;
    if (!tg_owner_of(&visit->path, owner))
        return TG_STEP_NEXT;
    text_key(visit, tg_text(owner), OWNER, key);
    if ((entry = tg_credential_find_entry(tg_front_of(visit), key)) == NULL)
        return tg_owner_await(visit, owner, key, on_ready) == 0 ? TG_STEP_WAIT : unavailable(visit);
    if (entry->account[0] == '\0')
        return TG_STEP_NEXT;
    memcpy(account, entry->account, sizeof(account));
    answer = by_account(visit, account);
    visit->identity.is_unproved = true;
    if (answer == TG_STEP_NEXT && visit->identity.kind == TG_IDENTITY_ACCOUNT && visit->identity.facts->is_operator)
        visit->identity = (struct tg_identity){.kind = TG_IDENTITY_ANONYMOUS}; /* an operator's job is no operator */
    return answer;
}

static enum tg_step_answer by_credential(struct tg_visit *visit, struct tg_text authorization)
{
    struct tg_presented presented;
    const struct tg_credential_entry *entry;
    enum tg_step_answer answer;
    enum tg_resolved resolved;
    char account[TG_ID];
    uint8_t key[TG_TABLE_KEY];

    visit->identity.kind = TG_IDENTITY_INVALID;
    if (tg_presented_read(authorization, &presented) != 0)
        return TG_STEP_NEXT;
    if (presented.gitea_user == TG_GITEA_ACTIONS)
        return by_owner(visit);
    if (presented.gitea_user < 0) {
        visit->identity.kind = TG_IDENTITY_ANONYMOUS;
        return TG_STEP_NEXT;
    }
    text_key(visit, presented.secret, presented.gitea_user != 0 ? NAMING_TOKEN : TOKEN, key);
    if ((entry = tg_credential_find_entry(tg_front_of(visit), key)) == NULL)
        return tg_credential_await(visit, &presented, key, on_ready) == 0 ? TG_STEP_WAIT : unavailable(visit);
    resolved = entry->answer;
    if (resolved == TG_RESOLVED_INVALID)
        return TG_STEP_NEXT;
    if (resolved == TG_RESOLVED_USER && entry->user == TG_GITEA_ACTIONS)
        return by_owner(visit);
    visit->identity.is_listed = entry->is_listed;
    visit->identity.is_unproved = presented.gitea_user != 0; /* by a text that nobody has verified yet */
    visit->identity.kind = resolved == TG_RESOLVED_PROHIBITED ? TG_IDENTITY_PROHIBITED : TG_IDENTITY_UNMANAGED;
    if (entry->account[0] == '\0')
        return TG_STEP_NEXT;
    memcpy(account, entry->account, sizeof(account));
    answer = by_account(visit, account);
    if (resolved == TG_RESOLVED_PROHIBITED && visit->identity.kind == TG_IDENTITY_ACCOUNT)
        visit->identity.kind = TG_IDENTITY_PROHIBITED;
    return answer;
}

enum tg_step_answer tg_step_identify(struct tg_visit *visit)
{
    enum tg_looks looks;
    struct tg_text authorization;

    if (tg_front_host_of(visit) == NULL)
        return TG_STEP_NEXT;
    visit->identity = (struct tg_identity){.kind = TG_IDENTITY_ANONYMOUS};
    looks = tg_door_infos[visit->door].looks;
    if (looks == TG_LOOKS_CLIENT || looks == TG_LOOKS_NOWHERE)
        return TG_STEP_NEXT;
    if ((looks & TG_LOOKS_TOKEN) != 0) {
        authorization = tg_visit_header(visit, "authorization");
        if (authorization.base != NULL)
            return by_credential(visit, authorization);
    }
    return (looks & TG_LOOKS_COOKIE) != 0 ? by_cookie(visit) : TG_STEP_NEXT;
}

/* A worker has found out; the tables hold it now, so the same way is gone again. It may lead to the next thing to wait for. */
static void on_ready(struct tg_visit *visit, bool ok)
{
    enum tg_step_answer answer = ok ? tg_step_identify(visit) : unavailable(visit);

    if (answer == TG_STEP_NEXT)
        tg_visit_resume(visit);
}
