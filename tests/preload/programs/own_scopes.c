// Loads a library with RTLD_DEEPBIND, from threads at the same time and from a child, then asks
// dlsym() for the malloc of libc itself, as foreign function interfaces do: own_scopes LIBRARY
// [BY-SPACE].
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4 };

static const char *path;
static int is_named_space;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, dlerror());
    exit(1);
}

static void *trade_with_library(void *argument)
{
    const int mode = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
    void *library = is_named_space ? dlmopen(LM_ID_BASE, path, mode) : dlopen(path, mode);
    if (!library) fail("dlopen");
    char *(*trade)(char *) = (char *(*)(char *))dlsym(library, "trade");
    if (!trade) fail("dlsym");
    for (int i = 0; i < 100; i++) {
        char *text = trade(strcpy(malloc(100), "a text"));
        if (!text || strcmp(text, "a text") != 0) fail("trade");
        free(text);
    }
    return argument;
}

static void trade_with_libc(void)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW);
    if (!libc) fail("libc");
    void (*libc_free)(void *) = (void (*)(void *))dlsym(libc, "free");
    void *(*libc_malloc)(size_t) = (void *(*)(size_t))dlsym(libc, "malloc");
    void *(*versioned)(size_t, size_t) =
        (void *(*)(size_t, size_t))dlvsym(libc, "calloc", "GLIBC_2.2.5");
    libc_free(malloc(50));
    libc_free(strdup("a text"));
    free(libc_malloc(50));
    free(versioned(5, 10));
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    is_named_space = argc > 2;
    path = argv[1];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, trade_with_library, NULL)) return 3;
    }
    pid_t child = fork();
    if (child == 0) {
        trade_with_library(NULL);
        trade_with_libc();
        _exit(0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    trade_with_libc();
    int status;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 4;
}
