#include "http/reply.h"

#include <stdlib.h>

/* The policy of our pages: the style sheet, the icon in it, and forms; no script, no frame, nothing from elsewhere. */
#define CSP "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Answer";
}

static bool is_field_value(struct tg_text value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.base[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

void tg_reply_header(struct tg_reply *reply, struct tg_text name, struct tg_text value)
{
    if (!is_field_value(value))
        return;
    if (reply->header_count == TG_REPLY_HEADERS)
        abort(); /* an endpoint with more headers needs a larger TG_REPLY_HEADERS */
    reply->headers[reply->header_count++] = (struct tg_reply_header){name, value};
}

static void add(h2o_req_t *req, const h2o_token_t *token, struct tg_text value)
{
    h2o_add_header(&req->pool, &req->res.headers, token, NULL, value.base, value.len);
}

static void add_by_name(h2o_req_t *req, struct tg_text name, struct tg_text value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name.base, name.len, 1, NULL, value.base, value.len);
}

/* Browsers apply HSTS to all ports of a name: on localhost it would cut off everything else a developer runs there. */
static bool is_local_name(struct tg_text authority)
{
    struct tg_text name = tg_text_cut(&authority, ':');

    return tg_text_is_nocase(name, "localhost") || tg_text_ends(name, ".localhost");
}

static void add_security_headers(struct tg_visit *visit, const struct tg_reply *reply)
{
    h2o_req_t *req = visit->req;

    add_by_name(req, TG_TEXT("x-content-type-options"), TG_TEXT("nosniff"));
    if (!reply->cacheable)
        add(req, H2O_TOKEN_CACHE_CONTROL, TG_TEXT("no-store"));
    if (req->scheme == &H2O_URL_SCHEME_HTTPS && !is_local_name(tg_text_of(req->authority)))
        add_by_name(req, TG_TEXT("strict-transport-security"), TG_TEXT("max-age=31536000"));
    if (!reply->is_page)
        return;

    struct tg_text policy = TG_TEXT(CSP);
    if (reply->form_action != NULL && is_field_value(tg_text(reply->form_action)) && strpbrk(reply->form_action, ";,") == NULL) {
        h2o_iovec_t joined = h2o_concat(&req->pool, h2o_iovec_init(H2O_STRLIT(CSP " ")),
                                        h2o_iovec_init(reply->form_action, strlen(reply->form_action)));
        policy = tg_text_of(joined);
    }
    add_by_name(req, TG_TEXT("content-security-policy"), policy);
    add_by_name(req, TG_TEXT("x-frame-options"), TG_TEXT("DENY"));
    add_by_name(req, TG_TEXT("referrer-policy"), TG_TEXT("no-referrer"));
}

static bool has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

void tg_reply_send(struct tg_visit *visit, const struct tg_reply *reply)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_req_t *req = visit->req;
    h2o_iovec_t body = {(char *)reply->body.base, reply->body.len};
    bool sends_body = has_body(reply->status) && reply->body.len > 0 && !tg_text_is(tg_text_of(req->input.method), "HEAD");

    req->res.status = reply->status;
    req->res.reason = reason_of(reply->status);
    if (has_body(reply->status))
        req->res.content_length = reply->body.len;
    if (reply->content_type != NULL && has_body(reply->status))
        add(req, H2O_TOKEN_CONTENT_TYPE, tg_text(reply->content_type));
    for (size_t i = 0; i < reply->header_count; i++)
        add_by_name(req, reply->headers[i].name, reply->headers[i].value);
    add_security_headers(visit, reply);
    if (reply->close)
        req->http1_is_persistent = 0;

    h2o_start_response(req, &generator);
    h2o_send(req, &body, sends_body ? 1 : 0, H2O_SEND_STATE_FINAL);
}

void tg_reply_text(struct tg_visit *visit, int status, const char *text)
{
    size_t len = strlen(text);
    bool ends = len > 0 && text[len - 1] == '\n';
    h2o_iovec_t body = h2o_concat(&visit->req->pool, h2o_iovec_init(text, len), h2o_iovec_init("\n", ends ? 0 : 1));

    tg_reply_send(visit, &(struct tg_reply){.status = status, .content_type = "text/plain; charset=utf-8", .body = tg_text_of(body)});
}

void tg_reply_redirect(struct tg_visit *visit, int status, const char *location)
{
    h2o_iovec_t copy = h2o_strdup(&visit->req->pool, location, SIZE_MAX);
    struct tg_reply reply = {.status = status};

    tg_reply_header(&reply, TG_TEXT("location"), tg_text_of(copy));
    tg_reply_send(visit, &reply);
}
