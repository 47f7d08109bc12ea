/*
 * rig.h - a provider with a store, two clients and an account, and calls to its endpoints without a server
 */
#ifndef TG_TEST_RIG_H
#define TG_TEST_RIG_H

#include "../io/scratch.h"
#include "../gitea/standin.h"
#include <jansson.h>
#include "account/account_pages.h"
#include "oidc/oidc.h"
#include "store/client.h"
#include "store/grant.h"
#include "store/session.h"
#include "store/worker.h"

#define ISSUER "https://auth.example.test"
#define BACKCHANNEL "http://127.0.0.1:9443"
#define APP_CALLBACK "https://app.example.test/callback"
#define GIT_CALLBACK "https://git.example.test/user/oauth2/teagate/callback"
#define NATIVE_CALLBACK "http://127.0.0.1/callback"
#define STRANGER_ORIGIN "https://ci.example.test:8443"
#define STRANGER_CALLBACK STRANGER_ORIGIN "/authorize?x=1"
#define SECRET "s+e:c/r%e t"
#define SECRET_ENCODED "s%2Be%3Ac%2Fr%25e+t"
#define PASSWORD "correct horse"

struct rig {
    char directory[64];
    struct tg_worker *worker;
    struct tg_store *store;        /* the worker's */
    struct tg_keyring ring;
    struct tg_templates *templates;
    struct tg_oidc_conf oidc_conf;
    struct tg_account_conf account_conf;
    struct tg_subscription_conf rules;
    struct tg_gitea_conf gitea;
    struct tg_oidc *oidc;
    struct tg_account_pages *pages;
    struct tg_client app, git;     /* of both kinds; the secret of both is SECRET */
    struct tg_client native;       /* public, on mara's own machine; may ask for openid and email */
    struct tg_client stranger;     /* nobody has allowed it anything; its second address is STRANGER_CALLBACK */
    struct tg_account mara;        /* signs in with PASSWORD */
    struct standin standin;        /* the Gitea */
};

int rig_make(void **state);
int rig_remove(void **state);

/* A call whose target is "/path?query"; worker NULL: the rig's. Free with rig_done. */
struct tg_call *rig_call(struct rig *rig, const char *method, const char *target);
void rig_form(struct tg_call *call, const char *body);
void rig_done(struct tg_call *call);
/* Runs the row of the table that has the call's path and method; fails the test when there is none. */
void rig_run(struct rig *rig, struct tg_call *call, const struct tg_endpoint *table);

/* "" when the reply does not have it. */
const char *rig_header(struct tg_call *call, const char *name);
/* The value of a parameter in the reply's Location, decoded; NULL when there is none. */
const char *rig_location(struct tg_call *call, const char *name);
bool rig_body_has(struct tg_call *call, const char *text);
json_t *rig_json(struct tg_call *call); /* of the body; a new reference */

/* A session of mara's, `age_s` old; its cookie as a header value. */
const char *rig_session(struct rig *rig, struct tg_arena *arena, int64_t age_s);
void rig_expire(struct rig *rig, int64_t paid_until_s);

/* Mara allows the client everything; the rig has done so for app and native. */
int rig_allow(struct rig *rig, const struct tg_client *client);

/* A grant for the app and a code for it. change (may be NULL) edits it first. */
void rig_grant(struct rig *rig, char code[TG_TOKEN], const struct tg_client *client, void (*change)(struct tg_grant *grant));
/* The token request for this code with Basic authentication of the client, and its run. worker NULL: the rig's. */
struct tg_call *rig_redeem(struct rig *rig, const struct tg_client *client, const char *code, const char *more);
void rig_basic(struct tg_call *call, const char *id, const char *encoded_secret);

#define rig_test(function) cmocka_unit_test(function)
#define RIG_RUN(tests) (cmocka_set_message_output(CM_OUTPUT_TAP), cmocka_run_group_tests(tests, rig_make, rig_remove))

#endif
