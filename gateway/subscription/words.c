#include "subscription/words.h"

#include "base/clock.h"
#include "base/result.h"

/*
 * The catalogue. {end}, {closed}, {deleted} and {since} stand for times: in full in the letter of a page, short in lines for git; with
 * "-day" for the day alone. `lines` is ASCII, its lines stay under 79 characters, and a link follows it.
 */
struct row {
    const char *title, *state, *heading, *what, *remedy, *renew_label;
    const char *lines;
    const char *link; /* what stands before the link */
};

#define RENEW "Renew subscription"
#define RENEW_HERE "Renew it here: "

static const struct row expiring = {
    .title = "Your subscription ends on {end-day}",
    .state = "Everything works today",
    .heading = "Your subscription ends on {end-day}",
    .what = "It ends on {end}. Renew before then and nothing changes for your repositories.",
    .renew_label = RENEW,
    .lines = "Your subscription ends on {end}.\n",
    .link = RENEW_HERE,
};
static const struct row grace_notice = {
    .title = "Your subscription has ended",
    .state = "Everything still works",
    .heading = "Your subscription has ended. Renew it before {closed-day}",
    .what = "It ended on {end}. Your repositories stay open until {closed}. After that they are closed, and kept.",
    .remedy = "Renew before then and nothing changes.",
    .renew_label = RENEW,
    .lines = "Your subscription ended on {end}.\n"
             "Everything works until {closed}.\n",
    .link = RENEW_HERE,
};
static const struct row grace_readonly = {
    .title = "Read-only until you renew",
    .state = "Read-only since {end-day}",
    .heading = "You can read, but not push, until you renew",
    .what = "Your subscription ended on {end}. Your repositories are complete and can be read until {closed}. After that they are "
            "closed, and kept.",
    .remedy = "Pushing works again as soon as you have renewed.",
    .renew_label = RENEW,
    .lines = "Your subscription ended on {end}.\n"
             "You can fetch, but not push, until you renew. Your commits stay with you.\n",
    .link = RENEW_HERE,
};
static const struct row expired = {
    .title = "Closed until it is renewed",
    .state = "Closed since {closed-day}",
    .heading = "Your repositories are closed, and kept, until you renew",
    .what = "Your subscription ended on {end}. You can’t open, clone or push your repositories now; what is public stays visible to "
            "visitors. Nothing is deleted: we keep everything until {deleted}.",
    .remedy = "Renew before then and all of it opens again at once, as it was.",
    .renew_label = RENEW,
    .lines = "Your subscription ended on {end}.\n"
             "Your repositories are closed, and kept until {deleted}.\n",
    .link = RENEW_HERE,
};
static const struct row ended = {
    .title = "Your subscription has ended",
    .state = "Ended on {deleted-day}",
    .heading = "Your subscription and the time we kept your data have ended",
    .what = "Your subscription ended on {end}. We kept everything until {deleted}. Your name stays yours.",
    .remedy = "A new subscription opens your account again. If you still need something from before, write to us at once.",
    .renew_label = "Begin again",
    .lines = "Your subscription ended on {end},\n"
             "and we kept your repositories until {deleted}.\n",
    .link = "Begin again here: ",
};
static const struct row none_blocked = {
    .title = "No subscription yet",
    .state = "No subscription yet",
    .heading = "Your account opens with a subscription",
    .what = "You are signed in, and your name is yours, but there is no subscription for this account yet.",
    .remedy = "As soon as it begins, you can open, clone and push repositories.",
    .renew_label = "Begin a subscription",
    .lines = "There is no subscription for this account yet.\n",
    .link = "Begin one here: ",
};
static const struct row none_readonly = {
    .title = "No subscription yet",
    .state = "Read-only without a subscription",
    .heading = "You can read, but not push, until a subscription begins",
    .what = "You are signed in, and your name is yours, but there is no subscription for this account yet.",
    .remedy = "As soon as it begins, you can push and make repositories.",
    .renew_label = "Begin a subscription",
    .lines = "There is no subscription for this account yet.\n"
             "You can fetch, but not push, until one begins.\n",
    .link = "Begin one here: ",
};

#define HOLD(why)                                                                                                                  \
    {                                                                                                                              \
        .title = "Your account is on hold", .state = "On hold since {since-day}", .heading = "Your account is on hold" why,       \
        .remedy = "If you can tell us more, it may go faster.",                                                                   \
        .lines = "Your account is on hold" why ".\n", .link = "Write to us here: ",                                               \
    }

/* By enum tg_hold_kind. Nobody is told who reported what. */
static const struct row holds[] = {
    [TG_HOLD_NONPAYMENT] = {
        .title = "Your account is on hold",
        .state = "On hold since {since-day}",
        .heading = "Your account is on hold until a payment arrives",
        .remedy = "Everything opens again as soon as the payment arrives.",
        .renew_label = "Pay now",
        .lines = "Your account is on hold until a payment arrives.\n",
        .link = "Pay here: ",
    },
    [TG_HOLD_ABUSE] = HOLD(" while we look into a report"),
    [TG_HOLD_FRAUD] = HOLD(" while we check a payment"),
    [TG_HOLD_QUOTA] = HOLD(" because it is over its limits"),
    [TG_HOLD_LEGAL] = HOLD(" for a legal reason"),
    [TG_HOLD_ADMIN] = HOLD(""),
    [TG_HOLD_GITEA] = HOLD(""),
};

static const char held_blocked[] =
    "You can’t open, clone or push your repositories while it is on hold. They are complete, and nothing is deleted.";
static const char held_readonly[] =
    "You can read your repositories, but not push to them, while it is on hold. They are complete, and nothing is deleted.";

static const struct row *find_row(const struct tg_facts *facts, const struct tg_standing *standing)
{
    if (standing->level == TG_LEVEL_FULL)
        return NULL;
    if (standing->held)
        return &holds[facts->hold_kind];

    switch (standing->phase) {
    case TG_PHASE_NONE:
        return standing->level == TG_LEVEL_READONLY ? &none_readonly : &none_blocked;
    case TG_PHASE_EXPIRING:
        return &expiring;
    case TG_PHASE_GRACE:
        return standing->level == TG_LEVEL_READONLY ? &grace_readonly : &grace_notice;
    case TG_PHASE_EXPIRED:
        return &expired;
    case TG_PHASE_ENDED:
        return &ended;
    default:
        return NULL;
    }
}

/* How times are written in one text. */
struct teller {
    const struct tg_standing *standing;
    const char *zone;
    bool plain; /* ASCII, short: for lines */
};

/* No-break spaces between day and month, and from the time on: a date is never torn apart at the end of a line. */
static void add_unbroken(struct tg_string *out, const char *words, bool has_weekday)
{
    static const bool breaks[] = {false, true, true}; /* day_month year, time_zone */
    size_t spaces = 0;

    for (; *words != '\0'; words++) {
        if (*words != ' ') {
            tg_string_add(out, tg_text_n(words, 1));
        } else if (has_weekday) {
            has_weekday = false;
            tg_string_add(out, TG_TEXT(" "));
        } else {
            bool may_break = spaces < tg_count(breaks) && breaks[spaces];

            spaces++;
            tg_string_add(out, may_break ? TG_TEXT(" ") : TG_TEXT("\u00a0"));
        }
    }
}

static void add_time(struct tg_string *out, const struct teller *teller, int64_t when_s, bool day_only)
{
    char words[TG_TIME_WORDS];

    if (day_only || teller->plain)
        tg_time_short(when_s, teller->zone, words);
    else
        tg_time_long(when_s, teller->zone, words);
    if (day_only)
        words[strcspn(words, ",")] = '\0';

    if (teller->plain)
        tg_string_add(out, tg_text(words));
    else
        add_unbroken(out, words, !day_only);
}

static int64_t time_of(const struct tg_standing *standing, struct tg_text name)
{
    if (tg_text_is(name, "end"))
        return standing->end_s;
    if (tg_text_is(name, "closed"))
        return standing->closed_s;
    return tg_text_is(name, "deleted") ? standing->deleted_s : standing->since_s;
}

static struct tg_text expand(struct tg_arena *arena, const struct teller *teller, const char *pattern)
{
    TG_STRING out = {NULL};
    struct tg_text rest = tg_text(pattern);

    if (pattern == NULL)
        return (struct tg_text){NULL, 0};
    while (rest.len > 0) {
        struct tg_text name;

        tg_string_add(&out, tg_text_cut(&rest, '{'));
        if (rest.base == NULL)
            break;
        name = tg_text_cut(&rest, '}');
        bool day_only = tg_text_ends(name, "-day");
        if (day_only)
            name.len -= strlen("-day");
        add_time(&out, teller, time_of(teller->standing, name), day_only);
    }
    return tg_arena_text(arena, tg_string_text(&out));
}

static void tell_times(const struct tg_standing *standing, const char *zone, struct tg_arena *arena, struct tg_words *out)
{
    const struct {
        int64_t when_s;
        struct tg_text *words, *iso;
    } times[] = {
        {standing->end_s, &out->ended_at, &out->ended_at_iso},
        {standing->closed_s, &out->closed_at, &out->closed_at_iso},
        {standing->deleted_s, &out->deleted_at, &out->deleted_at_iso},
        {standing->held ? standing->since_s : 0, &out->held_since, &out->held_since_iso},
    };

    for (size_t i = 0; i < tg_count(times); i++) {
        TG_STRING unbroken = {NULL};
        char words[TG_TIME_WORDS], iso[TG_TIME_ISO];

        if (times[i].when_s == 0)
            continue;
        tg_time_short(times[i].when_s, zone, words);
        tg_time_iso(times[i].when_s, iso);
        add_unbroken(&unbroken, words, false);
        *times[i].words = tg_arena_text(arena, tg_string_text(&unbroken));
        *times[i].iso = tg_arena_text(arena, tg_text(iso));
    }
}

/* The link that helps: renewing, or for a hold that paying does not lift, writing to us. */
static struct tg_text helping_url(const struct row *row, const struct tg_words *words)
{
    return row->renew_label != NULL ? words->renew_url : words->contact_url;
}

static void tell_lines(const struct row *row, const struct teller *teller, struct tg_arena *arena, struct tg_words *out)
{
    struct teller plain = {teller->standing, teller->zone, true};
    struct tg_text sentences = expand(arena, &plain, row->lines), url = helping_url(row, out);
    char *line;

    if (url.len > 0)
        out->lines = tg_text(tg_arena_format(arena, "%s%s%.*s\n", sentences.base, row->link, TG_TEXT_ARGS(url)));
    else
        out->lines = sentences;

    line = tg_arena_copy(arena, tg_text_n(out->lines.base, out->lines.len - 1));
    for (char *c = line; *c != '\0'; c++) {
        if (*c == '\n')
            *c = ' ';
    }
    out->line = tg_text(line);
}

static const char *zone_of(const struct tg_facts *facts, const struct tg_subscription_conf *rules)
{
    if (facts->zone[0] != '\0')
        return facts->zone;
    return rules->zone != NULL ? rules->zone : "UTC";
}

void tg_words(const struct tg_facts *facts, const struct tg_standing *standing, const struct tg_subscription_conf *rules,
              struct tg_arena *arena, struct tg_words *out)
{
    const struct row *row = find_row(facts, standing);
    struct teller teller = {.standing = standing, .zone = zone_of(facts, rules)};

    *out = (struct tg_words){.grace_is_readonly = rules->grace_level == 1};
    if (row == NULL)
        return;
    out->title = expand(arena, &teller, row->title);
    out->heading = expand(arena, &teller, row->heading);
    out->what = expand(arena, &teller, row->what);
    out->remedy = expand(arena, &teller, row->remedy);
    out->state = expand(arena, &teller, standing->held && standing->since_s == 0 ? "On hold" : row->state);
    if (row->renew_label == NULL && rules->contact_url == NULL)
        out->remedy = (struct tg_text){NULL, 0}; /* nowhere to tell us more */
    if (standing->held)
        out->what = tg_text(standing->level == TG_LEVEL_READONLY ? held_readonly : held_blocked);

    if (standing->phase != TG_PHASE_NONE && standing->phase != TG_PHASE_ENDED)
        out->takeout_url = tg_text(rules->takeout_url);
    out->contact_url = tg_text(rules->contact_url);
    if (row->renew_label != NULL) {
        out->renew_url = tg_text(rules->renew_url);
        out->renew_label = tg_text(row->renew_label);
    }
    tell_times(standing, teller.zone, arena, out);
    tell_lines(row, &teller, arena, out);
}
