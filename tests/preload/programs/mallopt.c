// mallopt() returns what glibc's returns, parameter by parameter.
#include "program.h"

#include <limits.h>

int main(void)
{
    EXPECT(mallopt(M_MXFAST, 0) == 1);
    EXPECT(mallopt(M_MXFAST, 160) == 1); // glibc's largest: 80 * sizeof(size_t) / 4
    EXPECT(mallopt(M_MXFAST, 161) == 0);
    EXPECT(mallopt(M_MXFAST, -1) == 0);
    EXPECT(mallopt(M_TOP_PAD, 4096) == 1);
    EXPECT(mallopt(M_MMAP_MAX, 65536) == 1);
    EXPECT(mallopt(M_CHECK_ACTION, 3) == 1);
    EXPECT(mallopt(M_ARENA_TEST, 1) == 1);
    EXPECT(mallopt(M_ARENA_MAX, 2) == 1);
    EXPECT(mallopt(M_ARENA_MAX, -2) == 1);
    EXPECT(mallopt(M_TRIM_THRESHOLD, 0) == 1);
    EXPECT(mallopt(M_TRIM_THRESHOLD, -1) == 1);
    EXPECT(mallopt(M_MMAP_THRESHOLD, INT_MAX) == 1);
    EXPECT(mallopt(M_PERTURB, 0) == 1);
    EXPECT(mallopt(4711, 1) == 1); // unknown
    EXPECT(mallopt(-4711, 1) == 1);

    EXPECT(mallopt(M_MMAP_THRESHOLD, 64 * 1024) == 1);
    size_t before = mallinfo2().hblks;
    void *direct = malloc(128 * KIB);
    EXPECT(direct != NULL && mallinfo2().hblks == before + 1);
    free(direct);
    EXPECT(mallinfo2().hblks == before);
    EXPECT(mallopt(M_MMAP_THRESHOLD, 16 * 1024 * 1024) == 1);
    void *shared = malloc(128 * KIB);
    EXPECT(shared != NULL && mallinfo2().hblks == before);
    free(shared);
    exercise(1);
    return 0;
}
