/* refuse.c - see refuse.h */
#include "front/refuse.h"
#include "base/clock.h"
#include "base/json.h"
#include "front/push.h"
#include "front/state.h"
#include "http/reply.h"
#include "subscription/refusal_page.h"

struct arena_holder {
    struct tg_arena arena;
};

static void on_arena_dispose(void *holder)
{
    tg_arena_done(&((struct arena_holder *)holder)->arena);
}

struct tg_arena *tg_front_arena(struct tg_visit *visit)
{
    struct arena_holder *holder = h2o_mem_alloc_shared(&visit->req->pool, sizeof(*holder), on_arena_dispose);

    *holder = (struct arena_holder){{NULL}};
    return &holder->arena;
}

static bool list_names(struct tg_text list, const char *wanted)
{
    while (list.base != NULL) {
        struct tg_text item = tg_text_cut(&list, ',');

        if (tg_text_is_nocase(tg_text_trim(tg_text_cut(&item, ';')), wanted))
            return true;
    }
    return false;
}

/* The language of the door; behind doors for people, programs that do not take a page get text. */
static enum tg_dialect dialect_of(const struct tg_visit *visit)
{
    enum tg_dialect dialect = visit->door >= 0 && visit->door < TG_DOORS ? tg_door_infos[visit->door].dialect : TG_DIALECT_PAGE;
    struct tg_text accept = tg_visit_header(visit, "accept");

    if (dialect != TG_DIALECT_PAGE)
        return dialect;
    if (visit->door == TG_DOOR_OTHER && tg_visit_header(visit, "authorization").base != NULL)
        return TG_DIALECT_TEXT;
    if (accept.base == NULL || list_names(accept, "text/html") || list_names(accept, "text/*") || list_names(accept, "*/*"))
        return TG_DIALECT_PAGE;
    return list_names(accept, "application/json") ? TG_DIALECT_API : TG_DIALECT_TEXT;
}

static struct tg_text json_text(struct tg_arena *arena, const json_t *value)
{
    TG_STRING text = {NULL};

    tg_json_add(&text, value);
    tg_string_add(&text, TG_TEXT("\n"));
    return tg_arena_text(arena, tg_string_text(&text));
}

/* OCI distribution: the client prints "denied: MESSAGE". */
static const char *oci_code(int status)
{
    if (status == 402 || status == 403)
        return "DENIED";
    return status == 404 ? "NAME_UNKNOWN" : status == 429 || status == 503 ? "TOOMANYREQUESTS" : "UNSUPPORTED";
}

/* more: further members for clients of the API; NULL: none */
static void fill_json(struct tg_reply *reply, enum tg_dialect dialect, struct tg_text line, json_t *more, struct tg_arena *arena)
{
    TG_JSON *document = NULL;

    line = tg_text_trim(line);
    while (line.len != 0 && line.base[line.len - 1] == '\n')
        --line.len;
    if (dialect == TG_DIALECT_OCI)
        document = json_pack("{s:[{s:s, s:s%}]}", "errors", "code", oci_code(reply->status), "message", line.base, line.len);
    else
        document = json_pack("{s:s%}", "message", line.base, line.len);
    if (dialect == TG_DIALECT_API && more != NULL)
        json_object_update(document, more);
    reply->content_type = dialect == TG_DIALECT_LFS ? "application/vnd.git-lfs+json" : "application/json; charset=utf-8";
    reply->body = json_text(arena, document);
    reply->is_page = false;
    if (dialect == TG_DIALECT_OCI)
        tg_reply_header(reply, TG_TEXT("docker-distribution-api-version"), TG_TEXT("registry/2.0"));
}

static void fill_values(const struct tg_visit *visit, struct tg_error_values *values)
{
    *values = (struct tg_error_values){.reference = tg_text(visit->id), .address = tg_text(visit->address), .path = visit->path.raw};
    values->host = visit->host != NULL ? tg_text(visit->host->authority) : tg_text_of(visit->req->authority);
    if (visit->identity.facts != NULL && !visit->identity.is_unproved)
        values->login = tg_text(visit->identity.facts->login);
    if (tg_door_method(tg_text_of(visit->req->method)) == TG_DOOR_GET)
        values->retry_url = tg_text_of(visit->req->path);
    if (visit->host != NULL && visit->host->kind == TG_HOST_GITEA)
        values->home_url = TG_TEXT("/");
}

static enum tg_step_answer refuse(struct tg_visit *visit, enum tg_error_kind kind, const char *why, bool close)
{
    struct tg_arena *arena = tg_front_arena(visit);
    struct tg_templates *templates = tg_front_of(visit)->front->options.templates;
    enum tg_dialect dialect = dialect_of(visit);
    struct tg_error_values values;
    struct tg_reply reply = {.close = close};

    visit->refusal = why;
    fill_values(visit, &values);
    if (dialect == TG_DIALECT_PAGE && templates != NULL)
        tg_error_page(templates, kind, &values, arena, &reply);
    else
        tg_error_text(kind, &values, arena, &reply);
    if (dialect != TG_DIALECT_PAGE && dialect != TG_DIALECT_TEXT)
        fill_json(&reply, dialect, tg_text(tg_error_line(kind)), NULL, arena);
    if (reply.status == 405)
        tg_reply_header(&reply, TG_TEXT("allow"), TG_TEXT("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    tg_reply_send(visit, &reply);
    return TG_STEP_DONE;
}

enum tg_step_answer tg_refuse(struct tg_visit *visit, enum tg_error_kind kind, const char *why)
{
    return refuse(visit, kind, why, false);
}

/* What follows on a connection where a body broke off could be read as anything. */
enum tg_step_answer tg_refuse_body(struct tg_visit *visit, h2o_body_event_t event)
{
    if (event == H2O_BODY_TOO_LARGE)
        return refuse(visit, TG_ERROR_TOO_LARGE, "body-limit", false);
    if (event == H2O_BODY_TIMEOUT)
        return refuse(visit, TG_ERROR_TOO_SLOW, "request-body-slow", true);
    return refuse(visit, TG_ERROR_BAD_REQUEST, "request-body", true);
}

/* state, until when it lasts if nothing is done (RFC 3339), and where it can be mended; what does not apply is null. */
static json_t *standing_json(const struct tg_standing *standing, const struct tg_words *words)
{
    char until[TG_TIME_ISO];
    bool ends = !standing->held && standing->next_transition_s != INT64_MAX;

    if (ends)
        tg_time_iso(standing->next_transition_s, until);
    return json_pack("{s:s, s:s?, s:s?}", "state", standing->held ? "held" : tg_phase_name(standing->phase), "until", ends ? until : NULL,
                     "renew_url", words->renew_url.base);
}

enum tg_step_answer tg_refuse_standing(struct tg_visit *visit, const struct tg_facts *facts, const struct tg_standing *standing)
{
    const struct tg_front_options *options = &tg_front_of(visit)->front->options;
    struct tg_arena *arena = tg_front_arena(visit);
    enum tg_dialect dialect = dialect_of(visit);
    struct tg_reply reply = {.status = tg_refusal_status(standing), .content_type = "text/plain; charset=utf-8"};
    TG_JSON *more = NULL;
    struct tg_words words;

    visit->refusal = standing->held ? "held" : tg_phase_name(standing->phase);
    tg_words(facts, standing, options->rules, arena, &words);
    more = standing_json(standing, &words);
    if (dialect == TG_DIALECT_PAGE && options->templates != NULL) {
        struct tg_refusal refusal = {.words = &words, .standing = standing, .login = tg_text(facts->login),
                                     .reference = tg_text(visit->id)};

        tg_refusal_page(options->templates, &refusal, arena, &reply);
    } else if (dialect == TG_DIALECT_PAGE || dialect == TG_DIALECT_TEXT) {
        if (tg_push_is_one(visit)) {
            tg_push_refuse(visit, reply.status, words.lines, words.title);
            return TG_STEP_DONE;
        }
        reply.body = words.lines;
    } else {
        fill_json(&reply, dialect, words.line, more, arena);
    }
    tg_reply_send(visit, &reply);
    return TG_STEP_DONE;
}

enum tg_step_answer tg_refuse_sentence(struct tg_visit *visit, int status, const char *sentence, const char *why)
{
    struct tg_arena *arena = tg_front_arena(visit);
    enum tg_dialect dialect = dialect_of(visit);
    struct tg_reply reply = {.status = status, .content_type = "text/plain; charset=utf-8"};

    if (dialect == TG_DIALECT_PAGE)
        return tg_refuse(visit, TG_ERROR_FORBIDDEN, why);
    visit->refusal = why;
    if (dialect == TG_DIALECT_TEXT)
        reply.body = tg_text(tg_arena_format(arena, "%s\n", sentence));
    if (tg_push_is_one(visit)) {
        tg_push_refuse(visit, status, reply.body, tg_text(sentence));
        return TG_STEP_DONE;
    }
    if (dialect != TG_DIALECT_TEXT)
        fill_json(&reply, dialect, tg_text(sentence), NULL, arena);
    tg_reply_send(visit, &reply);
    return TG_STEP_DONE;
}

enum tg_step_answer tg_refuse_named(struct tg_visit *visit, const char *why)
{
    const char *url = tg_front_of(visit)->front->options.rules->renew_url;
    static const char sentence[] = "This account is closed for now.";

    if (url != NULL)
        return tg_refuse_sentence(visit, 402, tg_arena_format(tg_front_arena(visit), "%s Whose it is reads more at %s", sentence, url), why);
    return tg_refuse_sentence(visit, 402, sentence, why);
}
