// A program that confines itself, then allocates at many stacks: confined lock STACKS,
// confined limit STACKS MIB, or confined not STACKS. Says at how many, or having locked its memory
// how many bytes of it are in RAM; status 77: it may not lock.
#include "program.h"
#include "stacks.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>

static void *volatile sink; // so that no call is optimised away

static void take_two(void)
{
    free(malloc(50));
    void *block = malloc(60);
    EXPECT(block != NULL);
    sink = block;
}

int main(int argc, char **argv)
{
    EXPECT(argc >= 3);
    bool is_locked = strcmp(argv[1], "lock") == 0;
    if (is_locked && mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return 77;
    if (strcmp(argv[1], "limit") == 0) {
        EXPECT(argc == 4);
        size_t size = strtoul(argv[3], NULL, 10) * MIB;
        const struct rlimit limit = {size, size};
        EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
    }
    unsigned long stacks = strtoul(argv[2], NULL, 10);
    for (unsigned long i = 0; i < stacks; i++) wind(stacks + i, take_two);
    printf("%zu\n", is_locked ? resident_bytes() : stacks);
    return 0;
}
