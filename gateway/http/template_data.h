/*
 * template_data.h - the files of conf/templates/ as they were compiled in (written by scripts/embed-templates)
 */
#ifndef TG_HTTP_TEMPLATE_DATA_H
#define TG_HTTP_TEMPLATE_DATA_H

#include <stddef.h>

struct tg_template_data {
    const char *name; /* "sign-in.html", "style.css" */
    const char *bytes; /* terminated */
    size_t len;
};

extern const struct tg_template_data tg_template_data[]; /* by name; ends with a NULL name */

#endif
