// Children whose first calls of the family come from several threads at once, on stacks that libc
// still has, so that nothing is allocated to make them: fork_pools CHILDREN. Says how many died.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, BLOCKS = 1000 };

static void *work(void *argument)
{
    for (int i = 0; i < BLOCKS; i++) free(malloc(30));
    return argument;
}

static void run_pool(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
    int children = argc > 1 ? atoi(argv[1]) : 1;
    int died = 0;
    run_pool();
    for (int i = 0; i < children; i++) {
        pid_t child = fork();
        if (child == 0) {
            run_pool();
            _exit(0);
        }
        int status;
        died += waitpid(child, &status, 0) != child || status != 0;
    }
    dprintf(1, "%d\n", died);
    return 0;
}
