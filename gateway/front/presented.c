/*
 * presented.c - what an Authorization field presents
 *
 * Read as Gitea reads it (modules/auth/httpauth, services/auth/basic.go), but narrower: what is not clearly one of these forms is not sent
 * on, so that nothing is judged in one reading and accepted in another.
 */
#include "base/json.h"
#include "front/identify.h"

/* Base64 text of Basic, decoded into scratch; the slot that counts: the password, or the name when it is empty or "x-oauth-basic". */
static int read_basic(struct tg_text encoded, struct tg_presented *out)
{
    struct tg_text pair, name;
    size_t len;

    if (tg_base64_decode(encoded, out->scratch, sizeof(out->scratch), &len) != 0)
        return TG_PRESENTED_UNREADABLE;
    pair = tg_text_n(out->scratch, len);
    name = tg_text_cut(&pair, ':');
    if (pair.base == NULL)
        return TG_PRESENTED_UNREADABLE;
    out->secret = pair.len == 0 || tg_text_is(pair, "x-oauth-basic") ? name : pair;
    for (size_t i = 0; i < out->secret.len; ++i)
        if ((unsigned char)out->secret.base[i] <= ' ' || out->secret.base[i] == 0x7f)
            return TG_PRESENTED_UNREADABLE;
    return out->secret.len != 0 ? 0 : TG_PRESENTED_UNREADABLE;
}

/*
 * Gitea's own tokens for LFS and packages are signed by it and name their user, those of jobs their task. The signature is not checked here: if it is wrong, Gitea
 * refuses the request, so a lie about the user gains nothing; if it is right, the payload is what Gitea wrote.
 */
static void read_named_user(struct tg_presented *out)
{
    struct tg_text rest = out->secret;
    char payload[1024];
    size_t len;
    TG_JSON *claims = NULL;
    int64_t task;

    tg_text_cut(&rest, '.');
    if (rest.base == NULL)
        return;
    if (tg_base64url_decode(tg_text_cut(&rest, '.'), payload, sizeof(payload), &len) != 0 || rest.base == NULL)
        return;
    if (tg_json_parse(tg_text_n(payload, len), &claims) != 0)
        return;
    if (tg_json_int(claims, "UserID", &out->gitea_user) != 0)
        out->gitea_user = tg_json_int(claims, "TaskID", &task) == 0 ? TG_GITEA_ACTIONS : 0;
}

int tg_presented_read(struct tg_text authorization, struct tg_presented *out)
{
    struct tg_text value = authorization, scheme = tg_text_cut(&value, ' ');

    out->secret = (struct tg_text){NULL, 0};
    out->gitea_user = 0;
    if (value.len == 0)
        return TG_PRESENTED_UNREADABLE;
    for (size_t i = 0; i < value.len; ++i)
        if ((unsigned char)value.base[i] <= ' ' || (unsigned char)value.base[i] >= 0x7f)
            return TG_PRESENTED_UNREADABLE;
    if (tg_text_is_nocase(scheme, "basic"))
        return read_basic(value, out);
    if (!tg_text_is_nocase(scheme, "bearer") && !tg_text_is_nocase(scheme, "token"))
        return TG_PRESENTED_UNREADABLE;
    if (value.len > 4096)
        return TG_PRESENTED_UNREADABLE;
    out->secret = value;
    read_named_user(out);
    return 0;
}
