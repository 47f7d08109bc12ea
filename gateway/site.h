/*
 * site.h - the front process: configuration turned into listeners, hosts and the list of steps
 *
 * The one place that names every feature once. Made by the main thread of `teagate front`; the calls below are that thread's.
 */
#ifndef TG_SITE_H
#define TG_SITE_H

#include "http/server.h"
#include "site_conf.h"

struct tg_site;

struct tg_site_inputs {
    const struct tg_listener *listeners;   /* descriptors from the supervisor */
    size_t listener_count;
    int64_t generation;
};

/* Opens the store (already migrated), makes keys, pools, server. Nothing is accepted yet. */
int tg_site_new(const struct tg_site_conf *conf, const struct tg_site_inputs *inputs, struct tg_site **site);
/* Accepts connections. After this the process is ready. */
int tg_site_start(struct tg_site *site);
/* Stops accepting and returns when everything under way is finished, or after limits.drain. */
void tg_site_drain(struct tg_site *site);
void tg_site_free(struct tg_site *site);

void tg_site_set_ticket_keys(struct tg_site *site, const uint8_t (*keys)[TG_TICKET_KEY], size_t count);
void tg_site_reopen_logs(struct tg_site *site);
/* One JSON object: generation, connections, pools, loops, logs. */
void tg_site_status(struct tg_site *site, struct tg_string *out);
/* Housekeeping between events, every second or so: looks at certificates, warns of what ends soon. */
void tg_site_tick(struct tg_site *site);

#endif
