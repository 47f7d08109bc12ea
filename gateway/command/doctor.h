/*
 * doctor.h - what the files of `teagate doctor` share
 */
#ifndef TG_COMMAND_DOCTOR_H
#define TG_COMMAND_DOCTOR_H

#include "command/command.h"
#include "gitea/inspect.h"
#include "store/worker.h"

struct tg_doctor {
    struct tg_run *run;
    struct tg_worker *worker;
    struct tg_keyring ring;     /* count 0: it could not be read */
    const char *about;          /* what is looked at now: "teagate", or a Gitea's host */
    json_t *checks;
    int bad, warned;
};

/* For tg_inspection: context is the doctor. */
void tg_doctor_told(const struct tg_checked *checked, void *doctor);
/* As tg_gitea_checked. */
void tg_doctor_say(struct tg_doctor *doctor, const struct tg_checked *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Looks at everything that is ours. Fills ring. TG_DOCTOR_BLIND: without a database nothing else can be looked at. */
enum { TG_DOCTOR_BLIND = 1 };
int tg_doctor_self(struct tg_doctor *doctor);

#endif
