// malloc_info() into a stream that must allocate its buffer, with live, free and large blocks.
#include "program.h"

#include <errno.h>

int main(void)
{
    void *kept[500];
    for (size_t i = 0; i < 500; i++) kept[i] = malloc(i * 7 + 1);
    for (size_t i = 0; i < 500; i += 3) {
        free(kept[i]);
        kept[i] = NULL;
    }
    void *large = malloc(64 * MIB);

    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    EXPECT(stream != NULL);
    EXPECT(malloc_info(1, stream) == EINVAL);
    EXPECT(fflush(stream) == 0 && size == 0);
    EXPECT(malloc_info(0, stream) == 0);
    EXPECT(fclose(stream) == 0 && size == strlen(text));
    fputs(text, stdout);

    free(text);
    free(large);
    for (size_t i = 0; i < 500; i++) free(kept[i]);
    return 0;
}
