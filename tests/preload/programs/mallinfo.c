// mallinfo2() adds up; mallinfo() with more than INT_MAX bytes: argument "saturates" asks for that.
#include "program.h"

#include <limits.h>

enum { LARGE_COUNT = 6 };

int main(int argc, char **argv)
{
    (void)argv;
    void *small[1000];
    struct mallinfo2 before = mallinfo2();
    for (size_t i = 0; i < 1000; i++) small[i] = malloc(160);
    struct mallinfo2 after = mallinfo2();
    EXPECT(after.uordblks >= before.uordblks + (size_t)1000 * 160);
    EXPECT(after.arena == after.uordblks + after.fordblks);

    void *large[LARGE_COUNT]; // never touched
    for (size_t i = 0; i < LARGE_COUNT; i++) EXPECT((large[i] = malloc(512 * MIB)) != NULL);
    struct mallinfo2 wide = mallinfo2();
    EXPECT(wide.hblks == after.hblks + LARGE_COUNT);
    EXPECT(wide.hblkhd >= after.hblkhd + LARGE_COUNT * 512 * MIB);
    if (argc > 1) {
        struct mallinfo narrow = mallinfo();
        EXPECT(narrow.hblkhd == INT_MAX);
        EXPECT(narrow.hblks == (int)wide.hblks);
        EXPECT(narrow.arena >= 0 && narrow.uordblks >= 0 && narrow.fordblks >= 0);
    }
    for (size_t i = 0; i < LARGE_COUNT; i++) free(large[i]);
    EXPECT(mallinfo2().hblkhd == after.hblkhd);
    for (size_t i = 0; i < 1000; i++) free(small[i]);
    EXPECT(mallinfo2().uordblks <= after.uordblks);
    return 0;
}
