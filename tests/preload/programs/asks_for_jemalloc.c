// Looks for jemalloc as MariaDB does, which asks what it finds for its version and prints that.
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

int main(void)
{
    int (*control)(const char *, void *, size_t *, void *, size_t);
    const char *version = NULL;
    size_t size = sizeof version;
    *(void **)&control = dlsym(RTLD_DEFAULT, "mallctl");
    if (control) (void)control("version", &version, &size, NULL, 0);
    puts(control ? version : dlerror());
    return 0;
}
