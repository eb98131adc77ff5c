// M_PERTURB: the byte's complement in new blocks, the byte in freed ones, zeroes from calloc().
// Argument "set": something else (the environment) has set it to 85 already.
#include "program.h"

#include <stdbool.h>

enum { BYTE = 85 }; // 0x55, complement 0xaa

// Reading a freed block is what this program is about.
#pragma GCC diagnostic ignored "-Wuse-after-free"

static bool is_filled(const volatile unsigned char *bytes, size_t size, unsigned char byte)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != byte) return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc < 2) EXPECT(mallopt(M_PERTURB, BYTE) == 1);
    // Larger than glibc's thread caches, which it does not fill.
    unsigned char *block = malloc(5000);
    unsigned char *neighbour = malloc(5000);
    EXPECT(is_filled(block, 5000, BYTE ^ 0xff));
    memset(block, 1, 5000);
    free(block);
    EXPECT(is_filled(block + 64, 4000, BYTE)); // a heap may keep notes at the ends
    unsigned char *zeroes = calloc(100, 50);
    EXPECT(is_filled(zeroes, 5000, 0));
    unsigned char *aligned = aligned_alloc(512, 5120);
    EXPECT(is_filled(aligned, 5120, BYTE ^ 0xff));

    memset(neighbour, 7, 5000);
    unsigned char *grown = realloc(neighbour, 100000);
    EXPECT(is_filled(grown, 5000, 7));
    grown = realloc(grown, 50);
    EXPECT(malloc_usable_size(grown) < 100 && is_filled(grown, 50, 7));
    free(grown);
    free(zeroes);
    free(aligned);

    EXPECT(mallopt(M_PERTURB, 0) == 1);
    exercise(3);
    return 0;
}
