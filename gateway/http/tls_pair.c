#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/result.h"
#include "base/secret.h"
#include "http/tls_parts.h"

enum { CHAIN_LIMIT = 10, NAMES_LIMIT = 200 };

/* Never asks a terminal for the password of an encrypted key. */
static int no_password(char *buffer, int size, int for_writing, void *unused)
{
    return -1;
}

static int ssl_fail(const char *what)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;

    ERR_clear_error();
    return reason != NULL ? tg_fail("%s (%s)", what, reason) : tg_fail("%s", what);
}

static void add_name(struct tg_pair *pair, const ASN1_IA5STRING *name)
{
    size_t len = (size_t)ASN1_STRING_length(name);
    char *copy = tg_alloc(len + 1);

    for (size_t i = 0; i < len; i++)
        copy[i] = (char)tolower(ASN1_STRING_get0_data(name)[i]);
    if (len == 0 || strlen(copy) != len) { /* a NUL inside: a name meant to deceive */
        free(copy);
        return;
    }
    pair->names = tg_realloc(pair->names, (pair->name_count + 1) * sizeof(*pair->names));
    pair->names[pair->name_count++] = copy;
}

static int read_names(struct tg_pair *pair, X509 *leaf)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && pair->name_count < NAMES_LIMIT; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS)
            add_name(pair, name->d.dNSName);
    }
    GENERAL_NAMES_free(names);
    return pair->name_count > 0 ? 0 : tg_fail("the certificate names no host (no DNS name among its subject alternative names)");
}

static int read_chain(struct tg_pair *pair, struct tg_text pem)
{
    BIO *bio = BIO_new_mem_buf(pem.base, (int)pem.len);
    X509 *leaf = PEM_read_bio_X509(bio, NULL, no_password, NULL), *next;
    struct tm end;
    int result = 0;

    if (leaf == NULL)
        result = ssl_fail("no certificate in PEM form");
    else if (SSL_CTX_use_certificate(pair->context, leaf) != 1)
        result = ssl_fail("the certificate cannot be used");
    for (int i = 0; result == 0 && i < CHAIN_LIMIT && (next = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL; i++) {
        if (SSL_CTX_add0_chain_cert(pair->context, next) != 1) {
            X509_free(next);
            result = ssl_fail("the chain cannot be used");
        }
    }
    ERR_clear_error(); /* the end of the text is an error to OpenSSL */
    if (result == 0)
        result = read_names(pair, leaf);
    if (result == 0 && ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) == 1)
        pair->not_after_s = timegm(&end);
    X509_free(leaf);
    BIO_free(bio);
    return result;
}

static int read_key(struct tg_pair *pair, struct tg_text pem)
{
    BIO *bio = BIO_new_mem_buf(pem.base, (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    int result = 0;

    if (key == NULL)
        result = ssl_fail("no private key in PEM form without a password");
    else if (SSL_CTX_use_PrivateKey(pair->context, key) != 1 || SSL_CTX_check_private_key(pair->context) != 1)
        result = ssl_fail("the private key does not belong to the certificate");
    EVP_PKEY_free(key);
    BIO_free(bio);
    return result;
}

/* Tickets are good for certificates of the same names only, but outlive renewals and restarts. */
static void set_session_context(struct tg_pair *pair)
{
    uint8_t digest[TG_DIGEST];
    TG_STRING names = {0};

    for (size_t i = 0; i < pair->name_count; i++)
        tg_string_addf(&names, "%s\n", pair->names[i]);
    tg_digest(tg_string_text(&names), digest);
    SSL_CTX_set_session_id_context(pair->context, digest, sizeof(digest));
}

int tg_pair_read(struct tg_tls *tls, struct tg_text chain_pem, struct tg_text key_pem, struct tg_pair **out)
{
    struct tg_pair *pair = tg_alloc(sizeof(*pair));

    pair->context = tg_tls_context_new(tls);
    int result = read_chain(pair, chain_pem);
    if (result == 0)
        result = read_key(pair, key_pem);
    if (result != 0) {
        tg_pair_free(pair);
        return result;
    }
    set_session_context(pair);
    *out = pair;
    return 0;
}

void tg_pair_free(struct tg_pair *pair)
{
    if (pair == NULL)
        return;
    SSL_CTX_free(pair->context); /* connections that use it have their own references */
    for (size_t i = 0; i < pair->name_count; i++)
        free(pair->names[i]);
    free(pair->names);
    free(pair->label);
    free(pair);
}
