/*
 * notify.h - the service manager's protocol (sd_notify(3)), without its library
 */
#ifndef TG_SUPERVISOR_NOTIFY_H
#define TG_SUPERVISOR_NOTIFY_H

/* "READY=1", "RELOADING=1", "STOPPING=1", each with further lines if need be. Nobody there: nothing happens. */
void tg_notify(const char *state);

#endif
