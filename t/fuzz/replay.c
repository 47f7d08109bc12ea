/*
 * replay.c - runs a fuzz target over the files of its corpus, once each
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include "base/file.h"
#include "base/result.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    size_t count = 0;

    if (directory == NULL) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(directory)) != NULL) {
        TG_STRING bytes = {NULL};
        TG_FREED char *path = tg_format("%s/%s", argv[1], entry->d_name);

        if (entry->d_name[0] == '.' || tg_file_read(path, 1 << 22, &bytes) != 0)
            continue;
        LLVMFuzzerTestOneInput((const uint8_t *)tg_string_text(&bytes).base, bytes.len);
        ++count;
    }
    closedir(directory);
    printf("%zu inputs\n", count);
    return count != 0 ? 0 : 1;
}
