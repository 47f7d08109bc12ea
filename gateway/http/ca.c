#include "http/ca.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"

enum { ROOT_DAYS = 3650, LEAF_DAYS = 90, BACKDATED_S = 3600, FILE_LIMIT = 64 * 1024, SERIAL_BYTES = 16, NAMES_LIMIT = 100 };

/* What a certificate of ours says beyond names and keys: openssl's names for extensions (x509v3_config(5)). */
struct extension {
    int nid;
    const char *value;
};

static const struct extension root_extensions[] = {
    {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
    {NID_key_usage, "critical,keyCertSign,cRLSign"},
    {NID_subject_key_identifier, "hash"},
    /* a DNS name permits the names below it, too */
    {NID_name_constraints, "critical,permitted;DNS:localhost,permitted;IP:127.0.0.1/255.255.255.255,"
                           "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {NID_undef, NULL},
};

static const struct extension leaf_extensions[] = {
    {NID_basic_constraints, "critical,CA:FALSE"},
    {NID_key_usage, "critical,digitalSignature"},
    {NID_ext_key_usage, "serverAuth"},
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid:always"},
    {NID_undef, NULL},
};

static int ssl_fail(const char *what)
{
    unsigned long error = ERR_get_error();
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;

    ERR_clear_error();
    return tg_fail("internal CA: %s%s%s", what, reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

static bool add_extension(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool done = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return done;
}

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    BIGNUM *number = NULL;
    bool done = RAND_bytes(bytes, sizeof(bytes)) == 1;

    bytes[0] &= 0x7f; /* positive (RFC 5280 4.1.2.2) */
    done = done && (number = BN_bin2bn(bytes, sizeof(bytes), NULL)) != NULL &&
           BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return done;
}

/* Without a host name in the subject: verifiers would apply the name constraints to it. */
static bool set_subject(X509 *certificate, const char *common_name)
{
    X509_NAME *subject = X509_get_subject_name(certificate);

    return X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Teagate", -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1;
}

struct plan {
    const char *common_name;
    int days;
    const struct extension *extensions;
    const char *alternative_names; /* NULL: none */
    X509 *issuer;                  /* NULL: signs itself */
    EVP_PKEY *issuer_key;          /* NULL: its own */
    EVP_PKEY *key;
};

static X509 *make_certificate(const struct plan *plan)
{
    X509 *certificate = X509_new(), *issuer = plan->issuer != NULL ? plan->issuer : certificate;
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    bool done = X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
                set_subject(certificate, plan->common_name) &&
                X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
                X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATED_S) != NULL &&
                X509_time_adj_ex(X509_getm_notAfter(certificate), plan->days, 0, NULL) != NULL &&
                X509_set_pubkey(certificate, plan->key) == 1;
    for (const struct extension *e = plan->extensions; done && e->value != NULL; e++)
        done = add_extension(certificate, &context, e->nid, e->value);
    if (done && plan->alternative_names != NULL)
        done = add_extension(certificate, &context, NID_subject_alt_name, plan->alternative_names);
    if (done && X509_sign(certificate, plan->issuer_key != NULL ? plan->issuer_key : plan->key, EVP_sha256()) > 0)
        return certificate;
    X509_free(certificate);
    return NULL;
}

static struct tg_text take_bio(BIO *bio, struct tg_arena *arena)
{
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    struct tg_text copy = tg_arena_text(arena, tg_text_n(bytes, (size_t)len));

    OPENSSL_cleanse(bytes, (size_t)len);
    BIO_free(bio);
    return copy;
}

static struct tg_text certificate_pem(X509 *certificate, struct tg_arena *arena)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_X509(bio, certificate);
    return take_bio(bio, arena);
}

static struct tg_text key_pem(EVP_PKEY *key, struct tg_arena *arena)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    return take_bio(bio, arena);
}

static int make_root(const char *crt_path, const char *key_path)
{
    __attribute__((cleanup(tg_arena_done))) struct tg_arena arena = {0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct plan plan = {"Teagate internal CA (localhost names only)", ROOT_DAYS, root_extensions, .key = key};
    X509 *root = key != NULL ? make_certificate(&plan) : NULL;

    if (root == NULL) {
        EVP_PKEY_free(key);
        return ssl_fail("cannot make the root certificate");
    }
    struct tg_text crt_text = certificate_pem(root, &arena), key_text = key_pem(key, &arena);
    X509_free(root);
    EVP_PKEY_free(key);
    /* the certificate last: where it is, the key is */
    int result = tg_file_write_atomically(key_path, 0600, key_text);
    if (result == 0)
        result = tg_file_write_atomically(crt_path, 0644, crt_text);
    OPENSSL_cleanse((char *)key_text.base, key_text.len);
    return result;
}

int tg_ca_init(const char *directory)
{
    TG_FREED char *crt_path = tg_format("%s/root.crt", directory);
    TG_FREED char *key_path = tg_format("%s/root.key", directory);

    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return tg_fail_errno("cannot make %s", directory);
    TG_CLOSED int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) /* until it is closed */
        return tg_fail_errno("cannot open %s", directory);
    if (access(crt_path, F_OK) == 0)
        return 0;
    if (errno != ENOENT)
        return tg_fail_errno("cannot look at %s", crt_path);
    return make_root(crt_path, key_path);
}

int tg_ca_root(const char *directory, struct tg_arena *arena, struct tg_text *pem)
{
    TG_FREED char *path = tg_format("%s/root.crt", directory);
    TG_STRING text = {0};

    switch (tg_try(tg_file_read(path, FILE_LIMIT, &text))) {
    case TG_FILE_ABSENT:
        return TG_CA_ABSENT;
    case TG_FILE_TOO_LARGE:
        return tg_fail("%s is not a certificate", path);
    }
    *pem = tg_arena_text(arena, tg_string_text(&text));
    return 0;
}

/* "DNS:a,IP:b"; false: a name is not a localhost name. */
static bool write_names(struct tg_string *out, const char *const *names)
{
    size_t count = 0;

    for (; names[count] != NULL && count < NAMES_LIMIT; count++) {
        struct tg_text name = tg_text(names[count]);
        bool is_address = tg_text_is(name, "127.0.0.1") || tg_text_is(name, "::1");

        if (!is_address && !tg_text_is_nocase(name, "localhost") && !tg_text_ends(name, ".localhost"))
            return false;
        for (size_t i = 0; i < name.len && !is_address; i++) {
            if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*", name.base[i]) == NULL)
                return false;
        }
        tg_string_addf(out, "%s%s:%s", count > 0 ? "," : "", is_address ? "IP" : "DNS", names[count]);
    }
    return count > 0 && names[count] == NULL;
}

static EVP_PKEY *read_root_key(const char *directory)
{
    TG_FREED char *path = tg_format("%s/root.key", directory);
    TG_STRING text = {0};

    if (tg_file_read(path, FILE_LIMIT, &text) != 0) {
        tg_fail("internal CA: cannot read %s", path);
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(text.base, (int)text.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
    BIO_free(bio);
    OPENSSL_cleanse(text.base, text.len);
    if (key == NULL)
        ssl_fail("root.key is not a private key");
    return key;
}

static int sign_leaf(struct plan *plan, struct tg_arena *arena, struct tg_text *chain, struct tg_text *key)
{
    plan->key = EVP_EC_gen("P-256");
    X509 *leaf = plan->key != NULL ? make_certificate(plan) : NULL;

    if (leaf != NULL) {
        *chain = certificate_pem(leaf, arena);
        *key = key_pem(plan->key, arena);
    }
    X509_free(leaf);
    EVP_PKEY_free(plan->key);
    return leaf != NULL ? 0 : ssl_fail("cannot make a certificate");
}

int tg_ca_issue(const char *directory, const char *const *names, struct tg_arena *arena, struct tg_text *chain, struct tg_text *key)
{
    TG_STRING alternative_names = {0};
    struct tg_text root_pem;

    if (!write_names(&alternative_names, names))
        return TG_CA_FOREIGN_NAME;
    if (tg_try(tg_ca_root(directory, arena, &root_pem)) == TG_CA_ABSENT)
        return tg_fail("internal CA: there is no root in %s yet", directory);
    EVP_PKEY *root_key = read_root_key(directory);
    if (root_key == NULL)
        return TG_FAILED;

    BIO *bio = BIO_new_mem_buf(root_pem.base, (int)root_pem.len);
    X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    struct plan plan = {"Teagate localhost certificate", LEAF_DAYS, leaf_extensions, alternative_names.base, root, root_key};
    int result = root != NULL ? sign_leaf(&plan, arena, chain, key) : ssl_fail("root.crt is not a certificate");
    X509_free(root);
    EVP_PKEY_free(root_key);
    BIO_free(bio);
    return result;
}
