// A library is loaded and unloaded again and again; its blocks stay good after it is gone.
#include "program.h"

#include <dlfcn.h>

enum { ROUNDS = 200 };

int main(int argc, char **argv)
{
    static unsigned char *blocks[ROUNDS];
    EXPECT(argc == 2);
    for (size_t i = 0; i < ROUNDS; i++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        EXPECT(library != NULL);
        void *(*make)(size_t);
        EXPECT((*(void **)&make = dlsym(library, "make")) != NULL);
        EXPECT((blocks[i] = make(i * 20 + 1)) != NULL);
        EXPECT(dlclose(library) == 0);
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        EXPECT(blocks[i][0] == 8 && blocks[i][i * 20] == 8);
        free(blocks[i]);
    }
    exercise(1);
    return 0;
}
