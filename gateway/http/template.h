/*
 * template.h - pages from template files, with declared slots
 *
 * A template is HTML with {{name}} (escaped text), {{#name}}...{{/name}} (left out when the slot is absent or empty),
 * {{^name}}...{{/name}} (the opposite), {{>part}} and {{! a comment}}. A slot whose name ends with "_url" is left out unless it is an
 * https:// or http:// address or an absolute path, so that no value can become a script.
 *
 * Templates are compiled into the program from conf/templates/; a file of the same name in the operator's template directory replaces
 * it. All are parsed at start: a slot that the page does not declare is an error with file and line.
 */
#ifndef TG_HTTP_TEMPLATE_H
#define TG_HTTP_TEMPLATE_H

#include "base/text.h"

struct tg_templates;

/* directory may be NULL. On failure tg_failure() says file, line and remedy. */
int tg_templates_load(const char *directory, struct tg_templates **templates);
void tg_templates_free(struct tg_templates *templates);

/* A page's slots: a const table over the struct that holds the values (struct tg_text each). */
struct tg_slot {
    const char *name;
    size_t offset;
};

struct tg_page {
    const char *template;          /* "sign-in" */
    const struct tg_slot *slots;   /* ends with a NULL name */
};

/* Declares a page before tg_templates_load is trusted: checks that its template uses only declared slots. */
int tg_templates_check(struct tg_templates *templates, const struct tg_page *page);
/* Fills it into the arena. values: the struct the slots point into; brand: slots that all pages share (operator's name, links). */
struct tg_text tg_templates_fill(struct tg_templates *templates, const struct tg_page *page, const void *values, struct tg_arena *arena);

/* Slots of every page. Texts must live as long as the templates. */
struct tg_brand {
    struct tg_text operator_name, help_url, privacy_url, imprint_url, style_url; /* style_url absent: TG_STYLE_PATH */
    const char *zone; /* no slot: the operator's time zone, for the time on error pages; NULL: UTC */
};
void tg_templates_set_brand(struct tg_templates *templates, const struct tg_brand *brand);
const char *tg_templates_zone(const struct tg_templates *templates);

/* The style sheet, and its path on every host; http/style.h answers it. */
#define TG_STYLE_PATH "/.teagate/style.css"
struct tg_text tg_templates_style(struct tg_templates *templates);
struct tg_text tg_templates_style_etag(struct tg_templates *templates); /* with its quotes */

#endif
