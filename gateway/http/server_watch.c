#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "http/server_parts.h"
/* does not stand alone */
#include <h2o/http1.h>

/* What a loop does ten times a second, or twice: clients that left, draining; whom it waits for is server_pace.c. */

enum { TICK_MS = 100, TICKS_A_WATCH = 3, TICKS_A_PACE = TG_WATCH_MS / TICK_MS, WATCH_AFTER_MS = 300, HALF_CLOSED_MS = 10000 };
enum { POLLED_AT_ONCE = 128, GONE_STATUS = 499, ALERT_RECORD = 64 };

static uint64_t now_ms(struct tg_server_loop *loop)
{
    return h2o_now(loop->context.loop);
}

/* Ends a request of HTTP/1 whose client is gone, so that everybody who works for it learns of it by its disposal. */
static void end_request(struct tg_visit *visit)
{
    static h2o_generator_t nothing = {NULL, NULL};
    h2o_req_t *req = visit->req;
    h2o_socket_t *sock = visit->connection->sock;

    visit->is_gone = true;
    h2o_linklist_unlink(&visit->watched);
    shutdown(h2o_socket_get_fd(sock), SHUT_RDWR);
    if (h2o_socket_is_writing(sock) || h2o_socket_is_reading(sock))
        return; /* libh2o learns of it by itself */
    if (req->_generator == NULL) {
        req->res.status = GONE_STATUS;
        h2o_start_response(req, &nothing);
    } else if (req->_generator->stop != NULL) {
        req->_generator->stop(req->_generator, req);
    }
    h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
}

/* After the client's FIN: whether the rest of the body cannot come any more. It may lie unread; over TLS the last words may be an alert. */
static bool is_cut_off(struct tg_visit *visit, int fd)
{
    const h2o_body_t *body = visit->req->body;
    const h2o_socket_t *sock = visit->connection->sock;
    int unread = 0;

    if (body == NULL || body->ended)
        return false;
    if (ioctl(fd, FIONREAD, &unread) != 0)
        return true;
    if (body->content_length != SIZE_MAX)
        return (uint64_t)unread + sock->input->size < body->content_length - body->received;
    return unread < (sock->ssl != NULL ? ALERT_RECORD : 1);
}

/* The client has asked for everything it wants, and may have left. It is asked by an interim answer: the host of one that has left answers
   with a reset. Once the answer has begun, or where an interim one is not understood, its own bytes ask. */
static bool has_closed_both(struct tg_visit *visit)
{
    uint64_t now = now_ms(visit->loop);

    if (visit->half_closed_ms != 0 && now - visit->half_closed_ms < HALF_CLOSED_MS)
        return false;
    if (h2o_http1_probe(visit->req) || visit->half_closed_ms == 0 || visit->req->_generator != NULL) {
        visit->half_closed_ms = now;
        return false;
    }
    return true;
}

static bool has_left(struct tg_visit *visit, const struct pollfd *polled)
{
    if ((polled->revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        return true;
    if ((polled->revents & POLLRDHUP) == 0)
        return false;
    return visit->is_endless || is_cut_off(visit, polled->fd) || has_closed_both(visit);
}

/* Moves those of the batch whose clients left to the list of the gone. */
static void sift(struct tg_visit **visits, struct pollfd *polled, size_t count, h2o_linklist_t *gone)
{
    if (count == 0 || poll(polled, count, 0) <= 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (polled[i].revents != 0 && has_left(visits[i], &polled[i])) {
            h2o_linklist_unlink(&visits[i]->watched);
            h2o_linklist_insert(gone, &visits[i]->watched);
        }
    }
}

static void watch_clients(struct tg_server_loop *loop)
{
    struct tg_visit *visits[POLLED_AT_ONCE];
    struct pollfd polled[POLLED_AT_ONCE];
    h2o_linklist_t gone, *next;
    uint64_t oldest_us = tg_monotonic_us() - WATCH_AFTER_MS * 1000;
    size_t count = 0;

    h2o_linklist_init_anchor(&gone);
    for (h2o_linklist_t *node = loop->own->watched.next; node != &loop->own->watched; node = next) {
        struct tg_visit *visit = H2O_STRUCT_FROM_MEMBER(struct tg_visit, watched, node);

        next = node->next;
        if (visit->started_us > oldest_us)
            break; /* the list is in the order of arrival */
        visits[count] = visit;
        polled[count++] = (struct pollfd){h2o_socket_get_fd(visit->connection->sock), POLLRDHUP, 0};
        if (count == POLLED_AT_ONCE) {
            sift(visits, polled, count, &gone);
            count = 0;
        }
    }
    sift(visits, polled, count, &gone);
    /* ending one may dispose of others: only the head of the list is looked at */
    while (!h2o_linklist_is_empty(&gone))
        end_request(H2O_STRUCT_FROM_MEMBER(struct tg_visit, watched, gone.next));
}

void tg_server_start_drain(struct tg_server_loop *loop)
{
    if (loop->own->draining_since_ms != 0)
        return;
    loop->own->draining_since_ms = now_ms(loop);
    tg_server_stop_listening(loop);
    /* HTTP/1: "Connection: close" from now on; HTTP/2: GOAWAY, also to connections that still shake hands */
    h2o_context_request_shutdown(&loop->context);
}

void tg_server_cut(struct tg_server_loop *loop)
{
    struct tg_loop_own *own = loop->own;

    tg_server_stop_listening(loop);
    for (h2o_linklist_t *node = own->connections.next; node != &own->connections; node = node->next) {
        struct tg_connection *connection = H2O_STRUCT_FROM_MEMBER(struct tg_connection, all, node);

        shutdown(h2o_socket_get_fd(connection->sock), SHUT_RDWR);
    }
    while (!h2o_linklist_is_empty(&own->watched))
        end_request(H2O_STRUCT_FROM_MEMBER(struct tg_visit, watched, own->watched.next));
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    struct tg_server_loop *loop = H2O_STRUCT_FROM_MEMBER(struct tg_loop_own, tick, entry)->loop;
    struct tg_loop_own *own = loop->own;

    if (own->ears_pause)
        tg_server_resume_listening(loop);
    tg_server_thin_out(loop);
    if (++own->ticks % TICKS_A_WATCH == 0)
        watch_clients(loop);
    if (own->ticks % TICKS_A_PACE == 0)
        tg_server_pace(loop);
    tg_server_arm_tick(loop);
}

void tg_server_arm_tick(struct tg_server_loop *loop)
{
    loop->own->tick.cb = on_tick;
    h2o_timeout_link(loop->context.loop, &loop->context.hundred_ms_timeout, &loop->own->tick);
}
