// Prints the file that malloc() comes from; it allocates only through others.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    char *copy = strdup("a block that libc asked for");
    Dl_info info;
    void *found = dlsym(RTLD_DEFAULT, "malloc");
    if (copy == NULL || found == NULL || dladdr(found, &info) == 0) return 1;
    puts(info.dli_fname);
    return 0;
}
