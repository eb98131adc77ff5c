// A library that hands out blocks and is unloaded before they are freed.
#include "program.h"

static void *own;

void *make(size_t size);
void *make(size_t size)
{
    void *block = malloc(size);
    return block ? memset(block, 8, size) : NULL;
}

__attribute__((constructor)) static void begin(void)
{
    own = malloc(1000);
}

__attribute__((destructor)) static void end(void)
{
    free(own);
}
