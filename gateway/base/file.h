/*
 * file.h - small files as a whole: configuration, secrets, tokens, state
 *
 * Blocking; start-up, commands and worker threads only.
 */
#ifndef TG_BASE_FILE_H
#define TG_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>
#include "base/text.h"

enum { TG_FILE_ABSENT = 1, TG_FILE_TOO_LARGE = 2 };

/* Appends the file's bytes to out, at most limit of them; out is as before when the answer is not 0. */
int tg_file_read(const char *path, size_t limit, struct tg_string *out);

/* The same for a secret or a token in a file of its own: white space at both ends does not belong to it, empty is a
   failure. */
int tg_file_read_secret(const char *path, size_t limit, struct tg_string *out);

/* Whoever reads the path sees the old file or the whole new one, also after a crash: a temporary file beside it, synced and
   renamed. */
int tg_file_write_atomically(const char *path, mode_t mode, struct tg_text text);

#endif
