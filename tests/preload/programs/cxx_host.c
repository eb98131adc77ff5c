// A C program that loads a C++ plug-in privately, uses it from two threads, and unloads it.
#include "program.h"

#include <dlfcn.h>
#include <pthread.h>

static char *(*describe)(int count);
static void (*consume)(void *block);
static void *(*create)(void);
static void (*destroy)(void *text);

static void find(void *library, const char *name, void *function_out)
{
    void *found = dlsym(library, name);
    EXPECT(found != NULL);
    memcpy(function_out, &found, sizeof found);
}

static void *use(void *unused)
{
    for (int i = 0; i < 300; i++) {
        char *text = describe(i % 50 + 1);
        EXPECT(text != NULL && strncmp(text, "and 0 ", 6) == 0);
        free(text);
        consume(malloc((size_t)i));
        destroy(create());
    }
    return unused;
}

int main(int argc, char **argv)
{
    EXPECT(argc == 2);
    for (int round = 0; round < 3; round++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) dprintf(STDERR_FILENO, "%s\n", dlerror());
        EXPECT(library != NULL);
        find(library, "describe", &describe);
        find(library, "consume", &consume);
        find(library, "create", &create);
        find(library, "destroy", &destroy);
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, use, NULL) == 0);
        use(NULL);
        EXPECT(pthread_join(thread, NULL) == 0);
        EXPECT(dlclose(library) == 0);
    }
    exercise(1);
    return 0;
}
