/*
 * push.h - refusals that need a look into the request's body
 *
 * Both open the body, and hold at most 64 KiB of it. On the loop.
 */
#ifndef TG_FRONT_PUSH_H
#define TG_FRONT_PUSH_H

#include "front/doors.h"

/*
 * git shows what a refused push is told only where it expects the result of one: each reference as rejected, for a reason, and lines for a
 * person (gitprotocol-pack, "Report Status"). The rest of the push is received and dropped, since git reads nothing before it has sent it;
 * after 16 MiB it is answered anyway. What is no push, and a client that asks first (Expect), gets status and lines at once.
 */
bool tg_push_is_one(const struct tg_visit *visit); /* a push under way, whose body can be read */
/* lines: each ends with a newline; reason: a few words. Both ASCII, and live as long as the request. It will be answered. */
void tg_push_refuse(struct tg_visit *visit, int status, struct tg_text lines, struct tg_text reason);

/*
 * Whether an LFS batch is for uploads stands in its body. on_told is called later, unless the visit is gone by then; the body is complete
 * and still to be taken. A batch that is too long to be looked at counts as an upload. false: this is no batch.
 */
typedef void (*tg_batch_told)(struct tg_visit *visit, bool is_upload);
bool tg_batch_await(struct tg_visit *visit, tg_batch_told on_told);

#endif
