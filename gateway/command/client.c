/* client.c - `teagate client`: the programs that may sign people in by us, besides the Giteas */
#include "store/client.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/result.h"
#include "command/command.h"
#include "command/nouns.h"

struct add_values {
    const char *redirect_uri, *logout_uri, *scope;
    bool is_public;
};

static const struct tg_option add_options[] = {
    {"redirect-uri", offsetof(struct add_values, redirect_uri), "URI", true,
     "where sign-in ends; several in quotes, separated by spaces"},
    {"post-logout-redirect-uri", offsetof(struct add_values, logout_uri), "URI", false,
     "where sign-out may end; several in quotes, separated by spaces"},
    {"scope", offsetof(struct add_values, scope), "SCOPE", false,
     "what it may ask for, initially \"openid profile email\"; there is also groups"},
    {"public", offsetof(struct add_values, is_public), NULL, false, "a program without a secret; it has to use PKCE"},
    {NULL},
};

static int unknown(const char *id)
{
    return tg_run_refuse(TG_EXIT_UNKNOWN, "there is no client \"%s\"; teagate client list shows all", id);
}

/* Appends a word to a list; the list is large enough or the word is refused. */
static int add_word(char *list, size_t capacity, struct tg_text word)
{
    size_t len = strlen(list);

    if (len + 1 + word.len >= capacity)
        return tg_run_refuse(TG_EXIT_FAILED, "these are too many: all of them may have %zu bytes", capacity - 1);
    snprintf(list + len, capacity - len, "%s%.*s", len > 0 ? " " : "", TG_TEXT_ARGS(word));
    return TG_EXIT_DONE;
}

static int read_uris(const char *option, const char *text, char list[TG_URI_LIST])
{
    struct tg_text rest = tg_text(text);
    int status = TG_EXIT_DONE;

    while (rest.base != NULL && status == TG_EXIT_DONE) {
        struct tg_text uri = tg_text_cut(&rest, ' ');
        const char *why = uri.len > 0 ? tg_redirect_unfit(uri) : NULL;

        if (why != NULL)
            return tg_run_refuse(TG_EXIT_FAILED, "--%s %.*s: %s", option, TG_TEXT_ARGS(uri), why);
        if (uri.len > 0 && !tg_uri_listed(list, uri))
            status = add_word(list, TG_URI_LIST, uri);
    }
    return status;
}

static int read_scope(const char *text, char list[TG_SCOPE])
{
    static const char *const known[] = {"openid", "profile", "email", "groups"};
    struct tg_text rest = tg_text(text != NULL ? text : "openid profile email");
    bool asked[tg_count(known)] = {true}; /* openid goes without saying */

    while (rest.base != NULL) {
        struct tg_text word = tg_text_cut(&rest, ' ');
        size_t i = 0;

        while (i < tg_count(known) && !tg_text_is(word, known[i]))
            i++;
        if (word.len > 0 && i == tg_count(known))
            return tg_run_refuse(TG_EXIT_FAILED, "--scope: there is no scope \"%.*s\"; openid, profile, email, groups",
                                 TG_TEXT_ARGS(word));
        if (word.len > 0)
            asked[i] = true;
    }
    for (size_t i = 0; i < tg_count(known); i++) {
        if (asked[i])
            add_word(list, TG_SCOPE, tg_text(known[i]));
    }
    return TG_EXIT_DONE;
}

/* Names stand on pages, where people decide by them. */
static int read_name(const char *name, char out[TG_CLIENT_NAME])
{
    size_t len = strlen(name);

    if (len == 0 || len >= TG_CLIENT_NAME)
        return tg_run_refuse(TG_EXIT_FAILED, "a name has 1 to %d bytes", TG_CLIENT_NAME - 1);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return tg_run_refuse(TG_EXIT_FAILED, "a name is one line of text");
    }
    memcpy(out, name, len + 1);
    return TG_EXIT_DONE;
}

static int describe(const char *name, const struct add_values *values, struct tg_client *client)
{
    int status = read_name(name, client->name);

    if (status == TG_EXIT_DONE)
        status = read_uris("redirect-uri", values->redirect_uri, client->redirect_uri);
    if (status == TG_EXIT_DONE)
        status = read_uris("post-logout-redirect-uri", values->logout_uri, client->logout_uri);
    if (status == TG_EXIT_DONE)
        status = read_scope(values->scope, client->scope);
    if (status == TG_EXIT_DONE && client->redirect_uri[0] == '\0')
        status = tg_run_refuse(TG_EXIT_FAILED, "--redirect-uri names no address");
    client->kind = TG_CLIENT_OTHER;
    client->is_public = values->is_public;
    return status;
}

static json_t *words(const char *list)
{
    json_t *array = json_array();

    for (struct tg_text rest = tg_text(list[0] != '\0' ? list : NULL); rest.base != NULL;) {
        struct tg_text word = tg_text_cut(&rest, ' ');
        json_array_append_new(array, json_stringn(word.base, word.len));
    }
    return array;
}

static json_t *client_json(const struct tg_client *client)
{
    char created[TG_TIME_ISO];
    json_t *json;

    tg_time_iso(client->created_s, created);
    json = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:s}", "client_id", client->id, "name", client->name, "kind",
                     client->kind == TG_CLIENT_GITEA ? "gitea" : "other", "public", client->is_public, "redirect_uris",
                     words(client->redirect_uri), "post_logout_redirect_uris", words(client->logout_uri), "scope",
                     words(client->scope), "created_at", created);
    if (client->kind == TG_CLIENT_GITEA)
        json_object_set_new(json, "instance", json_string(client->instance));
    return json;
}

static void print_added(const struct tg_run *run, const struct tg_client *client, const char *secret)
{
    json_t *json = client_json(client);

    if (run->json) {
        json_object_set_new(json, "issuer", json_string(run->conf.oidc.issuer));
        if (!client->is_public)
            json_object_set_new(json, "client_secret", json_string(secret));
        tg_run_print_json(json);
        return;
    }
    json_decref(json);
    printf("issuer         %s\nclient id      %s\n", run->conf.oidc.issuer, client->id);
    if (client->is_public)
        printf("client secret  none: it has to use PKCE (S256)\n");
    else
        printf("client secret  %s\nThe secret is shown this once; only its digest is kept.\n", secret);
}

static int add(struct tg_run *run, const void *given)
{
    struct tg_client client = {.kind = TG_CLIENT_OTHER};
    char secret[TG_TOKEN];
    int status = describe(run->words[0], given, &client);

    if (status == TG_EXIT_DONE)
        status = tg_run_open_store(run);
    if (status != TG_EXIT_DONE)
        return status;
    tg_random_token(secret);
    if (!client.is_public)
        tg_digest(tg_text(secret), client.secret_digest);
    if (tg_client_add(&run->store, &client) == 0)
        print_added(run, &client, secret);
    else
        status = tg_run_failed("adding the client");
    explicit_bzero(secret, sizeof(secret));
    return status;
}

static int add_to_list(const struct tg_client *client, void *list)
{
    json_array_append_new(list, client_json(client));
    return 0;
}

static int print_line(const struct tg_client *client, void *context)
{
    (void)context;
    printf("%s  %-24s %s\n", client->id, client->name,
           client->kind == TG_CLIENT_GITEA ? client->instance : client->is_public ? "[public]" : "");
    return 0;
}

static int list(struct tg_run *run, const void *values)
{
    int status = tg_run_open_store(run);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    json_t *clients = json_array();
    int result = run->json ? tg_client_each(&run->store, add_to_list, clients) : tg_client_each(&run->store, print_line, NULL);
    if (result == 0 && run->json)
        tg_run_print_json(json_incref(clients));
    json_decref(clients);
    return result == 0 ? TG_EXIT_DONE : tg_run_failed("listing the clients");
}

static int show(struct tg_run *run, const void *values)
{
    struct tg_client client;
    char created[TG_TIME_ISO];
    int status = tg_run_open_store(run);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_client_find(&run->store, tg_text(run->words[0]), &client);
    if (result != 0)
        return result > 0 ? unknown(run->words[0]) : tg_run_failed("looking up the client");
    if (run->json) {
        tg_run_print_json(client_json(&client));
        return TG_EXIT_DONE;
    }
    tg_time_iso(client.created_s, created);
    printf("client id                 %s\nname                      %s\nkind                      %s\n", client.id, client.name,
           client.kind == TG_CLIENT_GITEA ? client.instance : client.is_public ? "public, PKCE only" : "with a secret");
    printf("redirect URIs             %s\npost-logout redirect URIs %s\n", client.redirect_uri, client.logout_uri);
    printf("scope                     %s\ncreated                   %s\n", client.scope[0] != '\0' ? client.scope : "everything",
           created);
    return TG_EXIT_DONE;
}

static int remove_client(struct tg_run *run, const void *values)
{
    int status = tg_run_open_store(run);

    (void)values;
    if (status != TG_EXIT_DONE)
        return status;
    int result = tg_client_remove(&run->store, run->words[0]);
    if (result == TG_CLIENT_UNKNOWN)
        return unknown(run->words[0]);
    if (result == TG_CLIENT_IN_USE)
        return tg_run_refuse(TG_EXIT_FAILED, "a Gitea signs in by this client; teagate gitea setup looks after it");
    if (result == 0 && !run->json)
        printf("client %s removed\n", run->words[0]);
    if (result == 0 && run->json)
        tg_run_print_json(json_pack("{s:s}", "removed", run->words[0]));
    return result == 0 ? TG_EXIT_DONE : tg_run_failed("removing the client");
}

const struct tg_verb tg_client_verbs[] = {
    {"add", "NAME", 1, add_options, sizeof(struct add_values), add, "register a client; prints its secret, once"},
    {"list", NULL, 0, NULL, 0, list, "list all clients"},
    {"show", "CLIENT", 1, NULL, 0, show, "show a client"},
    {"remove", "CLIENT", 1, NULL, 0, remove_client, "remove a client; its tokens end at once"},
    {NULL},
};
