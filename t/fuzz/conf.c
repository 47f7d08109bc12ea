/* The configuration reader with a key of every type; a file without errors must print and hold what its limits say. */
#include <stdlib.h>
#include "../unit/base/conf_sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within_limits(const struct sample *s)
{
    return s->threads >= 1 && s->threads <= 64 && s->body >= 4096 && s->oidc.code_ttl_s >= 10 && s->oidc.code_ttl_s <= 600 &&
           s->level >= 0 && s->level <= 2 && s->title != NULL && s->oidc.keys.keep >= 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_conf_file file;
    struct sample sample;

    tg_conf_read(&file, "t.yaml", tg_text_n((const char *)data, size), sample_keys, &sample);
    if (!is_within_limits(&sample) || (file.errors.len == 0 && sample.oidc.issuer == NULL))
        abort();
    if (file.errors.len > 0 && !tg_text_ends(tg_string_text(&file.errors), "\n"))
        abort();
    tg_conf_error_at(&file, &sample.oidc.issuer, "seen");
    tg_conf_done(&file);
    return 0;
}
