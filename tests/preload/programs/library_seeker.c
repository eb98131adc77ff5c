// Loads a library by its bare name: it is found only if the loader looks where this one's RUNPATH
// says.
#include <dlfcn.h>
#include <stddef.h>

int seek(void);

int seek(void)
{
    return dlopen("library_sought.so", RTLD_NOW) != NULL;
}
