/* The key ring of secret.h: its file, sealing and opening. */
#include "base/secret.h"

#include <sodium.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/result.h"

_Static_assert(TG_KEY == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
_Static_assert(TG_SEALED(0) == 1 + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES,
               "size of what sealing adds");

enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, LARGEST_FILE = 4096 };

/* One line for each key, the one that seals first: "ID HEX", with "#" lines between. */
static int read_key(struct tg_keyring *ring, struct tg_text line, const char *path)
{
    uint64_t id;
    size_t len;
    struct tg_text number = tg_text_cut(&line, ' ');

    if (ring->count == tg_count(ring->keys))
        return tg_fail("%s: more than %zu keys", path, tg_count(ring->keys));
    if (!tg_text_number(number, &id) || id > 255 || line.base == NULL)
        return tg_fail("%s: a line is not \"ID KEY\"", path);
    for (size_t i = 0; i < ring->count; i++) {
        if (ring->keys[i].id == id)
            return tg_fail("%s: key %d stands there twice", path, (int)id);
    }
    if (sodium_hex2bin(ring->keys[ring->count].bytes, TG_KEY, line.base, line.len, NULL, &len, NULL) != 0 || len != TG_KEY)
        return tg_fail("%s: key %d is not %d hexadecimal digits", path, (int)id, TG_KEY * 2);
    ring->keys[ring->count++].id = (uint8_t)id;
    return 0;
}

static int read_ring(struct tg_keyring *ring, struct tg_text text, const char *path)
{
    *ring = (struct tg_keyring){.count = 0};
    while (text.len > 0) {
        struct tg_text line = tg_text_trim(tg_text_cut(&text, '\n'));

        if (line.len > 0 && line.base[0] != '#')
            tg_try(read_key(ring, line, path));
    }
    if (ring->count == 0)
        return tg_fail("%s holds no key", path);
    return 0;
}

static int make_ring(const char *path)
{
    uint8_t key[TG_KEY];
    char hex[TG_KEY * 2 + 1];
    TG_STRING text = {NULL, 0, 0};

    tg_random(key, sizeof(key));
    sodium_bin2hex(hex, sizeof(hex), key, sizeof(key));
    tg_string_addf(&text, "# Keys that seal cookies and stored secrets. The first line seals, all open.\n0 %s\n", hex);
    int result = tg_file_write_atomically(path, 0600, tg_string_text(&text));

    sodium_memzero(key, sizeof(key));
    sodium_memzero(hex, sizeof(hex));
    sodium_memzero(text.base, text.len);
    return result;
}

int tg_keyring_load(struct tg_keyring *ring, const char *path, bool make)
{
    TG_STRING text = {NULL, 0, 0};
    struct stat info;
    int result = tg_try(tg_file_read(path, LARGEST_FILE, &text));

    if (result == TG_FILE_ABSENT && make) {
        tg_try(make_ring(path));
        result = tg_try(tg_file_read(path, LARGEST_FILE, &text));
    }
    if (result == TG_FILE_ABSENT)
        return tg_fail("there is no key ring at %s", path);
    if (result == TG_FILE_TOO_LARGE)
        return tg_fail("%s is too large for a key ring", path);
    if (stat(path, &info) != 0)
        return tg_fail_errno("cannot look at %s", path);
    if ((info.st_mode & 077) != 0)
        result = tg_fail("%s can be opened by others; chmod 600 %s", path, path);
    else
        result = read_ring(ring, tg_string_text(&text), path);
    sodium_memzero(text.base, text.len);
    return result;
}

void tg_seal(const struct tg_keyring *ring, const char *purpose, struct tg_text plain, uint8_t *out)
{
    out[0] = ring->keys[0].id;
    tg_random(out + 1, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + 1 + NONCE, NULL, (const unsigned char *)plain.base, plain.len,
                                               (const unsigned char *)purpose, strlen(purpose), NULL, out + 1,
                                               ring->keys[0].bytes);
}

int tg_unseal(const struct tg_keyring *ring, const char *purpose, struct tg_text sealed, uint8_t *out, size_t *len)
{
    const uint8_t *bytes = (const uint8_t *)sealed.base;

    if (sealed.len < TG_SEALED(0))
        return TG_SEAL_BROKEN;
    for (size_t i = 0; i < ring->count; i++) {
        if (ring->keys[i].id != bytes[0])
            continue;
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, bytes + 1 + NONCE, sealed.len - 1 - NONCE,
                                                       (const unsigned char *)purpose, strlen(purpose), bytes + 1,
                                                       ring->keys[i].bytes) != 0)
            return TG_SEAL_BROKEN;
        *len = sealed.len - TG_SEALED(0);
        return 0;
    }
    return TG_SEAL_BROKEN;
}
