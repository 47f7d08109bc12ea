/*
 * style.h - the answer to TG_STYLE_PATH, the same on every host
 *
 * Styles are addressed from the reader's host, so that pages have their look also on unknown hosts and while a Gitea is down. Never
 * blocks; the loop may call it.
 */
#ifndef TG_HTTP_STYLE_H
#define TG_HTTP_STYLE_H

#include "http/reply.h"
#include "http/template.h"

/* Fills 200 with the style sheet, or 304 when the client has it (RFC 9110 13.1.2). Nothing is copied: texts live as long as the
   templates do. */
void tg_style_reply(struct tg_templates *templates, struct tg_text if_none_match, struct tg_reply *reply);

#endif
