/*
 * log.h - the event log
 *
 * One line per event, key=value, for the administrator: what happened, to which thing, what to do.
 *
 *   2026-11-24T20:25:28Z warn upstream-unreachable instance=code.example why="connection refused" do="start Gitea"
 *
 * Values with spaces, quotes or control bytes are quoted and escaped. Library code never logs; main, processes, jobs and the top of a
 * worker call do. Lines go to a sink: stderr at first; the front's log writer takes over later. Any thread.
 */
#ifndef TG_BASE_LOG_H
#define TG_BASE_LOG_H

#include <stddef.h>
#include "base/text.h"

enum tg_log_level { TG_LOG_DEBUG, TG_LOG_INFO, TG_LOG_WARN, TG_LOG_ERROR };

/* Pairs of (const char *key, const char *value) up to a NULL key. A NULL value leaves its pair out. */
void tg_log(enum tg_log_level level, const char *event, ...) __attribute__((sentinel));

/* One pair as it stands in a line, with a space before it. For lines that are put together elsewhere (access log). */
void tg_log_pair(struct tg_string *line, const char *key, struct tg_text value);

/* The value of a pair, cut at 2048 bytes, quoted and escaped where it needs it, at `at`, where there is room; where it ends. */
#define TG_LOG_ROOM(len) (4 * (len) + 5)
char *tg_log_put(char *at, struct tg_text value);

/* Where finished lines (with their newline) go. Set before threads start. */
typedef void (*tg_log_sink)(const char *line, size_t len);
void tg_log_set_sink(tg_log_sink sink);
void tg_log_set_threshold(enum tg_log_level lowest);

#endif
