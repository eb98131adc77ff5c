#include "cxx_counting.h"

#include <cstdlib>

volatile long counted_new;
volatile long counted_delete;

void *operator new(std::size_t size)
{
    counted_new = counted_new + 1;
    void *block = std::malloc(size);
    if (!block) throw std::bad_alloc();
    return block;
}

void operator delete(void *block) noexcept
{
    if (block) counted_delete = counted_delete + 1;
    std::free(block);
}

void operator delete(void *block, std::size_t) noexcept
{
    operator delete(block);
}

static long balance_at_start;

__attribute__((constructor)) static void remember()
{
    balance_at_start = counted_new - counted_delete;
}

long at_start()
{
    return balance_at_start;
}
