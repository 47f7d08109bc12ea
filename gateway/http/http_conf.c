#include "http/http_conf.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* name, type, member, default, least, most, what it is; in `limits` with the default, in a listener's section without */
#define CONNECTION_LIMITS(ROW)                                                                                                     \
    ROW("head-timeout", TG_SECONDS, head_timeout_s, "10", 1, 120, "how long a client may take to send the head of a request")      \
    ROW("body-idle", TG_SECONDS, body_idle_s, "30", 1, 3600, "how long a client may pause while it sends a body")                  \
    ROW("keepalive", TG_SECONDS, keepalive_s, "75", 1, 3600, "how long an idle connection is kept open")                           \
    ROW("handshake", TG_SECONDS, handshake_s, "10", 1, 120, "how long a TLS handshake may take, with what is sent before it")      \
    ROW("write-stall", TG_SECONDS, write_stall_s, "30", 2, 3600, "how long a client may take nothing of what is sent to it")       \
    ROW("min-rate", TG_BYTES, min_rate, "500", 0, 1 << 20,                                                                         \
        "bytes that a client has to send or take in a second, on the average over body-idle or write-stall, while it is its turn") \
    ROW("max-age", TG_SECONDS, max_age_s, "1h", 2, 86400, "how old a connection may get before it is closed between requests")     \
    ROW("max-requests", TG_NUMBER, max_requests, "100000", 1, INT64_MAX,                                                           \
        "requests on one connection before it is closed between requests")                                                         \
    ROW("max-connections-per-address", TG_NUMBER, max_per_address, "1000", 0, 1000000,                                             \
        "connections at a time of one IPv4 address or IPv6 /64; 0 is no limit")

#define IN_LIMITS(name_, type_, member, initial_, min_, max_, help_)                                                               \
    {name_, type_, offsetof(struct tg_limits_conf, each.member), .initial = (initial_), .min = (min_), .max = (max_), .help = (help_)},
#define IN_LISTENER(name_, type_, member, initial_, min_, max_, help_)                                                             \
    {name_, type_, offsetof(struct tg_connection_limits, member), .unset = -1, .min = (min_), .max = (max_), .example = (initial_),  \
     .help = (help_)},

static const struct tg_key listener_limits_keys[] = {
    CONNECTION_LIMITS(IN_LISTENER)
    {NULL},
};

static const char *const proxy_protocols[] = {"off", "v2", NULL};

static const struct tg_key listener_keys[] = {
    {"address", TG_ADDRESS, offsetof(struct tg_listener_conf, address), .required = true, .example = ":443",
     .help = "where it listens"},
    {"proxy-protocol", TG_CHOICE, offsetof(struct tg_listener_conf, proxy_protocol), .initial = "off", .choices = proxy_protocols,
     .help = "whether each connection begins with a header of the PROXY protocol, which tells the address of the client"},
    {"trusted-proxies", TG_LIST, offsetof(struct tg_listener_conf, trusted_proxies), .item_type = TG_NETWORK, .example = "[10.0.0.0/8]",
     .help = "networks of the load balancers and CDNs before this listener: they are believed who the client is, by the header of the "
             "PROXY protocol or by X-Forwarded-For"},
    {"limits", TG_SECTION, offsetof(struct tg_listener_conf, limits), .keys = listener_limits_keys,
     .help = "limits of this listener's connections; what is not set here is as in the section limits"},
    {NULL},
};

const struct tg_key tg_listen_keys[] = {
    {"https", TG_SECTIONS, offsetof(struct tg_listen_conf, https), .item_size = sizeof(struct tg_listener_conf), .is_short = true,
     .keys = listener_keys, .initial = ":443",
     .help = "addresses where browsers and git reach everything, over TLS; each alone, as in https: [\":443\"], or a section with settings "
             "of its own"},
    {"http", TG_SECTIONS, offsetof(struct tg_listen_conf, http), .item_size = sizeof(struct tg_listener_conf), .is_short = true,
     .keys = listener_keys, .example = "[\":80\"]",
     .help = "addresses that only redirect to HTTPS; each alone, or a section with the same keys as in https"},
    {"backchannel", TG_ADDRESS, offsetof(struct tg_listen_conf, backchannel), .initial = "127.0.0.1:9443",
     .help = "the loopback address where Gitea reaches the provider"},
    {"admin", TG_ADDRESS, offsetof(struct tg_listen_conf, admin), .example = "unix:/run/teagate/admin.sock",
     .help = "where metrics and health are served; a unix socket in the run directory when not set"},
    {NULL},
};

const struct tg_key tg_tls_keys[] = {
    {"directory", TG_PATH, offsetof(struct tg_tls_conf, directory), .example = "/etc/teagate/tls",
     .help = "certificates as pairs NAME.crt (the chain) and NAME.key; changes are picked up by themselves"},
    {"internal-ca", TG_LIST, offsetof(struct tg_tls_conf, internal_ca), .item_type = TG_HOST, .example = "localhost",
     .help = "localhost names that get a certificate of the internal CA"},
    {NULL},
};

const struct tg_key tg_limits_keys[] = {
    {"threads", TG_NUMBER, offsetof(struct tg_limits_conf, threads), .initial = "0", .min = 0, .max = 256,
     .help = "event loops; 0 is one for each processor"},
    {"drain", TG_SECONDS, offsetof(struct tg_limits_conf, drain_s), .initial = "5m", .min = 1, .max = 86400,
     .help = "how long requests may go on after a reload or at a stop"},
    {"max-connections", TG_NUMBER, offsetof(struct tg_limits_conf, max_connections), .initial = "10000", .min = 10, .max = 1000000,
     .help = "connections at a time; more are closed at once"},
    {"upload-memory", TG_BYTES, offsetof(struct tg_limits_conf, upload_memory), .initial = "16m", .min = 1 << 20, .max = INT64_MAX,
     .help = "what clients may have under way of request bodies, in all; an upload is granted 256k, and up to 4m while Gitea keeps up"},
    {"max-held", TG_BYTES, offsetof(struct tg_limits_conf, max_held), .initial = "24m", .min = 0, .max = (int64_t)1 << 40,
     .help = "bytes of requests and answers under way that may wait for clients, in all; beyond that the clients are cut off that hold most "
             "and move least; 0 is no limit"},
    {"idle-memory", TG_BYTES, offsetof(struct tg_limits_conf, idle_memory), .initial = "40m", .min = 0, .max = (int64_t)1 << 40,
     .help = "what connections may take in memory beside requests and answers, in all: unfinished handshakes and heads, idle clients; beyond "
             "that the oldest of those are closed that do nothing; 0 is no limit"},
    CONNECTION_LIMITS(IN_LIMITS)
    {NULL},
};

static void inherit(struct tg_connection_limits *own, const struct tg_connection_limits *each)
{
    for (const struct tg_key *key = listener_limits_keys; key->name != NULL; key++) {
        int64_t *value = (int64_t *)(void *)((char *)own + key->offset);

        if (*value == key->unset)
            *value = *(const int64_t *)(const void *)((const char *)each + key->offset);
    }
}

static void settle(struct tg_conf_file *file, struct tg_conf_list *list, const struct tg_limits_conf *limits)
{
    struct tg_listener_conf *listeners = list->items;

    for (size_t i = 0; i < list->count; i++) {
        inherit(&listeners[i].limits, &limits->each);
        if (listeners[i].proxy_protocol != TG_PROXY_PROTOCOL_OFF && listeners[i].trusted_proxies.count == 0)
            tg_conf_error_at(file, &listeners[i].proxy_protocol,
                             "needs trusted-proxies: the networks of the proxies, as in [10.0.0.0/8]; whoever else connects could "
                             "claim any address");
    }
}

void tg_http_conf_settle(struct tg_conf_file *file, struct tg_http_conf *conf)
{
    settle(file, &conf->listen.https, &conf->limits);
    settle(file, &conf->listen.http, &conf->limits);
}

static bool is_at(const struct tg_address *wanted, const struct sockaddr_storage *bound)
{
    const struct sockaddr_un *path = (const struct sockaddr_un *)bound;
    uint16_t port = bound->ss_family == AF_INET ? ((const struct sockaddr_in *)bound)->sin_port
                                                : ((const struct sockaddr_in6 *)bound)->sin6_port;
    struct tg_ip ip, host;

    if (bound->ss_family == AF_UNIX)
        return wanted->path != NULL && strcmp(wanted->path, path->sun_path) == 0;
    if (wanted->path != NULL || wanted->port != ntohs(port) || !tg_ip_of((const struct sockaddr *)bound, &ip))
        return false;
    if (wanted->host != NULL)
        return tg_ip_read(tg_text(wanted->host), &host) && memcmp(&host, &ip, sizeof(ip)) == 0;
    return bound->ss_family == AF_INET ? ((const struct sockaddr_in *)bound)->sin_addr.s_addr == INADDR_ANY
                                       : IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)bound)->sin6_addr);
}

const struct tg_listener_conf *tg_listener_conf_of(const struct tg_conf_list *list, int fd)
{
    const struct tg_listener_conf *listeners = list->items;
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);

    memset(&bound, 0, sizeof(bound));
    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
        return NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (is_at(&listeners[i].address, &bound))
            return &listeners[i];
    }
    return NULL;
}
