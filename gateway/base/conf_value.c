#include <arpa/inet.h>
#include <stdio.h>
#include <sys/un.h>
#include "base/conf_parts.h"
#include "base/result.h"
#include "base/zone.h"

enum { LONGEST_LINE = 4096, LONGEST_HOST = 253, LONGEST_LABEL = 63 };

struct unit {
    const char *suffix;
    int64_t factor;
};

/* from the largest to the smallest, as limits are printed */
static const struct unit time_units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {NULL, 0}};
static const struct unit byte_units[] = {{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum tg_key_type type)
{
    return type == TG_SECONDS ? time_units : type == TG_BYTES ? byte_units : no_units;
}

static const char *print_amount(struct tg_arena *arena, const struct unit *units, int64_t amount)
{
    while (units[1].suffix != NULL && (amount == 0 || amount % units->factor != 0))
        units++;
    return tg_arena_format(arena, "%lld%s", (long long)(amount / units->factor), units->suffix);
}

static bool read_amount(const struct unit *units, struct tg_text text, int64_t *out)
{
    int64_t factor = 1;
    uint64_t amount;

    for (; units->suffix != NULL; units++) {
        bool has_suffix = text.len > 1 && tg_text_is_nocase(tg_text_n(text.base + text.len - 1, 1), units->suffix);

        if (has_suffix) {
            factor = units->factor;
            text.len--;
            break;
        }
    }
    return tg_text_number(text, &amount) && !__builtin_mul_overflow(amount, factor, out);
}

static bool has_upper(const struct tg_key *key)
{
    return (key->min != 0 || key->max != 0) && key->max >= key->min && key->max != INT64_MAX;
}

static bool read_number(const struct tg_key *key, struct tg_text text, int64_t *out)
{
    bool is_negative = key->type == TG_NUMBER && key->min < 0 && tg_text_starts(text, "-");
    int64_t least = key->min != 0 || key->max != 0 ? key->min : 1;
    int64_t value;

    if (is_negative)
        text = tg_text_n(text.base + 1, text.len - 1);
    if (!read_amount(units_of(key->type), text, &value))
        return false;
    if (is_negative)
        value = -value;
    if (value < least || (has_upper(key) && value > key->max))
        return false;
    *out = value;
    return true;
}

static bool read_flag(struct tg_text text, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"yes", true}, {"no", false}, {"true", true}, {"false", false}, {"on", true}, {"off", false}};

    for (size_t i = 0; i < tg_count(words); i++) {
        if (tg_text_is_nocase(text, words[i].word)) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

static bool read_choice(struct tg_conf_file *file, const struct tg_key *key, struct tg_text text, int *out, const char **why)
{
    struct tg_nearest nearest = {.wanted = text};

    for (int i = 0; key->choices[i] != NULL; i++) {
        if (tg_text_is(text, key->choices[i])) {
            *out = i;
            return true;
        }
        tg_nearest_try(&nearest, key->choices[i]);
    }
    if (nearest.name != NULL)
        *why = tg_arena_format(&file->arena, "did you mean %s?", nearest.name);
    return false;
}

static bool is_line(struct tg_text text, const char **why)
{
    if (text.len > LONGEST_LINE) {
        *why = "it is longer than 4096 bytes";
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.base[i] < 0x20 || text.base[i] == 0x7f) {
            *why = "it holds a control character";
            return false;
        }
    }
    return true;
}

static bool read_path(struct tg_conf_file *file, struct tg_text text, const char **out, const char **why)
{
    if (text.len == 0 || !is_line(text, why))
        return false;
    if (text.base[0] == '/') {
        *out = tg_arena_copy(&file->arena, text);
        return true;
    }
    while (tg_text_starts(text, "./"))
        text = tg_text_n(text.base + 2, text.len - 2);
    *out = tg_arena_format(&file->arena, "%s/%.*s", strcmp(file->directory, "/") == 0 ? "" : file->directory, TG_TEXT_ARGS(text));
    return true;
}

static bool is_label(struct tg_text label)
{
    if (label.len == 0 || label.len > LONGEST_LABEL || label.base[0] == '-' || label.base[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.base[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static bool is_host_name(struct tg_text name)
{
    if (name.len == 0 || name.len > LONGEST_HOST)
        return false;
    while (name.base != NULL) {
        if (!is_label(tg_text_cut(&name, '.')))
            return false;
    }
    return true;
}

static bool is_ip(int family, struct tg_text text)
{
    char terminated[64];
    unsigned char address[16];

    if (text.len >= sizeof(terminated) || text.len == 0)
        return false;
    snprintf(terminated, sizeof(terminated), "%.*s", TG_TEXT_ARGS(text));
    return inet_pton(family, terminated, address) == 1;
}

static bool read_port(struct tg_text text, uint16_t *out)
{
    uint64_t port;

    if (!tg_text_number(text, &port) || port < 1 || port > 65535 || text.len > 5)
        return false;
    *out = (uint16_t)port;
    return true;
}

/* Parts "NAME[:PORT]" or "[IP6][:PORT]". *port is 0 when there is none. */
struct authority {
    struct tg_text host; /* without brackets */
    bool is_ip6;
    uint16_t port;
};

static bool split_authority(struct tg_text text, struct authority *out)
{
    struct tg_text port = text;

    *out = (struct authority){.is_ip6 = tg_text_starts(text, "[")};
    if (out->is_ip6) {
        port = tg_text_n(text.base + 1, text.len - 1);
        out->host = tg_text_cut(&port, ']');
        if (port.base == NULL || !is_ip(AF_INET6, out->host))
            return false;
        return port.len == 0 || (port.base[0] == ':' && read_port(tg_text_n(port.base + 1, port.len - 1), &out->port));
    }
    out->host = tg_text_cut(&port, ':');
    return port.base == NULL || read_port(port, &out->port);
}

static void lower_case(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + ('a' - 'A'));
    }
}

static bool read_host(struct tg_conf_file *file, struct tg_text text, const char **out)
{
    char *copy = tg_arena_copy(&file->arena, text);
    struct authority parts;

    lower_case(copy, text.len);
    if (!split_authority(tg_text_n(copy, text.len), &parts) || (!parts.is_ip6 && !is_host_name(parts.host)))
        return false;
    *out = copy;
    return true;
}

/* What follows the authority of a URL. */
static bool is_url_path(struct tg_text path, const char **why)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.base[i];

        if (c == '?' || c == '#')
            *why = "it has a query or a fragment";
        else if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL)
            *why = "it holds a character that must be percent-encoded";
        if (*why != NULL)
            return false;
    }
    if (tg_text_ends(path, "/")) {
        *why = "it ends in a slash";
        return false;
    }
    return true;
}

static bool read_url(struct tg_conf_file *file, struct tg_text text, const char **out, const char **why)
{
    bool is_https = tg_text_starts(text, "https://");
    size_t scheme = is_https ? 8 : 7;
    struct authority parts;

    if (!is_https && !tg_text_starts(text, "http://")) {
        *why = "it does not begin with https:// or http://";
        return false;
    }
    char *copy = tg_arena_copy(&file->arena, text);
    size_t authority_len = strcspn(copy + scheme, "/?#");
    if (!is_url_path(tg_text_n(copy + scheme + authority_len, text.len - scheme - authority_len), why))
        return false;
    if (memchr(copy + scheme, '@', authority_len) != NULL) {
        *why = "it has a user";
        return false;
    }
    lower_case(copy + scheme, authority_len);
    if (!split_authority(tg_text_n(copy + scheme, authority_len), &parts) || (!parts.is_ip6 && !is_host_name(parts.host))) {
        *why = "its host name cannot be one";
        return false;
    }
    if (parts.port == (is_https ? 443 : 80)) {
        *why = "the port goes without saying; leave it out";
        return false;
    }
    *out = copy;
    return true;
}

static bool read_address(struct tg_conf_file *file, struct tg_text text, struct tg_address *out, const char **why)
{
    struct tg_address address = {.text = tg_arena_copy(&file->arena, text)};
    struct authority parts;

    if (tg_text_starts(text, "unix:")) {
        address.path = address.text + 5;
        if (strlen(address.path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
            *why = "a socket's path has at most 107 bytes";
        else if (address.path[0] != '/')
            *why = "a socket's path must be absolute";
        if (*why != NULL || !is_line(text, why))
            return false;
    } else {
        if (!split_authority(text, &parts) || parts.port == 0)
            return false;
        if (!parts.is_ip6 && parts.host.len > 0 && !is_ip(AF_INET, parts.host))
            return false;
        address.host = parts.host.len > 0 ? tg_arena_copy(&file->arena, parts.host) : NULL;
        address.port = parts.port;
    }
    *out = address;
    return true;
}

static bool read_network(struct tg_text text, struct tg_network *out, const char **why)
{
    int answer = tg_network_read(text, out);

    if (answer == TG_NETWORK_LOOSE)
        *why = "its address has bits behind the prefix";
    return answer == 0;
}

static bool read_zone(struct tg_conf_file *file, struct tg_text text, const char **out, const char **why)
{
    const char *name = tg_arena_copy(&file->arena, text);
    struct tg_nearest nearest = {.wanted = text};

    if (tg_zone_find(name) != NULL) {
        *out = name;
        return true;
    }
    for (size_t i = 0; tg_zone_name(i) != NULL; i++)
        tg_nearest_try(&nearest, tg_zone_name(i));
    if (nearest.name != NULL)
        *why = tg_arena_format(&file->arena, "did you mean %s?", nearest.name);
    else if (tg_zone_name(0) == NULL)
        *why = "this machine has no zone database; install the package tzdata";
    return false;
}

bool tg_conf_value(struct tg_conf_file *file, const struct tg_key *key, struct tg_text text, void *field, const char **why)
{
    *why = NULL;
    if (text.len > 0 && memchr(text.base, '\0', text.len) != NULL) {
        *why = "it holds a control character";
        return false;
    }
    switch (key->type) {
    case TG_STRING_KEY:
        if (!is_line(text, why))
            return false;
        *(const char **)field = tg_arena_copy(&file->arena, text);
        return true;
    case TG_PATH:
        return read_path(file, text, field, why);
    case TG_FLAG:
        return read_flag(text, field);
    case TG_NUMBER:
    case TG_SECONDS:
    case TG_BYTES:
        return read_number(key, text, field);
    case TG_CHOICE:
        return read_choice(file, key, text, field, why);
    case TG_URL:
        return read_url(file, text, field, why);
    case TG_HOST:
        return read_host(file, text, field);
    case TG_ADDRESS:
        return read_address(file, text, field, why);
    case TG_NETWORK:
        return read_network(text, field, why);
    case TG_ZONE:
        return read_zone(file, text, field, why);
    default:
        return false; /* a type with parts is not read here */
    }
}

size_t tg_conf_value_size(enum tg_key_type type)
{
    switch (type) {
    case TG_FLAG:
        return sizeof(bool);
    case TG_CHOICE:
        return sizeof(int);
    case TG_NUMBER:
    case TG_SECONDS:
    case TG_BYTES:
        return sizeof(int64_t);
    case TG_ADDRESS:
        return sizeof(struct tg_address);
    case TG_NETWORK:
        return sizeof(struct tg_network);
    default:
        return sizeof(const char *);
    }
}

static const char *join_choices(struct tg_arena *arena, const char *const *choices)
{
    const char *text = choices[0];

    for (size_t i = 1; choices[i] != NULL; i++)
        text = tg_arena_format(arena, "%s%s%s", text, choices[i + 1] != NULL ? ", " : " or ", choices[i]);
    return text;
}

const char *tg_conf_limits(struct tg_arena *arena, const struct tg_key *key)
{
    enum tg_key_type type = key->type == TG_LIST ? key->item_type : key->type;
    const struct unit *units = units_of(type);

    if (type == TG_CHOICE)
        return join_choices(arena, key->choices);
    if ((type != TG_NUMBER && type != TG_SECONDS && type != TG_BYTES) || (key->min == 0 && (key->max == 0 || !has_upper(key))))
        return "";
    if (!has_upper(key))
        return tg_arena_format(arena, "at least %s", print_amount(arena, units, key->min));
    return tg_arena_format(arena, "%s to %s", print_amount(arena, units, key->min), print_amount(arena, units, key->max));
}

/* "a number", "a number from 1 to 64", "a number of at least 5" */
static const char *with_limits(struct tg_arena *arena, const struct tg_key *key, const char *noun)
{
    const char *limits = tg_conf_limits(arena, key);

    if (limits[0] == '\0')
        return key->max == 0 ? tg_arena_format(arena, "%s above 0", noun) : noun;
    return tg_arena_format(arena, "%s %s %s", noun, has_upper(key) ? "from" : "of", limits);
}

const char *tg_conf_expected(struct tg_arena *arena, const struct tg_key *key)
{
    switch (key->type) {
    case TG_STRING_KEY:
        return "a line of text";
    case TG_PATH:
        return "a path of a file or directory";
    case TG_FLAG:
        return "yes or no";
    case TG_NUMBER:
        return with_limits(arena, key, "a number");
    case TG_SECONDS:
        return tg_arena_format(arena, "%s, as in 90, 15m or 2h", with_limits(arena, key, "a time"));
    case TG_BYTES:
        return tg_arena_format(arena, "%s, as in 4096, 64k or 2g", with_limits(arena, key, "a size"));
    case TG_CHOICE:
        return tg_arena_format(arena, "one of %s", tg_conf_limits(arena, key));
    case TG_URL:
        return "an address as in https://git.example.net or https://git.example.net:8443/path";
    case TG_HOST:
        return "a host name as in git.example.net or git.example.net:8443";
    case TG_ADDRESS:
        return "an address as in 127.0.0.1:8443, :443, [::1]:443 or unix:/run/teagate/admin.sock";
    case TG_NETWORK:
        return "a network as in 10.0.0.0/8, 2001:db8::/32 or 192.0.2.7";
    case TG_ZONE:
        return "a time zone as in Europe/Berlin";
    default:
        return "a value";
    }
}

struct tg_key tg_conf_item_key(const struct tg_key *list)
{
    struct tg_key item = *list;

    item.type = list->item_type;
    return item;
}
