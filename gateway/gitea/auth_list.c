/*
 * auth_list.c - reads what `gitea admin auth list --vertical-bars` prints
 *
 *   ID |Name    |Type   |Enabled
 *   1  |teagate |OAuth2 |true
 *
 * The bars are asked for because names may have spaces in them. A bar in somebody's source name makes its line longer than four
 * cells: such a line is passed over, our own source has no bar in its name.
 */
#include "gitea/setup_command.h"

enum { COLUMNS = 4 };

static struct tg_text trim(struct tg_text text)
{
    while (text.len > 0 && (text.base[text.len - 1] == '\r' || text.base[text.len - 1] == '\t' || text.base[text.len - 1] == ' '))
        --text.len;
    return tg_text_trim(text);
}

static size_t split(struct tg_text line, struct tg_text cells[COLUMNS])
{
    size_t count = 0;

    while (line.base != NULL) {
        struct tg_text cell = trim(tg_text_cut(&line, '|'));
        if (count < COLUMNS)
            cells[count] = cell;
        ++count;
    }
    return count;
}

static bool is_head(struct tg_text line)
{
    struct tg_text cells[COLUMNS];

    return split(line, cells) == COLUMNS && tg_text_is(cells[0], "ID") && tg_text_is(cells[1], "Name") &&
           tg_text_is(cells[2], "Type") && tg_text_is(cells[3], "Enabled");
}

int tg_gitea_find_source(struct tg_text list, const char *name, struct tg_gitea_source *out)
{
    bool in_table = false, found = false;
    struct tg_text cells[COLUMNS];
    uint64_t id;

    *out = (struct tg_gitea_source){0};
    while (list.base != NULL) {
        struct tg_text line = tg_text_cut(&list, '\n');
        if (!in_table) { /* before it there may be lines of Gitea's log */
            in_table = is_head(line);
            continue;
        }
        if (split(line, cells) != COLUMNS || !tg_text_is(cells[1], name))
            continue;
        if (found || !tg_text_number(cells[0], &id) || id == 0 || id > INT64_MAX || cells[1].len >= sizeof(out->name))
            return TG_SOURCE_UNREADABLE;
        found = true;
        out->id = (int64_t)id;
        memcpy(out->name, cells[1].base, cells[1].len);
        out->is_oauth2 = tg_text_is(cells[2], "OAuth2");
        out->enabled = tg_text_is(cells[3], "true");
    }
    if (!in_table)
        return TG_SOURCE_UNREADABLE;
    return found ? 0 : TG_SOURCE_UNKNOWN;
}
