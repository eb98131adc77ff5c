// fork() in a program whose library allocates in its fork handlers, with and without other threads.
#include "program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

void *library_block(void); // of library_early.c

static atomic_bool is_over;

static void *keep_busy(void *unused)
{
    while (!atomic_load(&is_over)) exercise(1);
    return unused;
}

static void fork_once(void)
{
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        exercise(5);
        _exit(0);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

int main(void)
{
    free(library_block());
    fork_once();
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        EXPECT(pthread_create(&threads[i], NULL, keep_busy, NULL) == 0);
    }
    for (int i = 0; i < 20; i++) fork_once();
    atomic_store(&is_over, true);
    for (size_t i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return 0;
}
