/* sign_in.c - see sign_in.h */
#include "front/sign_in.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "front/path.h"
#include "front/session_cookie.h"
#include "front/state.h"
#include "http/cookie.h"
#include "store/grant.h"
#include "store/instance.h"
#include "store/session.h"
#include "store/subscription.h"
#include "store/worker.h"

/* A code was redeemed in flight of its callback, give or take the clock's resolution. */
enum { REDEEM_SLACK_MS = 5 };

struct param {
    const char *name;
    bool required;
    bool encoded; /* may hold percent-escapes and "+" */
};

static const struct param start_params[] = {{"redirect_to", false, true}, {NULL}};
static const struct param code_params[] = {{"code", true, false}, {"state", true, false}, {"iss", false, true}, {NULL}};
static const struct param error_params[] = {
    {"error", true, false}, {"state", false, false}, {"error_description", false, true}, {"error_uri", false, true}, {"iss", false, true}, {NULL}};

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool value_is_sound(struct tg_text value, bool encoded)
{
    for (size_t i = 0; i < value.len; ++i) {
        char c = value.base[i];

        if (is_plain(c))
            continue;
        if (!encoded)
            return false;
        if (c == '%' && value.len - i >= 3 && tg_hex_value(value.base[i + 1]) >= 0 && tg_hex_value(value.base[i + 2]) >= 0)
            i += 2;
        else if (c == '\0' || strchr("+/:,@!$'()*?", c) == NULL)
            return false;
    }
    return true;
}

/* Every pair is one of the params by its plain name, none twice, all required ones there. */
static bool query_is(struct tg_text query, const struct param *params)
{
    unsigned seen = 0;

    while (query.len != 0) {
        struct tg_text value = tg_text_cut(&query, '&'), name = tg_text_cut(&value, '=');
        size_t i = 0;

        while (params[i].name != NULL && !tg_text_is(name, params[i].name))
            ++i;
        if (params[i].name == NULL || (seen & 1u << i) != 0 || value.base == NULL || !value_is_sound(value, params[i].encoded))
            return false;
        if (query.base != NULL && query.len == 0) /* a "&" at the end */
            return false;
        seen |= 1u << i;
    }
    for (size_t i = 0; params[i].name != NULL; ++i)
        if (params[i].required && (seen & 1u << i) == 0)
            return false;
    return true;
}

bool tg_sign_in_query_fits(enum tg_door door, struct tg_text query)
{
    if (door == TG_DOOR_LOGIN_START)
        return query_is(query, start_params);
    return query_is(query, code_params) || query_is(query, error_params);
}

static bool has_message(const struct tg_visit *visit)
{
    ssize_t at = -1;

    while ((at = h2o_find_header(&visit->req->headers, H2O_TOKEN_COOKIE, at)) != -1) {
        struct tg_text rest = tg_text_of(visit->req->headers.entries[at].value), name, value;

        while (tg_cookie_next(&rest, &name, &value))
            if (tg_text_is(name, "gitea_flash") && value.len != 0)
                return true;
    }
    return false;
}

/* target: as it stands in a query; base NULL: none */
static const char *start_address(struct tg_visit *visit, struct tg_text target)
{
    const char *source = tg_front_host_of(visit)->conf->source;
    h2o_iovec_t location;

    location = h2o_concat(&visit->req->pool, h2o_iovec_init(H2O_STRLIT("/user/oauth2/")), h2o_iovec_init(source, strlen(source)),
                          target.base != NULL ? h2o_iovec_init(H2O_STRLIT("?redirect_to=")) : h2o_iovec_init("", 0),
                          h2o_iovec_init(target.base != NULL ? target.base : "", target.len));
    return h2o_strdup(&visit->req->pool, location.base, location.len).base;
}

const char *tg_sign_in_redirect(struct tg_visit *visit)
{
    struct tg_text target;
    size_t count;

    if (has_message(visit))
        return NULL;
    target = tg_query_value(visit->path.query, "redirect_to", &count);
    if (count != 1 || target.len == 0 || !value_is_sound(target, true))
        target = (struct tg_text){NULL, 0};
    return start_address(visit, target);
}

const char *tg_sign_in_return(struct tg_visit *visit)
{
    TG_STRING target = {NULL};

    if ((tg_door_method(tg_text_of(visit->req->method)) & (TG_DOOR_GET | TG_DOOR_HEAD)) == 0)
        return NULL;
    tg_url_encode(&target, tg_text_of(visit->req->path));
    return start_address(visit, tg_string_text(&target));
}

/* ---- whose sign-in was it? */

struct tg_sign_in {
    struct tg_job job;
    struct tg_message message;
    struct tg_exchange *exchange;    /* NULL: gone. The loop's */
    struct tg_loop *loop;
    char host[256];
    char code[128];                  /* "": the way out */
    int64_t began_ms;
    struct tg_gateway_cookie cookie; /* what will be sealed; on the way out, what was presented */
};

static void set_cookie(struct tg_exchange *exchange, const struct tg_gateway_cookie *cookie)
{
    const struct tg_front *front = exchange->upstream->part->front;
    char value[TG_GATEWAY_COOKIE_VALUE];

    tg_gateway_cookie_seal(front->options.ring, exchange->visit->host->authority, cookie, value);
    exchange->set_cookie = tg_gateway_cookie_line(&tg_exchange_req(exchange)->pool, value);
}

/* On a worker. Leaves the cookie in state login unless the code proves an account. */
static int look_at_code(struct tg_sign_in *sign_in, struct tg_worker *worker)
{
    struct tg_store *store;
    struct tg_grant grant;
    struct tg_client client;
    struct tg_session session;
    struct tg_facts facts;

    tg_try(tg_worker_store(worker, &store));
    if (tg_try(tg_grant_look(store, tg_text(sign_in->code), &grant)) > 0)
        return 0;
    if (tg_try(tg_client_find_instance(store, sign_in->host, &client)) > 0 || strcmp(client.id, grant.client) != 0)
        return 0;
    if (grant.taken_ms == 0 || grant.taken_ms < sign_in->began_ms - REDEEM_SLACK_MS || grant.taken_ms > tg_now_ms() + REDEEM_SLACK_MS)
        return 0;
    if (tg_try(tg_facts_read(store, grant.account, &facts)) > 0 || facts.locked)
        return 0;
    if (tg_try(tg_session_find_digest(store, grant.session, &session)) > 0) /* ended since it gave this code */
        return 0;
    sign_in->cookie.state = TG_GATEWAY_SIGNED_IN;
    sign_in->cookie.epoch = session.epoch;
    memcpy(sign_in->cookie.account, grant.account, sizeof(sign_in->cookie.account));
    memcpy(sign_in->cookie.provider_session, grant.session, sizeof(sign_in->cookie.provider_session));
    return 0;
}

/* On a worker. Who signs out of Gitea is asked for the password when he comes back. */
static int end_session(struct tg_sign_in *sign_in, struct tg_worker *worker)
{
    struct tg_store *store;

    tg_try(tg_worker_store(worker, &store));
    tg_try(tg_session_end(store, sign_in->cookie.provider_session));
    return 0;
}

static void work(struct tg_job *job, void *worker)
{
    struct tg_sign_in *sign_in = H2O_STRUCT_FROM_MEMBER(struct tg_sign_in, job, job);
    bool is_out = sign_in->code[0] == '\0';

    if ((is_out ? end_session(sign_in, worker) : look_at_code(sign_in, worker)) < 0)
        tg_log(TG_LOG_ERROR, is_out ? "sign-out-incomplete" : "sign-in-unknown", "instance", sign_in->host, "why", tg_failure(), NULL);
}

static void finish(struct tg_job *job)
{
    struct tg_sign_in *sign_in = H2O_STRUCT_FROM_MEMBER(struct tg_sign_in, job, job);

    tg_loop_send(sign_in->loop, &sign_in->message);
}

static void on_known(struct tg_message *message)
{
    struct tg_sign_in *sign_in = H2O_STRUCT_FROM_MEMBER(struct tg_sign_in, message, message);
    struct tg_exchange *exchange = sign_in->exchange;

    if (exchange != NULL) {
        exchange->sign_in = NULL;
        if (sign_in->code[0] != '\0')
            set_cookie(exchange, &sign_in->cookie);
        if (sign_in->cookie.state != TG_GATEWAY_SIGNED_IN)
            exchange->visit->refusal = "sign-in-unproven";
    }
    free(sign_in);
    if (exchange != NULL)
        tg_exchange_unpark(exchange);
}

/* code empty: the way out */
static bool ask(struct tg_exchange *exchange, const struct tg_gateway_cookie *cookie, struct tg_text code)
{
    struct tg_visit *visit = exchange->visit;
    const struct tg_pools *pools = exchange->upstream->part->front->options.pools;
    struct tg_sign_in *sign_in;

    if (code.len >= sizeof(sign_in->code) || strlen(visit->host->authority) >= sizeof(sign_in->host))
        return false;
    sign_in = tg_alloc(sizeof(*sign_in));
    sign_in->job = (struct tg_job){.work = work, .finish = finish};
    sign_in->message.run = on_known;
    sign_in->exchange = exchange;
    sign_in->loop = visit->loop->loop;
    sign_in->began_ms = exchange->began_wall_ms;
    sign_in->cookie = *cookie;
    memcpy(sign_in->host, visit->host->authority, strlen(visit->host->authority) + 1);
    if (code.len != 0)
        memcpy(sign_in->code, code.base, code.len);
    if (pools->of[TG_POOL_COLD] == NULL || tg_pool_submit(pools->of[TG_POOL_COLD], &sign_in->job) != 0) {
        free(sign_in);
        return false;
    }
    exchange->sign_in = sign_in;
    return true;
}

void tg_sign_in_forget(struct tg_exchange *exchange)
{
    if (exchange->sign_in == NULL)
        return;
    exchange->sign_in->exchange = NULL;
    exchange->sign_in = NULL;
}

/* The path behind Gitea's redirect, without the host. */
static bool leads_to(struct tg_text location, const char *path)
{
    const char *scheme = location.len != 0 ? memmem(location.base, location.len, "://", 3) : NULL;

    if (scheme != NULL) {
        struct tg_text rest = tg_text_n(scheme + 3, location.len - (size_t)(scheme + 3 - location.base));
        const char *slash = rest.len != 0 ? memchr(rest.base, '/', rest.len) : NULL;

        location = slash != NULL ? tg_text_n(slash, rest.len - (size_t)(slash - rest.base)) : TG_TEXT("/");
    }
    return tg_text_starts(location, path);
}

/* A second factor of Gitea's own, or no user yet: the session is nobody's, though its id is new. */
static bool is_pending(struct tg_text location)
{
    return leads_to(location, "/user/two_factor") || leads_to(location, "/user/webauthn") || leads_to(location, "/user/link_account") ||
           leads_to(location, "/user/login");
}

static bool take_session(const struct tg_response_head *answer, struct tg_gateway_cookie *cookie)
{
    *cookie = (struct tg_gateway_cookie){.state = TG_GATEWAY_LOGIN, .issued_s = tg_now_s()};
    if (answer->session_count != 1 || answer->session.len == 0 || answer->session.len >= sizeof(cookie->gitea_session))
        return false;
    for (size_t i = 0; i < answer->session.len; ++i)
        if (!is_plain(answer->session.base[i]))
            return false;
    memcpy(cookie->gitea_session, answer->session.base, answer->session.len);
    return true;
}

/* Gitea has ended its session: our cookie goes, and the provider session that it names. Waits for that, so that the next click finds
   it done. */
static bool park_sign_out(struct tg_exchange *exchange)
{
    const struct tg_gateway_cookie *cookie = tg_gateway_cookie_of(exchange->visit);
    int status = exchange->answer.status;

    if (status != 200 && status != 303)
        return false;
    exchange->set_cookie = tg_gateway_cookie_deletion();
    if (cookie == NULL || cookie->state != TG_GATEWAY_SIGNED_IN || !tg_text_is(tg_text_of(exchange->visit->req->method), "POST"))
        return false;
    if (ask(exchange, cookie, TG_TEXT("")))
        return true;
    tg_log(TG_LOG_ERROR, "sign-out-incomplete", "instance", exchange->visit->host->authority, "why", "too much is under way",
           "do", "see the pool cold in teagate status", NULL);
    return false;
}

bool tg_sign_in_park(struct tg_exchange *exchange)
{
    const struct tg_response_head *answer = &exchange->answer;
    struct tg_gateway_cookie cookie;
    size_t count;

    switch (exchange->visit->door) {
    case TG_DOOR_LOGOUT:
        return park_sign_out(exchange);
    case TG_DOOR_LOGIN_START:
    case TG_DOOR_LOGIN_CALLBACK:
        if (!take_session(answer, &cookie))
            return false;
        break;
    default:
        return false;
    }
    if (exchange->visit->door == TG_DOOR_LOGIN_CALLBACK && answer->status == 303 && !is_pending(answer->location)) {
        struct tg_text code = tg_query_value(exchange->visit->path.query, "code", &count);

        if (code.len != 0 && ask(exchange, &cookie, code))
            return true;
    }
    set_cookie(exchange, &cookie);
    return false;
}
