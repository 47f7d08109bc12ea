/*
 * ca.h - an internal certificate authority for localhost names
 *
 * One root, made once and kept, name-constrained to localhost (RFC 5280 4.2.1.10), so that trusting it trusts nothing else. Leaves are
 * made when needed and live 90 days. Blocking; start-up, commands and threads of their own.
 */
#ifndef TG_HTTP_CA_H
#define TG_HTTP_CA_H

#include "base/text.h"

/* Makes DIRECTORY (mode 0700), root.crt and root.key (mode 0600) in it when absent. Several processes may do so at once. */
int tg_ca_init(const char *directory);
/* The root certificate, PEM, into the arena. TG_CA_ABSENT: there is none yet. */
enum { TG_CA_ABSENT = 1, TG_CA_FOREIGN_NAME = 2 };
int tg_ca_root(const char *directory, struct tg_arena *arena, struct tg_text *pem);
/* A leaf for localhost, *.localhost, 127.0.0.1 or ::1 names (a NULL-terminated list); chain and key PEM into the arena.
   FOREIGN_NAME: one is not one of ours. */
int tg_ca_issue(const char *directory, const char *const *names, struct tg_arena *arena, struct tg_text *chain, struct tg_text *key);

#endif
