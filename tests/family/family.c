#include "family.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

const size_t edge_sizes[] = {
    0,
    1,
    8,
    15,
    16,
    17,
    24,
    25,
    32,
    64,
    128,
    256,
    511,
    512,
    513,
    576,
    640,
    1000,
    1024,
    1025,
    1032,
    2048,
    4072,
    4088,
    4096,
    4097,
    8192,
    16 * KIB,
    32 * KIB,
    32 * KIB + 1,
    36 * KIB,
    64 * KIB,
    64 * KIB + 1,
    100 * KIB,
    127 * KIB,
    128 * KIB,
    128 * KIB + 1,
    256 * KIB,
    512 * KIB,
    MIB,
    MIB + 1,
    2 * MIB,
    3 * MIB,
    4 * MIB,
    4 * MIB + 1,
    8 * MIB + 3,
    16 * MIB,
    16 * MIB + 1,
    33 * MIB,
};
const size_t edge_sizes_count = sizeof edge_sizes / sizeof edge_sizes[0];

const size_t impossible_sizes[] = {
    SIZE_MAX,           SIZE_MAX - 1,
    SIZE_MAX - 7,       SIZE_MAX - 15,
    SIZE_MAX - 16,      SIZE_MAX - 31,
    SIZE_MAX - 4094,    SIZE_MAX - 4095,
    SIZE_MAX - 65535,   SIZE_MAX - (2 * MIB - 1),
    SIZE_MAX - GIB,     SIZE_MAX / 2 + 4096,
    SIZE_MAX / 2 + 2, // PTRDIFF_MAX + 2
    SIZE_MAX / 2 + 1, // PTRDIFF_MAX + 1
    PTRDIFF_MAX,        PTRDIFF_MAX - 15,
    PTRDIFF_MAX - 4095, PTRDIFF_MAX - 65535,
    (size_t)1 << 62,    (size_t)1 << 56,
    (size_t)1 << 48, // twice what a process can address
    (size_t)1 << 47,
};
const size_t impossible_sizes_count = sizeof impossible_sizes / sizeof impossible_sizes[0];

size_t size_hidden(size_t size)
{
    __asm__ volatile("" : "+r"(size));
    return size;
}

void *pointer_hidden(void *pointer)
{
    __asm__ volatile("" : "+r"(pointer)::"memory");
    return pointer;
}

bool is_aligned(const void *pointer, size_t align)
{
    return (uintptr_t)pointer % align == 0;
}

bool is_filled_with(const void *block, size_t size, unsigned char byte)
{
    const unsigned char *bytes = block;
    return size == 0 || (bytes[0] == byte && memcmp(bytes, bytes + 1, size - 1) == 0);
}

// One step of splitmix64.
static uint64_t mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

void pattern_fill(void *block, size_t size, uint64_t seed)
{
    unsigned char *bytes = block;
    size_t at = 0;
    for (; size - at >= 8; at += 8) {
        uint64_t word = mix(seed + at);
        memcpy(bytes + at, &word, 8);
    }
    uint64_t word = mix(seed + at);
    memcpy(bytes + at, &word, size - at);
}

size_t pattern_verify(const void *block, size_t size, uint64_t seed)
{
    const unsigned char *bytes = block;
    for (size_t at = 0; at < size; at += 8) {
        size_t count = size - at < 8 ? size - at : 8;
        uint64_t word = mix(seed + at);
        if (memcmp(bytes + at, &word, count) != 0) {
            unsigned char want[8];
            memcpy(want, &word, 8);
            size_t i = 0;
            while (bytes[at + i] == want[i]) i++;
            return at + i;
        }
    }
    return size;
}

void pages_touch(void *block, size_t size)
{
    volatile unsigned char *bytes = block;
    for (size_t at = 0; at < size; at += 4096) bytes[at] = (unsigned char)(at >> 12);
    if (size > 0) bytes[size - 1] = 0xff;
}

uint64_t seed_choose(const char *test)
{
    uint64_t seed = 0;
    const char *given = getenv("FAMILY_SEED");
    if (given)
        seed = strtoull(given, NULL, 0);
    else if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        abort();
    print_message("# %s: FAMILY_SEED=%#llx\n", test, (unsigned long long)seed);
    return seed;
}

uint64_t random_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    return mix(*state);
}

size_t random_size(uint64_t *state, size_t bound)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(bound);
    size_t mask = ((size_t)1 << random_next(state) % (bits + 1)) - 1;
    return (random_next(state) & mask) % bound;
}

size_t resident_bytes(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (len <= 0) abort();
    (void)close(fd); // it was only read
    text[len] = 0;
    unsigned long long pages = 0;
    if (sscanf(text, "%*u %llu", &pages) != 1) abort();
    return (size_t)pages * 4096;
}
