/* session_cookie.c - see session_cookie.h */
#include "front/session_cookie.h"
#include "front/state.h"
#include "http/cookie.h"

#define PURPOSE "gateway cookie 1"
enum { INSTANCE = 16, SEALED_MAX = 384 };

/* The plain text: fixed places, texts filled up with NUL, numbers big-endian. */
struct plain {
    uint8_t state;
    uint8_t instance[INSTANCE];
    char gitea_session[TG_GITEA_SESSION - 1];
    char account[TG_ID - 1];
    char provider_session[TG_TOKEN - 1];
    uint8_t epoch[8];
    uint8_t issued[8];
};

_Static_assert(TG_SEALED(sizeof(struct plain)) <= SEALED_MAX, "a sealed cookie fits its buffer");
_Static_assert(TG_BASE64(SEALED_MAX) < 2 * TG_GATEWAY_COOKIE_VALUE, "and so does its text");
_Static_assert(TG_BASE64(TG_SEALED(sizeof(struct plain))) <= TG_GATEWAY_COOKIE_VALUE, "exactly");

/*
 * A cookie that was opened, in the loop's table. Its key is a part of its text: digits of the seal's nonce, which is random and never
 * the client's choice, since only what opens is put. The whole text is compared, in a time that does not depend on it; that is a tenth
 * of what a digest would cost.
 */
enum { VALUE = TG_BASE64(TG_SEALED(sizeof(struct plain))) - 1, KEY_AT = 2 };

struct opened {
    struct tg_gateway_cookie cookie;
    size_t instance; /* for which it was opened */
    char value[VALUE];
};

_Static_assert(KEY_AT + TG_TABLE_KEY <= VALUE, "the key lies in the value");

void tg_gateway_cookies_init(struct tg_table *table, size_t capacity)
{
    tg_table_init(table, capacity, sizeof(struct opened));
}

static void put_number(uint8_t out[8], int64_t number)
{
    for (int i = 7; i >= 0; --i, number = (int64_t)((uint64_t)number >> 8))
        out[i] = (uint8_t)number;
}

static int64_t get_number(const uint8_t in[8])
{
    uint64_t number = 0;

    for (int i = 0; i < 8; ++i)
        number = number << 8 | in[i];
    return (int64_t)number;
}

static void instance_of(const char *authority, uint8_t out[INSTANCE])
{
    uint8_t digest[TG_DIGEST];

    tg_digest(tg_text(authority), digest);
    memcpy(out, digest, INSTANCE);
}

void tg_gateway_cookie_seal(const struct tg_keyring *ring, const char *authority, const struct tg_gateway_cookie *cookie,
                            char value[TG_GATEWAY_COOKIE_VALUE])
{
    struct plain plain = {.state = (uint8_t)cookie->state};
    uint8_t sealed[SEALED_MAX];

    instance_of(authority, plain.instance);
    memcpy(plain.gitea_session, cookie->gitea_session, strnlen(cookie->gitea_session, sizeof(plain.gitea_session)));
    memcpy(plain.account, cookie->account, strnlen(cookie->account, sizeof(plain.account)));
    memcpy(plain.provider_session, cookie->provider_session, strnlen(cookie->provider_session, sizeof(plain.provider_session)));
    put_number(plain.epoch, cookie->epoch);
    put_number(plain.issued, cookie->issued_s);
    tg_seal(ring, PURPOSE, tg_text_n((const char *)&plain, sizeof(plain)), sealed);
    tg_base64url(sealed, TG_SEALED(sizeof(plain)), value);
}

int tg_gateway_cookie_open(const struct tg_keyring *ring, const char *authority, struct tg_text value, struct tg_gateway_cookie *out)
{
    struct plain plain;
    uint8_t sealed[SEALED_MAX], instance[INSTANCE], bytes[SEALED_MAX];
    size_t len;

    if (tg_base64url_decode(value, sealed, sizeof(sealed), &len) != 0 || len != TG_SEALED(sizeof(plain)))
        return TG_GATEWAY_COOKIE_BROKEN;
    if (tg_unseal(ring, PURPOSE, tg_text_n((const char *)sealed, len), bytes, &len) != 0 || len != sizeof(plain))
        return TG_GATEWAY_COOKIE_BROKEN;
    memcpy(&plain, bytes, sizeof(plain));
    instance_of(authority, instance);
    if (memcmp(instance, plain.instance, INSTANCE) != 0)
        return TG_GATEWAY_COOKIE_BROKEN;
    *out = (struct tg_gateway_cookie){.state = plain.state == TG_GATEWAY_SIGNED_IN ? TG_GATEWAY_SIGNED_IN : TG_GATEWAY_LOGIN};
    memcpy(out->gitea_session, plain.gitea_session, sizeof(plain.gitea_session));
    memcpy(out->account, plain.account, sizeof(plain.account));
    memcpy(out->provider_session, plain.provider_session, sizeof(plain.provider_session));
    out->epoch = get_number(plain.epoch);
    out->issued_s = get_number(plain.issued);
    return 0;
}

/* The value of our cookie over all Cookie fields, and how often it is there. Others are told apart by a letter, without being cut. */
static size_t find_value(const struct tg_visit *visit, struct tg_text *value)
{
    const h2o_headers_t *headers = &visit->req->headers;
    size_t count = 0;

    for (size_t i = 0; i < headers->size; ++i) {
        struct tg_text rest = tg_text_of(headers->entries[i].value);

        if (headers->entries[i].name != &H2O_TOKEN_COOKIE->buf)
            continue;
        while (rest.base != NULL) {
            struct tg_text pair = tg_text_trim(tg_text_cut(&rest, ';')), name;

            if (pair.len == 0 || pair.base[0] != TG_FRONT_COOKIE[0])
                continue;
            name = tg_text_trim(tg_text_cut(&pair, '='));
            if (!tg_text_is(name, TG_FRONT_COOKIE))
                continue;
            *value = pair;
            ++count;
        }
    }
    return count;
}

const struct tg_gateway_cookie *tg_gateway_cookie_of(struct tg_visit *visit)
{
    struct tg_front_loop *part = tg_front_of(visit);
    struct tg_text value;
    size_t instance = tg_front_host_of(visit)->index;
    struct tg_gateway_cookie cookie;
    struct opened *known;
    const uint8_t *key;

    if (find_value(visit, &value) != 1 || value.len != VALUE)
        return NULL; /* none; or two, of which one was planted */
    key = (const uint8_t *)value.base + KEY_AT;
    known = tg_table_find(&part->cookies, key);
    if (known != NULL && known->instance == instance && tg_same_secret(known->value, value.base, VALUE))
        return &known->cookie;
    if (tg_gateway_cookie_open(part->front->options.ring, visit->host->authority, value, &cookie) != 0) {
        tg_metric_add(&part->counts.cookies_broken, 1);
        return NULL;
    }
    tg_metric_add(&part->counts.cookies_opened, 1);
    known = tg_table_put(&part->cookies, key);
    *known = (struct opened){.cookie = cookie, .instance = instance};
    memcpy(known->value, value.base, VALUE);
    return &known->cookie;
}

h2o_iovec_t tg_gateway_cookie_line(h2o_mem_pool_t *pool, const char *value)
{
    return h2o_concat(pool, h2o_iovec_init(H2O_STRLIT(TG_FRONT_COOKIE "=")), h2o_iovec_init(value, strlen(value)),
                      h2o_iovec_init(H2O_STRLIT("; Path=/; Secure; HttpOnly; SameSite=Lax")));
}

h2o_iovec_t tg_gateway_cookie_deletion(void)
{
    return h2o_iovec_init(H2O_STRLIT(TG_FRONT_COOKIE "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"));
}
