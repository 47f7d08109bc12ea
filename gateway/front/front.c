/* front.c - the parts of the process and of each loop; see front.h */
#include "front/front.h"
#include "base/result.h"
#include "front/resolver.h"
#include "front/session_cookie.h"
#include "front/state.h"

/* Entries on each loop; at most some 10 MiB together, touched as they fill. */
enum { COOKIES = 16384, CREDENTIALS = 16384, FACTS = 16384, SWEEP_TICKS = 4 };

static int check_upstreams(const struct tg_front *front)
{
    struct sockaddr_storage address;
    socklen_t len;

    for (size_t i = 0; i < front->options.host_count; ++i) {
        const struct tg_host *host = &front->options.hosts[i];
        const struct tg_front_host *feature = host->feature;

        if (host->kind != TG_HOST_GITEA)
            continue;
        if (feature->index >= front->gitea_count)
            return tg_fail("host %s has the index %zu of %zu", host->authority, feature->index, front->gitea_count);
        tg_try(tg_upstream_address(&feature->conf->upstream, &address, &len));
    }
    return 0;
}

int tg_front_new(const struct tg_front_options *options, struct tg_front **front)
{
    struct tg_front *made = tg_alloc(sizeof(*made));
    int result;

    made->options = *options;
    tg_random(made->digest_key, sizeof(made->digest_key));
    pthread_mutex_init(&made->asking_lock, NULL);
    tg_doors_init();
    if ((result = tg_front_hosts_init(made)) != 0 || (result = check_upstreams(made)) != 0) {
        tg_front_free(made);
        return result;
    }
    made->ask_rate = tg_ask_rate_new(made->gitea_count, made->digest_key);
    *front = made;
    return 0;
}

void tg_front_free(struct tg_front *front)
{
    if (front == NULL)
        return;
    pthread_mutex_destroy(&front->asking_lock);
    tg_ask_rate_free(front->ask_rate);
    free(front->places);
    free(front);
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    struct tg_front_loop *part = H2O_STRUCT_FROM_MEMBER(struct tg_front_loop, tick_entry, entry);
    uint64_t now_ms = h2o_now(part->loop->context.loop);

    ++part->ticks;
    tg_exchange_tick(part, now_ms);
    tg_flights_tick(part, now_ms);
    for (size_t i = 0; part->ticks % SWEEP_TICKS == 0 && i < part->front->gitea_count; ++i)
        tg_upstream_sweep(&part->upstreams[i], now_ms);
    h2o_timeout_link(part->loop->context.loop, &part->tick, &part->tick_entry);
}

void *tg_front_loop_make(struct tg_server_loop *loop, const void *context)
{
    struct tg_front *front = (struct tg_front *)context;
    struct tg_front_loop *part = tg_alloc(sizeof(*part));
    size_t index = atomic_load(&front->loop_count);

    part->front = front;
    part->loop = loop;
    part->spare_exchanges.size = sizeof(struct tg_exchange);
    part->head_buffers = (h2o_buffer_prototype_t){{128}, {16384 - offsetof(h2o_buffer_t, _buf)}};
    part->body_buffers = (h2o_buffer_prototype_t){{64}, {65536 - offsetof(h2o_buffer_t, _buf)}};
    part->upstreams = tg_alloc((front->gitea_count + 1) * sizeof(*part->upstreams));
    for (size_t i = 0; i < front->options.host_count; ++i) {
        const struct tg_front_host *host = front->options.hosts[i].feature;

        if (front->options.hosts[i].kind == TG_HOST_GITEA)
            tg_upstream_init(&part->upstreams[host->index], host->conf, part);
    }
    tg_gateway_cookies_init(&part->cookies, COOKIES);
    tg_table_init(&part->credentials, CREDENTIALS, sizeof(struct tg_credential_entry));
    tg_table_init(&part->facts, FACTS, sizeof(struct tg_facts_entry));
    part->ticks = 1;
    part->tick_entry.cb = on_tick;
    h2o_timeout_init(loop->context.loop, &part->tick, TG_UPSTREAM_TICK_MS);
    h2o_timeout_link(loop->context.loop, &part->tick, &part->tick_entry);
    if (index < TG_FRONT_LOOPS) {
        front->loops[index] = part;
        atomic_store(&front->loop_count, index + 1);
    }
    return part;
}

void tg_front_loop_drop(void *p)
{
    struct tg_front_loop *part = p;
    struct tg_front *front = part->front;

    for (size_t i = 0; i < TG_FRONT_LOOPS; ++i)
        if (front->loops[i] == part)
            front->loops[i] = NULL;
    tg_exchanges_end(part);
    h2o_timeout_unlink(&part->tick_entry);
    h2o_timeout_dispose(part->loop->context.loop, &part->tick);
    for (size_t i = 0; i < front->gitea_count; ++i)
        tg_upstream_done(&part->upstreams[i]);
    tg_table_done(&part->cookies);
    tg_table_done(&part->credentials);
    tg_table_done(&part->facts);
    tg_spares_done(&part->spare_exchanges);
    free(part->upstreams);
    free(part);
}
