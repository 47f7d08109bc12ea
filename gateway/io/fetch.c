#include "io/fetch.h"
#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <strings.h>
#include "base/result.h"

enum { TIMEOUT_MS = 10000, CONNECT_MS = 5000, BODY_LIMIT = 1 << 20, HEAD_LIMIT = 64 << 10 };

struct tg_fetcher {
    CURL *handle;
    char reason[CURL_ERROR_SIZE];
};

/* An answer on its way in. */
struct incoming {
    struct tg_string body;
    size_t body_limit, head_len;
    bool too_large;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void start_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int tg_fetcher_new(struct tg_fetcher **out)
{
    pthread_once(&curl_once, start_curl);
    if (curl_ready != CURLE_OK)
        return tg_fail("cannot start libcurl: %s", curl_easy_strerror(curl_ready));

    struct tg_fetcher *fetcher = tg_alloc(sizeof(*fetcher));
    fetcher->handle = curl_easy_init();
    if (fetcher->handle == NULL) {
        free(fetcher);
        return tg_fail("cannot make a libcurl handle");
    }
    *out = fetcher;
    return 0;
}

void tg_fetcher_free(struct tg_fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    curl_easy_cleanup(fetcher->handle);
    free(fetcher);
}

/* Taking less than was offered makes curl give up. */
static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct incoming *in = context;
    size_t len = size * count;

    if (len > in->body_limit - in->body.len) {
        in->too_large = true;
        return 0;
    }
    tg_string_add(&in->body, tg_text_n(bytes, len));
    return len;
}

static size_t on_head(char *bytes, size_t size, size_t count, void *context)
{
    struct incoming *in = context;
    size_t len = size * count;

    (void)bytes;
    in->head_len += len;
    in->too_large = in->too_large || in->head_len > HEAD_LIMIT;
    return in->too_large ? 0 : len;
}

static bool names(const char *header, const char *name)
{
    size_t len = strlen(name);

    return strncasecmp(header, name, len) == 0 && header[len] == ':';
}

/*
 * The caller's headers and nothing that curl would add by itself: no "Expect: 100-continue" (it costs a second with servers that
 * do not know it), no form type for a body whose type was not told.
 */
static int make_headers(const struct tg_fetch *what, struct curl_slist **out)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    bool typed = false;

    for (const char *const *header = what->headers; header != NULL && *header != NULL; header++) {
        if (strpbrk(*header, "\r\n") != NULL || strchr(*header, ':') == NULL) {
            curl_slist_free_all(list);
            return tg_fail("a header of the call to %.*s is malformed", (int)strcspn(what->url, "?"), what->url);
        }
        typed = typed || names(*header, "Content-Type");
        list = curl_slist_append(list, *header);
    }
    *out = typed ? list : curl_slist_append(list, "Content-Type:");
    return 0;
}

static bool carries_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

static void set_request(CURL *handle, const struct tg_fetch *what)
{
    const char *method = what->method != NULL ? what->method : "GET";

    curl_easy_setopt(handle, CURLOPT_URL, what->url);
    curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, what->unix_path);
    if (what->body.base != NULL || carries_body(method)) {
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)what->body.len);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, what->body.base != NULL ? what->body.base : "");
    }
    curl_easy_setopt(handle, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method);
}

/* What does not follow from the call: no redirects, no proxy, nothing from the environment, no signals. */
static void set_manners(CURL *handle, int64_t timeout_ms)
{
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_PROXY, ""); /* also closes the environment's */
    curl_easy_setopt(handle, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "teagate");
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)(timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS));
}

static int answer_for(struct tg_fetcher *fetcher, CURLcode code, const struct tg_fetch *what, const struct incoming *in)
{
    if (code == CURLE_OK)
        return 0;

    int len = (int)strcspn(what->url, "?"); /* a query may hold what nobody should read in a log */
    if (in->too_large) {
        size_t limit = in->head_len > HEAD_LIMIT ? (size_t)HEAD_LIMIT : in->body_limit;
        tg_fail("%.*s: the answer is larger than %zu bytes", len, what->url, limit);
        return TG_FETCH_TOO_LARGE;
    }
    tg_fail("%.*s: %s", len, what->url, fetcher->reason[0] != '\0' ? fetcher->reason : curl_easy_strerror(code));
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return TG_FETCH_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
        return TG_FAILED;
    default:
        return TG_FETCH_UNREACHABLE;
    }
}

static struct tg_text content_type(CURL *handle, struct tg_arena *arena)
{
    char *value = NULL;

    curl_easy_getinfo(handle, CURLINFO_CONTENT_TYPE, &value);
    struct tg_text rest = tg_text(value != NULL ? value : "");
    char *type = tg_arena_copy(arena, tg_text_trim(tg_text_cut(&rest, ';')));
    for (char *at = type; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    return tg_text(type);
}

static int64_t date_of(CURL *handle)
{
    struct curl_header *date;

    if (curl_easy_header(handle, "Date", 0, CURLH_HEADER, -1, &date) != CURLHE_OK)
        return 0;
    time_t when = curl_getdate(date->value, NULL);
    return when > 0 ? when : 0;
}

static void read_answer(CURL *handle, const struct incoming *in, struct tg_arena *arena, struct tg_fetched *out)
{
    long status = 0;

    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    out->date_s = date_of(handle);
    out->content_type = content_type(handle, arena);
    out->body = tg_arena_text(arena, tg_string_text(&in->body));
}

int tg_fetch(struct tg_fetcher *fetcher, const struct tg_fetch *what, struct tg_arena *arena, struct tg_fetched *out)
{
    CURL *handle = fetcher->handle;
    struct incoming in = {.body_limit = what->limit != 0 ? what->limit : BODY_LIMIT};
    struct curl_slist *headers = NULL;

    tg_try(make_headers(what, &headers));
    curl_easy_reset(handle); /* options only: connections stay */
    fetcher->reason[0] = '\0';
    set_request(handle, what);
    set_manners(handle, what->timeout_ms != 0 ? what->timeout_ms : TIMEOUT_MS);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, fetcher->reason);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &in);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &in);

    int result = answer_for(fetcher, curl_easy_perform(handle), what, &in);
    if (result == 0)
        read_answer(handle, &in, arena, out);
    curl_easy_reset(handle); /* nothing of this call stays referenced */
    curl_slist_free_all(headers);
    tg_string_done(&in.body);
    return result;
}
