// The same load for as long as it is told: steady events NUMBER, or steady seconds NUMBER by
// CLOCK_MONOTONIC, as it sees it. Says how many events there were.
#include "program.h"

#include <stdbool.h>
#include <time.h>

#define SITE __attribute__((noinline, noclone))

enum { STACKS = 256, KEPT = 64 };

static void *volatile sink; // so that no call is optimised away
static void *kept[KEPT];
static unsigned long events;

// Another stack for each number; what one allocates another frees.
SITE static void wind(unsigned long way, unsigned long slot)
{
    if (way > 1 && way % 2) {
        wind(way / 2, slot);
    } else if (way > 1) {
        wind(way / 2, slot);
    } else {
        free(kept[slot]);
        kept[slot] = malloc(16 + slot);
        EXPECT(kept[slot] != NULL);
        events += 2;
    }
    sink = NULL; // no tail calls
}

static long long now_ns(void)
{
    struct timespec now;
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char **argv)
{
    EXPECT(argc == 3);
    unsigned long number = strtoul(argv[2], NULL, 10);
    bool is_timed = strcmp(argv[1], "seconds") == 0;
    long long end = now_ns() + (long long)number * 1000000000;
    // Every stack and slot at least once, so that two runs differ in nothing but how long they are.
    for (unsigned long i = 0; i < STACKS * KEPT || (is_timed ? now_ns() < end : events < number);
         i++) {
        wind(STACKS + i % STACKS, i / STACKS % KEPT);
    }
    for (int i = 0; i < KEPT; i++) free(kept[i]);
    printf("%lu\n", events);
    return 0;
}
