/*
 * admin.h - what the admin listener serves: /metrics, /healthz, /readyz, /status
 *
 * /healthz answers 200 as long as loops run, /readyz 200 or 503 with the reason, /status JSON for the supervisor and `teagate status`.
 * Runs on the loop: the functions given must not block.
 */
#ifndef TG_HTTP_ADMIN_H
#define TG_HTTP_ADMIN_H

#include "http/visit.h"

struct tg_admin {
    const char *(*not_ready)(void *context);                       /* why not, or NULL when ready; may be NULL */
    void (*metrics)(struct tg_string *out, void *context);         /* further families; may be NULL */
    void (*status)(struct tg_string *out, void *context);          /* further members, each as `,"name":value`; may be NULL */
    void *context;
};

extern const struct tg_step tg_admin_steps[];

#endif
