// Loads and unloads libraries again and again: unloading COUNT LIBRARY… Each has a function
// plugin() that allocates two blocks of 33 bytes and frees one.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    for (long i = 0; i < atol(argv[1]); i++) {
        void *library = dlopen(argv[2 + i % (argc - 2)], RTLD_NOW | RTLD_LOCAL);
        if (!library) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        void (*plugin)(void);
        *(void **)&plugin = dlsym(library, "plugin");
        plugin();
        dlclose(library);
    }
    return 0;
}
