/*
 * process.h - what front, jobs and prepare have in common: what the supervisor handed over
 */
#ifndef TG_COMMAND_PROCESS_H
#define TG_COMMAND_PROCESS_H

#include "command/command.h"
#include "supervisor/control.h"

struct tg_process_values {
    const char *control, *snapshot, *generation, *listen;
};
extern const struct tg_option tg_process_options[];

struct tg_process {
    struct tg_run *run;
    int control;               /* to the supervisor */
    int64_t generation;
    const char *listen;        /* "https=5,http=6"; NULL */
    struct tg_string buffer;
};

/* Takes over descriptors and reads the snapshot into run->conf. Wrong configuration: look at run->file.errors. An exit status. */
int tg_process_begin(struct tg_run *run, const struct tg_process_values *values, struct tg_process *process);
void tg_process_end(struct tg_process *process);

/* The supervisor is told why, and logs it; the exit status. */
int tg_process_failed(struct tg_process *process, const char *doing);
void tg_process_say(struct tg_process *process, const char *verb, struct tg_text rest);

/* Waits for a message, at most wait_ms. NONE: none came. CLOSED: the supervisor is gone, and so should we. */
int tg_process_hear(struct tg_process *process, int64_t wait_ms, struct tg_control_message *message);

#endif
