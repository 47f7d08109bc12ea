/*
 * words.h - the texts of every verdict, one catalogue for pages, `remote:` lines, API errors and, later, mail
 */
#ifndef TG_SUBSCRIPTION_WORDS_H
#define TG_SUBSCRIPTION_WORDS_H

#include "subscription/standing.h"

/* All texts live in the arena; a slot without a text has base NULL. Plain text, no HTML. Those for pages are UTF-8 with no-break spaces
   inside of dates. Nothing is said, and all texts are absent, where the level is full. */
struct tg_words {
    struct tg_text title;      /* "Closed until it is renewed" */
    struct tg_text state;      /* "Closed since 14 December 2026" */
    struct tg_text heading;    /* the outcome in one sentence */
    struct tg_text what;       /* what happened, until when */
    struct tg_text remedy;     /* what to do, and what then happens */
    struct tg_text renew_url;
    struct tg_text renew_label;
    struct tg_text takeout_url, contact_url;
    struct tg_text lines;      /* for git: one or more short lines, each ends with a newline, the link last; ASCII */
    struct tg_text line;       /* one sentence with the link, for API and LFS messages */
    struct tg_text ended_at, closed_at, deleted_at, held_since; /* short dates for the margin; base NULL when they do not apply */
    struct tg_text ended_at_iso, closed_at_iso, deleted_at_iso, held_since_iso;
    bool grace_is_readonly;    /* what comes, or came, after the end */
};

/* Fills what applies to this standing. */
void tg_words(const struct tg_facts *facts, const struct tg_standing *standing, const struct tg_subscription_conf *rules,
              struct tg_arena *arena, struct tg_words *out);

#endif
