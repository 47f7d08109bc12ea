/*
 * logfile.h - log files, written by one thread from rings that the loops fill
 *
 * A ring takes whole lines from one producer thread without locks or system calls; the writer appends them to the file in blocks, every
 * 64 KiB or second. A full ring or a full disk drops lines and counts them; serving goes on. SIGUSR1-style rotation: tg_logfile_reopen.
 */
#ifndef TG_IO_LOGFILE_H
#define TG_IO_LOGFILE_H

#include <stddef.h>
#include <stdint.h>

struct tg_logfile;
struct tg_ring;

int tg_logfile_new(const char *path, struct tg_logfile **file);          /* starts the writer thread */
void tg_logfile_free(struct tg_logfile *file);                           /* writes what is there, joins */
void tg_logfile_reopen(struct tg_logfile *file);                         /* any thread: after a rename by logrotate */
struct tg_ring *tg_logfile_ring(struct tg_logfile *file);                /* a ring for one producer; lives as long as the file */
void tg_ring_put(struct tg_ring *ring, const char *line, size_t len);    /* the producer's thread; len <= 16 KiB */
/* For threads without a ring (event log): takes a lock, never waits for the disk. */
void tg_logfile_put(struct tg_logfile *file, const char *line, size_t len);
uint64_t tg_logfile_dropped(struct tg_logfile *file);
uint64_t tg_logfile_written(struct tg_logfile *file);                    /* bytes */

#endif
