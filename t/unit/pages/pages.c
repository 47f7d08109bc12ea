/* Every page is filled, with everything known and with nothing known. TG_PAGES_OUT=DIRECTORY keeps them, to be looked at. */
#include "test.h"
#include <stdlib.h>
#include "base/file.h"
#include "base/result.h"
#include "http/error_page.h"
#include "http/style.h"
#include "subscription/refusal_page.h"
#include "markup.h"

static struct tg_templates *templates;

static void keep_page(const char *name, struct tg_text page)
{
    const char *directory = getenv("TG_PAGES_OUT");

    if (directory == NULL)
        return;
    TG_FREED char *path = tg_format("%s/%s.html", directory, name);
    assert_int_equal(tg_file_write_atomically(path, 0644, page), 0);
}

static void check_page(const char *name, const struct tg_reply *reply)
{
    const char *html = reply->body.base;

    keep_page(name, reply->body);
    print_message("# %s: %s\n", name, markup_fault(html) != NULL ? markup_fault(html) : "well formed");
    assert_null(markup_fault(html));
    assert_true(reply->is_page);
    assert_string_equal(reply->content_type, "text/html; charset=utf-8");
    assert_true(tg_text_starts(reply->body, "<!doctype html>\n<html"));
    assert_true(tg_text_ends(reply->body, "</html>\n"));
    assert_int_equal(markup_count(html, "<h1>"), 1);
    assert_int_equal(markup_count(html, "<title>"), 1);
    assert_int_equal(markup_count(html, "<link rel=\"stylesheet\" href=\"/.teagate/style.css\">"), 1);
    assert_int_equal(markup_count(html, "Alder &amp; Code</title>"), 1);
    assert_true(markup_count(html, "class=\"tg-go\"") <= 1);
    assert_int_equal(markup_count(html, "<h1></h1>") + markup_count(html, "<p></p>") + markup_count(html, "<title> "), 0);
    assert_int_equal(markup_count(html, "{{") + markup_count(html, "<script") + markup_count(html, "style=\"") + markup_count(html, "href=\"\""), 0);
}

static void every_error_has_its_page(void **state)
{
    static const struct tg_error_values known = {
        .host = TG_TEXT("code.alder.example"), .path = TG_TEXT("/nordlicht/<atlas>/pulls"), .reference = TG_TEXT("8Y5G13NB4S7T2K9QXAMP"),
        .address = TG_TEXT("203.0.113.24"), .login = TG_TEXT("mara"), .home_url = TG_TEXT("https://code.alder.example"),
        .retry_url = TG_TEXT("/nordlicht/atlas/pulls"),
    };
    static const struct tg_error_values unknown = {.host = {NULL, 0}};

    assert_int_equal(tg_error_pages_check(templates), 0);
    for (int kind = 0; kind < TG_ERROR_KINDS; kind++) {
        struct tg_arena arena = {NULL};
        struct tg_reply full = {.status = 0}, empty = {.status = 0}, text = {.status = 0};
        TG_FREED char *name = tg_format("error-%02d-%d", kind, tg_error_status((enum tg_error_kind)kind));
        TG_FREED char *bare = tg_format("error-%02d-bare", kind);

        tg_error_page(templates, (enum tg_error_kind)kind, &known, &arena, &full);
        check_page(name, &full);
        assert_int_equal(full.status, tg_error_status((enum tg_error_kind)kind));
        assert_non_null(strstr(full.body.base, "8Y5G13NB4S7T2K9QXAMP"));
        assert_null(strstr(full.body.base, "<atlas>"));
        if (kind == TG_ERROR_UPSTREAM_DOWN)
            assert_non_null(strstr(full.body.base, "<a class=\"tg-go\" href=\"/nordlicht/atlas/pulls\">Try again</a>"));
        if (kind == TG_ERROR_CLOSED)
            assert_non_null(strstr(full.body.base, "<a class=\"tg-go\" href=\"https://code.alder.example\">"));
        tg_error_page(templates, (enum tg_error_kind)kind, &unknown, &arena, &empty);
        check_page(bare, &empty);

        tg_error_text((enum tg_error_kind)kind, &known, &arena, &text);
        assert_int_equal(text.status, full.status);
        assert_int_equal(text.header_count, full.header_count);
        assert_true(tg_text_starts(text.body, tg_error_line((enum tg_error_kind)kind)));
        assert_true(tg_text_ends(text.body, " Reference: 8Y5G13NB4S7T2K9QXAMP\n"));
        tg_arena_done(&arena);
    }
}

static void waiting_is_said_in_words_and_in_the_header(void **state)
{
    struct tg_arena arena = {NULL};
    struct tg_reply reply = {.status = 0}, later = {.status = 0};
    struct tg_error_values values = {.retry_after_s = 90};

    tg_error_text(TG_ERROR_UNAVAILABLE, NULL, &arena, &reply);
    assert_true(tg_text_ends(reply.body, " Try again in 5 seconds.\n"));
    assert_true(tg_text_is(reply.headers[0].name, "retry-after") && tg_text_is(reply.headers[0].value, "5"));
    tg_error_page(templates, TG_ERROR_TOO_MANY, &values, &arena, &later);
    assert_non_null(strstr(later.body.base, "<h1>Pages open again in 2 minutes</h1>"));
    assert_true(tg_text_is(later.headers[0].value, "90"));
    tg_arena_done(&arena);
}

static const int64_t end_s = 1796058000; /* 2026-11-30T17:00:00Z */
enum { DAY = 86400 };

static struct tg_subscription_conf rules = {
    .warning_s = 14 * DAY, .grace_s = 14 * DAY, .grace_level = 1, .retention_s = 90 * DAY, .renew_url = "https://id.alder.example/renew",
    .takeout_url = "https://id.alder.example/takeout", .contact_url = "https://id.alder.example/contact", .zone = "Europe/Berlin",
};

static void check_standing(const char *name, const struct tg_facts *facts, int64_t now_s, const struct tg_refusal *known)
{
    struct tg_arena arena = {NULL};
    struct tg_reply reply = {.status = 0};
    struct tg_standing standing;
    struct tg_words words;
    struct tg_refusal refusal = *known;

    tg_standing(facts, &rules, now_s, &standing);
    tg_words(facts, &standing, &rules, &arena, &words);
    refusal.words = &words;
    refusal.standing = &standing;
    tg_refusal_page(templates, &refusal, &arena, &reply);
    check_page(name, &reply);
    assert_int_equal(reply.status, refusal.continue_url.len > 0 ? 200 : standing.held ? 403 : 402);
    if (words.renew_url.len > 0)
        assert_non_null(strstr(reply.body.base, "<a class=\"tg-go\" href=\"https://id.alder.example/renew\">"));
    if (known->login.len > 0)
        assert_non_null(strstr(reply.body.base, "<bdi>mara</bdi>"));
    tg_arena_done(&arena);
}

static void every_standing_has_its_page(void **state)
{
    static const struct tg_refusal refused = {.login = TG_TEXT("mara"), .sign_out_url = TG_TEXT("/sign-out"), .reference = TG_TEXT("8Y5G13NB4S7T2K9QXAMP")};
    static const struct tg_refusal noticed = {.login = TG_TEXT("mara"), .sign_out_url = TG_TEXT("/sign-out"),
        .continue_url = TG_TEXT("https://code.alder.example/user/oauth2/a/callback?code=x"), .continue_label = TG_TEXT("code.alder.example")};
    static const struct tg_refusal between = {.login = TG_TEXT("mara"), .sign_out_url = TG_TEXT("/sign-out"), .continue_url = TG_TEXT("/notice"),
        .continue_label = TG_TEXT("code.alder.example"), .csrf = TG_TEXT("q3v0Jt8m"), .request = TG_TEXT("/authorize?a=b&c=d")};
    static const struct tg_refusal bare = {.login = {NULL, 0}};
    struct tg_facts facts = {.login = "mara", .subscribed = true, .paid_until_s = end_s};
    struct tg_facts none = {.login = "mara"};

    assert_int_equal(tg_refusal_pages_check(templates), 0);
    check_standing("expiring", &facts, end_s - 7 * DAY, &noticed);
    check_standing("expiring-between", &facts, end_s - 7 * DAY, &between);
    check_standing("grace-between", &facts, end_s + DAY, &between);
    check_standing("grace-readonly", &facts, end_s + DAY, &noticed);
    check_standing("grace-readonly-refused", &facts, end_s + DAY, &refused);
    check_standing("expired", &facts, end_s + 20 * DAY, &refused);
    check_standing("expired-bare", &facts, end_s + 20 * DAY, &bare);
    check_standing("ended", &facts, end_s + 200 * DAY, &refused);
    check_standing("without-subscription", &none, end_s, &refused);
    for (int kind = TG_HOLD_NONPAYMENT; kind <= TG_HOLD_GITEA; kind++) {
        TG_FREED char *name = tg_format("held-%s", tg_hold_kind_name((enum tg_hold_kind)kind));

        facts.hold = TG_HOLD_BLOCKED;
        facts.hold_kind = (enum tg_hold_kind)kind;
        facts.hold_since_s = end_s - 40 * DAY;
        check_standing(name, &facts, end_s - 30 * DAY, &refused);
        facts.hold_since_s = 0;
        facts.hold = TG_HOLD_READONLY;
        check_standing("held-bare", &facts, end_s - 30 * DAY, &bare);
    }
    facts.hold = TG_HOLD_NONE;
    rules.grace_level = 0;
    check_standing("grace-notice", &facts, end_s + DAY, &noticed);
    rules.takeout_url = rules.contact_url = NULL;
    check_standing("expired-alone", &facts, end_s + 20 * DAY, &refused);
}

/* The pages of a feature above: its slots are its own, here they only have to exist. */
struct account_slots {
    struct tg_text csrf, login, next, client, issuer, mismatch, notice, client_url, back_url;
};

static const struct tg_slot account_slots[] = {
    {"csrf", offsetof(struct account_slots, csrf)},
    {"login", offsetof(struct account_slots, login)},
    {"next", offsetof(struct account_slots, next)},
    {"client", offsetof(struct account_slots, client)},
    {"issuer", offsetof(struct account_slots, issuer)},
    {"mismatch", offsetof(struct account_slots, mismatch)},
    {"notice", offsetof(struct account_slots, notice)},
    {"client_url", offsetof(struct account_slots, client_url)},
    {"back_url", offsetof(struct account_slots, back_url)},
    {NULL},
};

static void check_account_page(const char *name, const char *template, const struct account_slots *values)
{
    struct tg_page page = {template, account_slots};
    struct tg_arena arena = {NULL};
    struct tg_reply reply = {.status = 200, .is_page = true, .content_type = "text/html; charset=utf-8"};

    assert_int_equal(tg_templates_check(templates, &page), 0);
    reply.body = tg_templates_fill(templates, &page, values, &arena);
    check_page(name, &reply);
    tg_arena_done(&arena);
}

static void sign_in_and_sign_out_have_their_pages(void **state)
{
    const struct account_slots first = {.csrf = TG_TEXT("q3v0Jt8m"), .client = TG_TEXT("code.alder.example"), .next = TG_TEXT("/authorize?a=b&c=d"),
                                        .issuer = TG_TEXT("https://id.alder.example")};
    struct account_slots again = first;
    const struct account_slots out = {.csrf = TG_TEXT("q3v0Jt8m"), .login = TG_TEXT("mara"), .client = TG_TEXT("code.alder.example"),
                                      .client_url = TG_TEXT("https://code.alder.example/explore"), .back_url = TG_TEXT("/")};

    check_account_page("sign-in", "sign-in", &first);
    again.login = TG_TEXT("mara\" autofocus=\"");
    again.mismatch = TG_TEXT("yes");
    check_account_page("sign-in-error", "sign-in", &again);
    again.mismatch = (struct tg_text){NULL, 0};
    again.notice = TG_TEXT("This page had been open too long. Sign in once more.");
    check_account_page("sign-in-notice", "sign-in", &again);
    check_account_page("sign-out", "sign-out", &out);
    check_account_page("signed-out", "signed-out", &out);
}

static void the_style_is_sent_once_and_then_confirmed(void **state)
{
    struct tg_reply first, second;
    struct tg_text etag = tg_templates_style_etag(templates);
    TG_FREED char *list = tg_format("\"x\", W/%.*s", TG_TEXT_ARGS(etag));

    keep_page("style", tg_templates_style(templates));
    tg_style_reply(templates, (struct tg_text){NULL, 0}, &first);
    assert_int_equal(first.status, 200);
    assert_true(first.body.len > 1000 && first.cacheable);
    assert_int_equal(etag.len, 45);
    tg_style_reply(templates, etag, &second);
    assert_int_equal(second.status, 304);
    tg_style_reply(templates, tg_text(list), &second);
    assert_int_equal(second.status, 304);
    tg_style_reply(templates, TG_TEXT("\"x\""), &second);
    assert_int_equal(second.status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_page),
        cmocka_unit_test(waiting_is_said_in_words_and_in_the_header),
        cmocka_unit_test(every_standing_has_its_page),
        cmocka_unit_test(sign_in_and_sign_out_have_their_pages),
        cmocka_unit_test(the_style_is_sent_once_and_then_confirmed),
    };
    int failed;

    if (tg_secret_init() != 0 || tg_templates_load(NULL, &templates) != 0)
        return 1;
    tg_templates_set_brand(templates, &(struct tg_brand){.operator_name = TG_TEXT("Alder & Code"), .help_url = TG_TEXT("https://id.alder.example/help"),
        .privacy_url = TG_TEXT("https://id.alder.example/privacy"), .imprint_url = TG_TEXT("https://id.alder.example/imprint"), .zone = "Europe/Berlin"});
    failed = RUN_TESTS(tests);
    tg_templates_free(templates);
    return failed;
}
