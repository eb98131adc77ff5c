// M_TRIM_THRESHOLD -1 keeps freed memory; malloc_trim(0) returns it and says so.
#include "program.h"

enum { BLOCKS = 64 * 1024 };

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
    exercise(5);
    return 0;
}
