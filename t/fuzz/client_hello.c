/* The first bytes of any TLS connection, before anybody has been identified. */
#include <stdlib.h>
#include "http/client_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tg_client_hello hello;
    int whole = tg_client_hello_read(tg_text_n((const char *)data, size), &hello);

    if (whole == 0 && strlen(hello.name) >= TG_HELLO_NAME)
        abort();
    /* the same bytes arriving one by one get the same answer in the end */
    int first = TG_HELLO_INCOMPLETE;
    for (size_t n = 0; n <= size && n < 2048 && first == TG_HELLO_INCOMPLETE; n++)
        first = tg_client_hello_read(tg_text_n((const char *)data, n), &hello);
    if (size < 2048 && first != whole)
        abort();
    return 0;
}
