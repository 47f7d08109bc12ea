/*
 * events.h - the event log of processes that log seldom: lines go straight to the file
 *
 * Each line is one append, so that processes may share the file. Until a file is open, and when it cannot be written, lines go to standard
 * error. Any thread may log; one opens, and before there are others, and may open again meanwhile.
 */
#ifndef TG_SUPERVISOR_EVENTS_H
#define TG_SUPERVISOR_EVENTS_H

/* "" or NULL: standard error. The path is kept by the module. */
int tg_events_open(const char *path);
int tg_events_reopen(void); /* after a rename by logrotate */

#endif
