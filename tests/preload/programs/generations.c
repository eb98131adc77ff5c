// Children, and children of these, each of which allocates, makes a thread and lets code go; and a
// handler that forks, whatever it interrupts. Ends with the number of children that were killed.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORKS = 20, TICK_US = 1000 };

static volatile sig_atomic_t is_child;
static volatile sig_atomic_t forks;
static volatile sig_atomic_t killed;

static void use(void)
{
    void *volatile block = malloc(40);
    free(block);
}

static void *use_in_thread(void *nothing)
{
    use();
    return nothing;
}

static void wait_for(pid_t child)
{
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) killed++;
}

static void beget(int generations)
{
    for (int i = 0; i < 2 && generations > 0; i++) {
        pid_t child = fork();
        if (child == 0) {
            pthread_t thread;
            if (i == 0) use();
            if (pthread_create(&thread, NULL, use_in_thread, NULL) != 0) _exit(100);
            if (pthread_join(thread, NULL) != 0) _exit(101);
            void *library = dlopen("libm.so.6", RTLD_NOW);
            if (library) (void)dlclose(library);
            beget(generations - 1);
            _exit(killed);
        }
        wait_for(child);
    }
}

static void tick(int number)
{
    pid_t child = fork();
    forks++;
    if (child != 0) {
        wait_for(child);
        return;
    }
    is_child = 1;
    (void)signal(number, SIG_IGN);
}

static void tick_every(int microseconds)
{
    const struct itimerval every = {{0, microseconds}, {0, microseconds}};
    (void)setitimer(ITIMER_REAL, &every, NULL);
}

int main(void)
{
    use();
    beget(3);
    (void)signal(SIGALRM, tick);
    tick_every(TICK_US);
    while (forks < FORKS && !is_child) use();
    if (!is_child) {
        tick_every(0);
        return killed;
    }
    for (int i = 0; i < 100; i++) use();
    _exit(0);
}
