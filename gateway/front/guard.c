/*
 * guard.c - the first step: limits, canonical method, path and authority
 *
 * libh2o has checked the grammar of method, target and authority; what it takes out of the header list (Host, Content-Length) it has
 * checked for being there once.
 */
#include "front/guard.h"
#include "base/result.h"
#include "front/field_name.h"
#include "front/path.h"
#include "front/refuse.h"
#include "front/state.h"

static const char *const refused_query[] = {"access_token", "token", "sudo"};

static const struct {
    const char *name; /* with a "*" at its end: a beginning */
    const char *why;
} refused_headers[] = {
    {"sudo", "sudo"},
    {"signature", "http-signature"},
    {"signature-input", "http-signature"},
    {"x-ssh-certificate", "http-signature"},
    {"x-nuget-apikey", "nuget-key"},
    {"x-ops-*", "chef-signature"},
};

const char *tg_guard_query(struct tg_text query)
{
    size_t count;

    if (query.len == 0)
        return NULL;
    for (size_t i = 0; i < tg_count(refused_query); ++i) {
        tg_query_value(query, refused_query[i], &count);
        if (count != 0)
            return refused_query[i];
    }
    return NULL;
}

const char *tg_guard_header(struct tg_text name)
{
    char first = name.len != 0 ? name.base[0] | 0x20 : 0;

    if (first != 's' && first != 'x')
        return NULL;
    for (size_t i = 0; i < tg_count(refused_headers); ++i)
        if (tg_field_is(name, refused_headers[i].name))
            return refused_headers[i].why;
    return NULL;
}

const char *tg_guard_credential(const struct tg_visit *visit)
{
    const h2o_headers_t *headers = &visit->req->headers;

    for (size_t i = 0; i < headers->size; ++i) {
        const h2o_iovec_t *name = headers->entries[i].name;
        const char *why = h2o_iovec_is_token(name) ? NULL : tg_guard_header(tg_text_of(*name));

        if (why != NULL)
            return why;
    }
    return tg_guard_query(visit->path.query);
}

/* An HTTP/2 request may hold a Host field besides :authority: they have to agree (RFC 9113 8.3.1). */
static bool host_is_clear(const struct tg_visit *visit)
{
    size_t count = tg_visit_header_count(visit, "host");

    return count == 0 || (count == 1 && tg_text_same(tg_visit_header(visit, "host"), tg_text_of(visit->req->input.authority)));
}

/* Who means two things is not asked for a third: over HTTP/1 the connection ends with the answer. */
static enum tg_step_answer refuse_form(struct tg_visit *visit, const char *why)
{
    visit->req->http1_is_persistent = 0;
    return tg_refuse(visit, TG_ERROR_BAD_REQUEST, why);
}

enum tg_step_answer tg_step_guard(struct tg_visit *visit)
{
    struct tg_text method = tg_text_of(visit->req->method);

    visit->door = -1;
    if (tg_text_is(method, "CONNECT") || tg_text_is(method, "TRACE"))
        return tg_refuse(visit, TG_ERROR_METHOD, "method");
    if (tg_path_split(tg_text_of(visit->req->path), &visit->path) != 0)
        return refuse_form(visit, "path");
    if (!host_is_clear(visit))
        return refuse_form(visit, "host");
    if (tg_visit_header_count(visit, "authorization") > 1)
        return refuse_form(visit, "authorization-twice");
    return TG_STEP_NEXT;
}
