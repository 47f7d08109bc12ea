/* tls13_kdf.c - see tls13_kdf.h */
#include <string.h>
#include <strings.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include "h2o/string_.h"
#include "h2o/tls13_kdf.h"

#define PROVIDER "h2o"
#define PREFIX "tls13 "
#define MAX_BLOCK 128 /* of SHA-384 */

enum { NUM_DIGESTS = 2, MAX_INFO = 2 + 1 + 255 + 1 + 255 + 1 };

static struct {
    const char *name, *alias;
    EVP_MD *md;
} digests[NUM_DIGESTS] = {{"SHA2-256", "SHA256"}, {"SHA2-384", "SHA384"}};

static __thread struct {
    h2o_tls13_kdf_tell_cb tell;
    void *arg;
} listener;

void h2o_tls13_kdf_listen(h2o_tls13_kdf_tell_cb tell, void *arg)
{
    listener.tell = tell;
    listener.arg = arg;
}

/* --- HKDF --- */

struct hmac {
    EVP_MD_CTX *ctx;
    const EVP_MD *md;
    size_t size; /* of the digest */
};

static int hash(struct hmac *hmac, h2o_iovec_t first, h2o_iovec_t second, uint8_t *dst)
{
    return EVP_DigestInit_ex2(hmac->ctx, hmac->md, NULL) == 1 && EVP_DigestUpdate(hmac->ctx, first.base, first.len) == 1 &&
                   EVP_DigestUpdate(hmac->ctx, second.base, second.len) == 1 && EVP_DigestFinal_ex(hmac->ctx, dst, NULL) == 1
               ? 0
               : -1;
}

/* RFC 2104; keys are digests here, so none is longer than a block. dst may be the text. */
static int authenticate(struct hmac *hmac, h2o_iovec_t key, h2o_iovec_t text, uint8_t *dst)
{
    uint8_t pad[MAX_BLOCK];
    size_t i, block = (size_t)EVP_MD_get_block_size(hmac->md);
    h2o_iovec_t padded = h2o_iovec_init(pad, block);
    int ret = -1;

    if (block > sizeof(pad) || key.len > block)
        return -1;
    memset(pad, 0, block);
    memcpy(pad, key.base, key.len);
    for (i = 0; i != block; ++i)
        pad[i] ^= 0x36;
    if (hash(hmac, padded, text, dst) == 0) {
        for (i = 0; i != block; ++i)
            pad[i] ^= 0x36 ^ 0x5c;
        ret = hash(hmac, padded, h2o_iovec_init(dst, hmac->size), dst);
    }
    OPENSSL_cleanse(pad, block);
    return ret;
}

/* RFC 5869 2.3; info has room for a digest before it and a byte behind it: T(n) = HMAC(key, T(n-1) | info | n) */
static int expand(struct hmac *hmac, h2o_iovec_t key, h2o_iovec_t info, h2o_iovec_t dst)
{
    uint8_t digest[EVP_MAX_MD_SIZE], *number = (uint8_t *)info.base + info.len;
    size_t done = 0, len;
    h2o_iovec_t text = h2o_iovec_init(info.base, info.len + 1);

    if (dst.len > 255 * hmac->size)
        return -1;
    for (*number = 1; done != dst.len; ++*number, done += len) {
        if (authenticate(hmac, key, text, digest) != 0)
            return -1;
        len = dst.len - done < hmac->size ? dst.len - done : hmac->size;
        memcpy(dst.base + done, digest, len);
        text = h2o_iovec_init(info.base - hmac->size, hmac->size + info.len + 1);
        memcpy(text.base, digest, hmac->size);
    }
    OPENSSL_cleanse(digest, sizeof(digest));
    return 0;
}

/* RFC 8446 7.1: length, "tls13 " and label, context */
static int expand_label(struct hmac *hmac, h2o_iovec_t secret, h2o_iovec_t label, h2o_iovec_t context, h2o_iovec_t dst)
{
    uint8_t text[EVP_MAX_MD_SIZE + MAX_INFO], *info = text + hmac->size, *end = info;
    const size_t label_len = sizeof(PREFIX) - 1 + label.len;
    int ret;

    if (label_len > 255 || context.len > 255 || dst.len > UINT16_MAX)
        return -1;
    *end++ = (uint8_t)(dst.len >> 8);
    *end++ = (uint8_t)dst.len;
    *end++ = (uint8_t)label_len;
    memcpy(end, PREFIX, sizeof(PREFIX) - 1);
    memcpy(end + sizeof(PREFIX) - 1, label.base, label.len);
    end += label_len;
    *end++ = (uint8_t)context.len;
    if (context.len != 0)
        memcpy(end, context.base, context.len);
    end += context.len;
    ret = expand(hmac, secret, h2o_iovec_init(info, (size_t)(end - info)), dst);
    OPENSSL_cleanse(text, hmac->size);
    return ret;
}

int h2o_tls13_expand_label(const EVP_MD *digest, h2o_iovec_t secret, const char *label, h2o_iovec_t dst)
{
    struct hmac hmac = {EVP_MD_CTX_new(), digest, (size_t)EVP_MD_get_size(digest)};
    int ret = hmac.ctx == NULL ? -1 : expand_label(&hmac, secret, h2o_iovec_init(label, strlen(label)), (h2o_iovec_t){NULL}, dst);

    EVP_MD_CTX_free(hmac.ctx);
    return ret;
}

/* "derived" of the secret before is the salt of the next; what is missing is as many zeros (RFC 8446 7.1) */
static int extract(struct hmac *hmac, h2o_iovec_t before, h2o_iovec_t fresh, h2o_iovec_t label, uint8_t *dst)
{
    static char zeros[EVP_MAX_MD_SIZE];
    uint8_t salt[EVP_MAX_MD_SIZE], nothing[EVP_MAX_MD_SIZE];
    h2o_iovec_t empty = {zeros, 0}, salt_vec = {(char *)salt, hmac->size};
    int ret;

    if (fresh.base == NULL)
        fresh = h2o_iovec_init(zeros, hmac->size);
    if (before.base == NULL)
        return authenticate(hmac, h2o_iovec_init(zeros, hmac->size), fresh, dst);
    ret = hash(hmac, empty, empty, nothing) != 0 ||
                  expand_label(hmac, before, label, h2o_iovec_init(nothing, hmac->size), salt_vec) != 0 ||
                  authenticate(hmac, salt_vec, fresh, dst) != 0
              ? -1
              : 0;
    OPENSSL_cleanse(salt, sizeof(salt));
    return ret;
}

/* --- as OpenSSL asks for it: libssl gives all parameters with the call that derives, so nothing is kept between calls --- */

struct request {
    int mode;
    const EVP_MD *digest;
    h2o_iovec_t key, salt, prefix, label, data;
};

static const EVP_MD *find_digest(const char *name)
{
    size_t i;

    for (i = 0; i != NUM_DIGESTS; ++i)
        if (strcasecmp(name, digests[i].name) == 0 || strcasecmp(name, digests[i].alias) == 0)
            return digests[i].md;
    return NULL;
}

static int read_request(struct request *request, const OSSL_PARAM *param)
{
    static const struct {
        const char *name;
        size_t offset;
    } fields[] = {{OSSL_KDF_PARAM_KEY, offsetof(struct request, key)},
                  {OSSL_KDF_PARAM_SALT, offsetof(struct request, salt)},
                  {OSSL_KDF_PARAM_PREFIX, offsetof(struct request, prefix)},
                  {OSSL_KDF_PARAM_LABEL, offsetof(struct request, label)},
                  {OSSL_KDF_PARAM_DATA, offsetof(struct request, data)}};
    size_t i;

    for (; param->key != NULL; ++param) {
        if (strcmp(param->key, OSSL_KDF_PARAM_MODE) == 0 && !OSSL_PARAM_get_int(param, &request->mode))
            return -1;
        if (strcmp(param->key, OSSL_KDF_PARAM_DIGEST) == 0 && param->data_type == OSSL_PARAM_UTF8_STRING)
            request->digest = find_digest(param->data);
        for (i = 0; param->data_type == OSSL_PARAM_OCTET_STRING && i != sizeof(fields) / sizeof(fields[0]); ++i)
            if (strcmp(param->key, fields[i].name) == 0)
                *(h2o_iovec_t *)((char *)request + fields[i].offset) = h2o_iovec_init(param->data, param->data_size);
    }
    return request->digest == NULL || !h2o_memis(request->prefix.base, request->prefix.len, H2O_STRLIT(PREFIX)) ? -1 : 0;
}

static void tell_secret(h2o_iovec_t label, h2o_iovec_t secret)
{
    if (listener.tell == NULL)
        return;
    if (h2o_memis(label.base, label.len, H2O_STRLIT("c ap traffic")))
        listener.tell(listener.arg, 0, secret);
    else if (h2o_memis(label.base, label.len, H2O_STRLIT("s ap traffic")))
        listener.tell(listener.arg, 1, secret);
}

static int kdf_derive(void *md_ctx, unsigned char *dst, size_t len, const OSSL_PARAM *params)
{
    struct request request = {-1};
    struct hmac hmac = {md_ctx};
    h2o_iovec_t out = {(char *)dst, len};

    if (params == NULL || read_request(&request, params) != 0)
        return 0;
    hmac.md = request.digest;
    hmac.size = (size_t)EVP_MD_get_size(hmac.md);
    if (request.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
        return len == hmac.size && extract(&hmac, request.salt, request.key, request.label, dst) == 0;
    if (request.mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY || request.key.base == NULL ||
        expand_label(&hmac, request.key, request.label, request.data, out) != 0)
        return 0;
    tell_secret(request.label, out);
    return 1;
}

static void *kdf_new(void *provider)
{
    return EVP_MD_CTX_new();
}

static void kdf_free(void *md_ctx)
{
    EVP_MD_CTX_free(md_ctx);
}

static const OSSL_ALGORITHM *query(void *provider, int operation, int *may_not_cache)
{
    static const OSSL_DISPATCH functions[] = {{OSSL_FUNC_KDF_NEWCTX, (void (*)(void))kdf_new},
                                              {OSSL_FUNC_KDF_FREECTX, (void (*)(void))kdf_free},
                                              {OSSL_FUNC_KDF_DERIVE, (void (*)(void))kdf_derive},
                                              {0, NULL}};
    static const OSSL_ALGORITHM kdfs[] = {{OSSL_KDF_NAME_TLS1_3_KDF, "provider=" PROVIDER, functions, NULL}, {NULL}};

    *may_not_cache = 0;
    return operation == OSSL_OP_KDF ? kdfs : NULL;
}

static int init_provider(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *offered, const OSSL_DISPATCH **ours, void **provider)
{
    static const OSSL_DISPATCH functions[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query}, {0, NULL}};

    *ours = functions;
    *provider = (void *)core;
    return 1;
}

int h2o_tls13_kdf_load(void)
{
    static OSSL_PROVIDER *loaded; /* to the end of the process */
    size_t i;

    for (i = 0; i != NUM_DIGESTS; ++i)
        if ((digests[i].md = EVP_MD_fetch(NULL, digests[i].name, NULL)) == NULL)
            return -1;
    /* OpenSSL's own providers go on to be loaded by themselves */
    if (OSSL_PROVIDER_add_builtin(NULL, PROVIDER, init_provider) == 1)
        loaded = OSSL_PROVIDER_try_load(NULL, PROVIDER, 1);
    return loaded != NULL ? 0 : -1;
}
