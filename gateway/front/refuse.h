/*
 * refuse.h - answers of the front's own, in the language of the door: a page, text for git, JSON for LFS, registry and API
 *
 * Never 401: git would erase the stored password. On the loop; each answers the request and returns TG_STEP_DONE.
 */
#ifndef TG_FRONT_REFUSE_H
#define TG_FRONT_REFUSE_H

#include "front/doors.h"
#include "http/error_page.h"
#include "subscription/standing.h"

/* why: a short word for the log. */
enum tg_step_answer tg_refuse(struct tg_visit *visit, enum tg_error_kind kind, const char *why);

/* The subscription, or a hold, does not allow it: 402 or 403 with the words of the catalogue. */
enum tg_step_answer tg_refuse_standing(struct tg_visit *visit, const struct tg_facts *facts, const struct tg_standing *standing);

/* The request's body did not come as it should: 408, 413 or 400. */
enum tg_step_answer tg_refuse_body(struct tg_visit *visit, h2o_body_event_t event);

/* A sentence of ours with a status: who it is does not allow it. ASCII, without a newline. */
enum tg_step_answer tg_refuse_sentence(struct tg_visit *visit, int status, const char *sentence, const char *why);

/* The account that a request names is closed, but whoever sends it has not shown to be that account: 402 with the same words for all,
   which do not tell what closes it, or since when. */
enum tg_step_answer tg_refuse_named(struct tg_visit *visit, const char *why);

#endif
