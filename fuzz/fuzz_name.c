// Any text as a function's name: folding and cutting end, stay in their buffers, and give what a
// terminal may be shown.
#include "profile/wrappers.h"
#include "report/letters.h"
#include "symbols/fold.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *full = malloc(size + 1);
    char *shown = malloc(size + 1 + LETTERS_SPARE);
    if (!full || !shown) abort();
    memcpy(full, data, size);
    full[size] = '\0';
    char *name = fold(full);
    if (!name) abort();
    require(strlen(name) <= strlen(full));
    (void)wrapper_is_function(name);
    (void)wrapper_is_module(name);
    for (size_t columns = 0; columns < 40; columns += 3) {
        for (int has_unicode = 0; has_unicode < 2; has_unicode++) {
            letters_show(name, has_unicode, shown, size + 1);
            letters_cut(shown, columns, has_unicode);
            require(letters_width(shown) <= columns);
            letters_show(full, has_unicode, shown, size + 1);
            letters_cut_end(shown, columns, has_unicode);
            require(letters_width(shown) <= columns);
        }
    }
    free(shown);
    free(name);
    free(full);
    return 0;
}
