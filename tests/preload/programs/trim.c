// M_TRIM_THRESHOLD -1 keeps freed memory; malloc_trim(0) returns it and says so; a threshold that
// is named is kept to at once, by the free that passes it.
#include "program.h"

enum { BLOCKS = 64 * 1024 };

// 24 MiB, less than any helper comes for.
static void free_what_a_threshold_lets_go(void)
{
    static void *large[24];
    EXPECT(mallopt(M_TRIM_THRESHOLD, 64 * 1024) == 1);
    size_t before = resident_bytes();
    for (size_t i = 0; i < 24; i++) large[i] = memset(malloc(MIB - 100), 1, MIB - 100);
    for (size_t i = 24; i-- > 0;) free(large[i]);
    EXPECT(resident_bytes() < before + 3 * MIB);
}

int main(void)
{
    static void *blocks[BLOCKS];
    EXPECT(mallopt(M_TRIM_THRESHOLD, -1) == 1);
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = memset(malloc(1000), 1, 1000);
    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
    sleep(1);
    size_t kept = resident_bytes();
    EXPECT(kept > 48 * MIB);
    EXPECT(malloc_trim(0) == 1);
    EXPECT(resident_bytes() < kept - 48 * MIB);
    free_what_a_threshold_lets_go();
    exercise(5);
    return 0;
}
