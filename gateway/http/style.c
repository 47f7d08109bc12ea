#include "http/style.h"

/* Whether the list of entity tags names ours; "W/" does not count in this comparison (RFC 9110 8.8.3.2). */
static bool has_tag(struct tg_text list, struct tg_text etag)
{
    while (list.len > 0) {
        struct tg_text tag = tg_text_trim(tg_text_cut(&list, ','));

        if (tg_text_starts(tag, "W/"))
            tag = tg_text_n(tag.base + 2, tag.len - 2);
        if (tg_text_is(tag, "*") || tg_text_same(tag, etag))
            return true;
    }
    return false;
}

void tg_style_reply(struct tg_templates *templates, struct tg_text if_none_match, struct tg_reply *reply)
{
    struct tg_text etag = tg_templates_style_etag(templates);

    *reply = (struct tg_reply){.status = 200, .content_type = "text/css; charset=utf-8", .body = tg_templates_style(templates),
                               .cacheable = true};
    tg_reply_header(reply, TG_TEXT("etag"), etag);
    /* an hour without asking, then a 304: a changed look arrives the same day */
    tg_reply_header(reply, TG_TEXT("cache-control"), TG_TEXT("public, max-age=3600"));
    if (has_tag(if_none_match, etag)) {
        reply->status = 304;
        reply->body = (struct tg_text){NULL, 0};
    }
}
