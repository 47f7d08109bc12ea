/* What a load balancer puts before a connection; and, as the value of a header, what it says of where it was asked from. */
#include <stdlib.h>
#include "http/forwarded.h"
#include "http/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_header(struct tg_text bytes)
{
    struct tg_proxy_header header, again;
    int whole = tg_proxy_header_read(bytes, &header);

    if (whole == 0 && (header.len > bytes.len || header.len < 16 || header.len > TG_PROXY_HEADER_LIMIT))
        abort();
    /* the same bytes arriving one by one get the same answer in the end, and never one that is taken back */
    int first = TG_PROXY_INCOMPLETE;
    size_t n = 0;
    for (; n <= bytes.len && first == TG_PROXY_INCOMPLETE; n++)
        first = tg_proxy_header_read(tg_text_n(bytes.base, n), &again);
    if (first != whole || (whole == 0 && (again.len != n - 1 || again.len != header.len || again.is_known != header.is_known)))
        abort();
}

static void check_forwarded(struct tg_text bytes)
{
    struct tg_network trusted[2];
    struct tg_conf_list networks = {trusted, 2}, nobody = {NULL, 0};
    struct tg_text values[2], rest = bytes;
    struct tg_ip client, last;

    if (tg_network_read(TG_TEXT("10.0.0.0/8"), &trusted[0]) != 0 || tg_network_read(TG_TEXT("fd00::/8"), &trusted[1]) != 0)
        abort();
    values[0] = tg_text_cut(&rest, '\n');
    values[1] = rest;
    size_t count = rest.base != NULL ? 2 : 1;
    bool found = tg_forwarded_for(values, count, &networks, &client);
    /* who trusts nobody takes the last hop; it is read if any is */
    if (tg_forwarded_for(values, count, &nobody, &last) != found)
        abort();
    if (found && !tg_is_trusted(&networks, &last) && memcmp(&last, &client, sizeof(last)) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_text bytes = tg_text_n((const char *)data, size);

    if (size <= 8192)
        check_header(bytes);
    check_forwarded(bytes);
    return 0;
}
