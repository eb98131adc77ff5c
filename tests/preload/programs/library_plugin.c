// A library for unloading.c. NAME is what its allocating function is called; PADDING moves it, so
// that another library has other code at the same address.
#include <stdlib.h>

#define SITE __attribute__((noinline, noclone))

static void *volatile sink;

#ifdef PADDING
SITE void padding(void)
{
    __asm__(".skip " PADDING ", 0x90");
}
#endif

SITE void NAME(void)
{
    free(malloc(33));
    sink = malloc(33);
}

__attribute__((visibility("default"))) void plugin(void)
{
    NAME();
    sink = NULL; // no tail call
}
