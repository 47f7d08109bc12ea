/*
 * verdict_table.c - door and service level to a ruling, as data
 *
 * What is not tied to an account's means passes always: files that are the same for everybody, the way in and out, health. Reading is
 * refused when the subscription is over, writing from read-only on.
 */
#include "front/policy.h"

#define PASS TG_RULING_PASS
#define NOTE TG_RULING_NOTICE
#define STOP TG_RULING_REFUSE

/*             full  notice readonly blocked gone */
#define FREE  {PASS, PASS, PASS, PASS, PASS}
#define READ  {PASS, NOTE, NOTE, STOP, STOP}
#define WRITE {PASS, NOTE, STOP, STOP, STOP}

const uint8_t tg_rulings[TG_DOORS][TG_LEVELS] = {
    [TG_DOOR_OTHER] = READ,
    [TG_DOOR_CLOSED] = {STOP, STOP, STOP, STOP, STOP},
    [TG_DOOR_STATIC] = FREE,
    [TG_DOOR_HEALTH] = FREE,
    [TG_DOOR_LOGIN_PAGE] = FREE,
    [TG_DOOR_LOGIN_START] = FREE,
    [TG_DOOR_LOGIN_CALLBACK] = FREE,
    [TG_DOOR_LOGOUT] = FREE,
    [TG_DOOR_EVENTS] = READ,
    [TG_DOOR_WEB_READ] = READ,
    [TG_DOOR_WEB_WRITE] = WRITE,
    [TG_DOOR_OPERATOR] = WRITE,
    [TG_DOOR_OPERATOR_API] = WRITE,
    [TG_DOOR_OAUTH_CLIENT] = FREE,
    [TG_DOOR_GIT_READ] = READ,
    [TG_DOOR_GIT_WRITE] = WRITE,
    [TG_DOOR_LFS_READ] = READ,
    [TG_DOOR_LFS_WRITE] = WRITE,
    [TG_DOOR_API_READ] = READ,
    [TG_DOOR_API_WRITE] = WRITE,
    [TG_DOOR_REGISTRY_TOKEN] = FREE,
    [TG_DOOR_REGISTRY_READ] = READ,
    [TG_DOOR_REGISTRY_WRITE] = WRITE,
    [TG_DOOR_PACKAGES_READ] = READ,
    [TG_DOOR_PACKAGES_WRITE] = WRITE,
    [TG_DOOR_ACTIONS] = WRITE,
    [TG_DOOR_DOWNLOAD] = READ,
    [TG_DOOR_FEEDS] = READ,
};
