// Program: what the tiny programs share that run on a heap as somebody else's program would.
// They are ordinary programs: run without the preload object they must succeed too, which proves
// that a failure with it is the heap's.
#pragma once

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

#define EXPECT(x)                                                                                  \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            dprintf(STDERR_FILENO, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x);                 \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

// Sizes from every part of a heap: tiny, small, page runs, and a mapping of its own.
static const size_t program_sizes[] = {1, 24, 100, 513, 4000, 33000, 300000, 2500000};
#define PROGRAM_SIZES (sizeof program_sizes / sizeof program_sizes[0])

// Memory of this process that is in RAM.
static inline size_t resident_bytes(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    size_t all = 0;
    size_t resident = 0;
    EXPECT(statm != NULL && fscanf(statm, "%zu %zu", &all, &resident) == 2);
    fclose(statm);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

// Allocates, fills, checks and frees one block of every kind; `seed` differs between callers.
static inline void exercise(unsigned seed)
{
    unsigned char *blocks[PROGRAM_SIZES];
    for (size_t i = 0; i < PROGRAM_SIZES; i++) {
        blocks[i] = (unsigned char *)malloc(program_sizes[i]); // C++ wants the cast
        EXPECT(blocks[i] != NULL);
        memset(blocks[i], (int)(seed + i), program_sizes[i]);
    }
    for (size_t i = 0; i < PROGRAM_SIZES; i++) {
        unsigned char byte = (unsigned char)(seed + i);
        EXPECT(blocks[i][0] == byte && blocks[i][program_sizes[i] - 1] == byte);
        free(blocks[i]);
    }
}
