// Destructors of thread-specific data that allocate and free, in every round that POSIX allows,
// with keys made before and after the heap may have made one; joined and detached threads; and a
// thread whose library has thread-local storage that the loader allocates and frees.
#include "program.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

enum { KEYS = 40, THREADS = 50 };

static pthread_key_t keys[KEYS];
static atomic_int destructions;
static atomic_int detached_left;
static int *(*library_counter)(void);

struct value {
    size_t key;
    int rounds_left;
};

static void set_value(size_t key, int rounds)
{
    struct value *value = malloc(sizeof *value);
    EXPECT(value != NULL);
    *value = (struct value){.key = key, .rounds_left = rounds};
    EXPECT(pthread_setspecific(keys[key], value) == 0);
}

static void destroy(void *pointer)
{
    struct value *value = pointer;
    exercise((unsigned)value->key);
    if (value->rounds_left > 0) set_value(value->key, value->rounds_left - 1);
    free(value);
    atomic_fetch_add(&destructions, 1);
}

static void *live(void *unused)
{
    (*library_counter())++; // allocated by the loader on first touch, freed after the destructors
    for (size_t i = 0; i < KEYS; i++) set_value(i, 2);
    return unused;
}

static void *live_detached(void *unused)
{
    live(NULL);
    atomic_fetch_sub(&detached_left, 1); // its destructors run after this
    return unused;
}

int main(int argc, char **argv)
{
    EXPECT(argc == 2);
    for (size_t i = 0; i < KEYS / 2; i++) EXPECT(pthread_key_create(&keys[i], destroy) == 0);
    exercise(0);
    for (size_t i = KEYS / 2; i < KEYS; i++) EXPECT(pthread_key_create(&keys[i], destroy) == 0);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    EXPECT(library != NULL);
    EXPECT((*(void **)&library_counter = dlsym(library, "counter")) != NULL);

    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, live, NULL) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
    }
    EXPECT(atomic_load(&destructions) == THREADS * KEYS * 3);

    atomic_store(&detached_left, THREADS);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, live_detached, NULL) == 0);
        EXPECT(pthread_detach(thread) == 0);
    }
    while (atomic_load(&destructions) < 2 * THREADS * KEYS * 3) usleep(1000);
    exercise(1);
    return 0;
}
