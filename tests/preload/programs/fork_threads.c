// fork() amid eight threads that allocate and pass blocks on: the child, where they are gone, is a
// full program: it allocates, frees what the parent's threads made, makes threads, forks again.
// It frees only what those threads made before the first fork. What they pass on meanwhile it must
// not touch: fork() is no snapshot, its pages are copied while the threads go on.
#include "program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

enum { THREADS = 8, FORKS = 40, SLOTS = 256, KEPT = 32 };

static atomic_bool is_over;
static _Atomic(void *) slots[SLOTS]; // blocks on their way from one thread to another
static unsigned char *kept[THREADS][KEPT];
static pthread_barrier_t all_kept;

static void *allocate_and_pass_on(void *argument)
{
    size_t self = (size_t)argument;
    unsigned random = (unsigned)self;
    for (size_t i = 0; i < KEPT; i++) {
        size_t size = program_sizes[i % PROGRAM_SIZES];
        EXPECT((kept[self][i] = malloc(size)) != NULL);
        kept[self][i][0] = kept[self][i][size - 1] = (unsigned char)i;
    }
    pthread_barrier_wait(&all_kept);
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        random = random * 1664525 + 1013904223;
        size_t size = program_sizes[(random >> 8) % (PROGRAM_SIZES - 1)];
        char *block = malloc(size);
        EXPECT(block != NULL);
        block[0] = block[size - 1] = 1;
        free(atomic_exchange(&slots[(random >> 16) % SLOTS], block));
    }
    return NULL;
}

static void *exercise_once(void *unused)
{
    exercise(11);
    return unused;
}

static void live_as_child(bool is_grandchild)
{
    for (size_t i = 0; i < THREADS * KEPT; i++) {
        if (i % 2 != is_grandchild) continue; // the child has freed the even ones
        unsigned char *block = kept[i / KEPT][i % KEPT];
        EXPECT(block[0] == i % KEPT);
        EXPECT(block[program_sizes[i % KEPT % PROGRAM_SIZES] - 1] == i % KEPT);
        free(block);
    }
    exercise(2);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, exercise_once, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    (void)malloc_trim(0);
}

static void have_grandchild(void)
{
    pid_t grandchild = fork();
    EXPECT(grandchild >= 0);
    if (grandchild == 0) {
        live_as_child(true);
        _exit(0);
    }
    int status;
    EXPECT(waitpid(grandchild, &status, 0) == grandchild && status == 0);
}

int main(void)
{
    pthread_t threads[THREADS];
    EXPECT(pthread_barrier_init(&all_kept, NULL, THREADS + 1) == 0);
    for (size_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, allocate_and_pass_on, (void *)i) == 0);
    }
    pthread_barrier_wait(&all_kept);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        EXPECT(child >= 0);
        if (child == 0) {
            live_as_child(false);
            have_grandchild();
            exit(0); // exit handlers, too
        }
        int status;
        EXPECT(waitpid(child, &status, 0) == child);
        EXPECT(status == 0);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < SLOTS; i++) free(atomic_load(&slots[i]));
    return 0;
}
