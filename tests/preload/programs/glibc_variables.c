// Prints what MALLOC_PERTURB_ and MALLOC_MMAP_THRESHOLD_ have set: the byte that fills new blocks
// (its complement is what was set), and whether blocks of 1 000 000 bytes and of 64 MiB are mapped
// alone.
#include "program.h"

static size_t mapped_alone(size_t size)
{
    size_t before = mallinfo2().hblks;
    void *volatile block = malloc(size);
    EXPECT(block != NULL);
    size_t count = mallinfo2().hblks - before;
    free(block);
    return count;
}

int main(void)
{
    unsigned char *volatile block = malloc(5000);
    EXPECT(block != NULL);
    unsigned byte = block[100];
    free(block);
    size_t middling = mapped_alone(1000000);
    size_t huge = mapped_alone(64 * MIB);
    printf("%02x %zu %zu\n", byte, middling, huge);
    return 0;
}
